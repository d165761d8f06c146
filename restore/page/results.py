"""Running a model for a visitor: nothing twice, with time left, and a stop that stops."""

import hashlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

import gradio as gr
import numpy as np

from ..photo import Photo
from ..working_size import Scale, choose_scale
from .kept import Kept, Restored
from .texts import translated
from .turns import Turns
from .work import LOADED, PACE, fingerprint, restorer, sentence_of, sentences

try:
    import spaces

    on_gpu = spaces.GPU  # ZeroGPU lends a GPU to what is marked so
except ImportError:

    def on_gpu(function):
        return function


T = TypeVar("T")
BARRED = 2.0
"""Seconds after a stop in which no run starts that the visitor has not asked for since."""
GIVEN = 10.0
"""Seconds that a search for camera shake lets others go first, at most."""
TICK = 0.25
"""Seconds between two looks at whether a run is done or no longer wanted."""

CLOSING = threading.Event()
"""Set when the server ends and what still runs or waits is given up."""


class Stopped(Exception):  # noqa: N818, it is no error
    """Nobody waits for this run any more."""


class Runs:
    """What each visitor waits for, so that a run ends as soon as nobody does.

    A run and the request that says what is wanted now travel to the server side by side and may
    arrive in any order, or one of them not at all. So each carries the time in the browser (`at`,
    milliseconds): a run is unwanted once something else was wanted later.
    """

    def __init__(self) -> None:
        self._wanted: dict[tuple, tuple[float, object]] = {}
        self._stopped: dict[tuple, tuple[float, float]] = {}
        self._running: dict[tuple, int] = {}
        self._over: dict[tuple, object] = {}
        """What ran last to its end: who waits for that has it."""

    def want(self, request: gr.Request, place: str, what: object, at: float) -> None:
        """Since `at` the visitor waits at `place` for `what` alone; None: for nothing."""
        key = (request.session_hash, place)
        if at >= self._wanted.get(key, (0,))[0]:
            self._wanted[key] = (at, what)

    def stop(self, request: gr.Request, place: str, at: float = math.inf) -> bool:
        """Since `at` the visitor waits for nothing at `place`; returns whether they did before."""
        key = (request.session_hash, place)
        wanted_at, wanted = self._wanted.get(key, (-1, None))
        waited = wanted is not None and (key in self._running or wanted != self._over.get(key))
        waited = waited and self._stopped.get(key, (-1,))[0] < wanted_at <= at
        self._stopped[key] = (at, time.monotonic())
        return waited

    def is_over(self, request: gr.Request | None, place: str, what: object) -> bool:
        """Whether `what` ran to its end there, and nothing else since."""
        return self._over.get((getattr(request, "session_hash", None), place), what) == what

    def alone(self) -> bool:
        """Whether no more than one run is on, or waits for another."""
        return sum(self._running.values()) <= 1

    def leave(self, request: gr.Request) -> None:
        """The visitor has gone."""
        for key in [*self._wanted, *self._stopped, *self._running]:
            if key[0] == request.session_hash:
                self.stop(request, key[1])
                if key not in self._running:
                    self._forget(key)

    def _forget(self, key: tuple) -> None:
        self._wanted.pop(key, None)
        self._stopped.pop(key, None)
        self._over.pop(key, None)

    @contextmanager
    def run(
        self, request: gr.Request | None, place: str, what: object, at: float = 0
    ) -> Iterator[Callable[[], bool]]:
        """Run `what`, asked for `at`; yields a question: is it no longer wanted?

        Raises ValueError when the server ends.
        """
        key = (getattr(request, "session_hash", None), place)
        started = time.monotonic()

        def unwanted() -> bool:
            wanted_at, wanted = self._wanted.get(key, (-1, None))
            stopped_at, stopped = self._stopped.get(key, (-1, 0))
            if stopped_at > wanted_at and started - stopped < BARRED:
                return True  # it runs, or had been waiting in the browser, when the visitor stopped
            return wanted_at > at and wanted != what

        _expect_open()
        self._running[key] = self._running.get(key, 0) + 1
        over = what
        try:
            yield unwanted
        except GeneratorExit:
            over = None  # cancelled: `stop` has yet to hear of it
            raise
        finally:
            if key in self._wanted:  # else it is a program's, which stops nothing
                self._over[key] = over
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]
                if self._stopped.get(key, (0,))[0] == math.inf:
                    self._forget(key)


def _expect_open() -> None:
    if CLOSING.is_set():
        raise ValueError("The page is about to restart. Please try again in a minute.")


RUNS = Runs()
KEPT = Kept()
TURNS = Turns()


def _chosen(photo: Photo, scale: Scale) -> Scale:
    return choose_scale(photo.opaque_colours()) if scale == "auto" else scale


def _key(photo: Photo, name: str, scale: Scale) -> tuple:
    digest = hashlib.sha256(f"{photo.colours.shape} {photo.colours.dtype}".encode())
    for values in (photo.colours, photo.alpha):
        if values is not None:
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest(), name, fingerprint(name), scale


def kept(photo: Photo, name: str, scale: Scale = "auto") -> Restored | None:
    """What that model made of these very colours within the last hour, if it is still here."""
    return KEPT.find(_key(photo, name, _chosen(photo, scale)))


@on_gpu
def _restore_elsewhere(photo: Photo, name: str, scale: Scale) -> Photo:
    with sentences():  # of other exceptions ZeroGPU hands over nothing but the type
        return restorer(name).restore(photo, scale=scale)


def _restore_watched(
    photo: Photo,
    name: str,
    scale: Scale,
    before: Photo | None,
    report: Callable[[float], None],
    check: Callable[[], None],
) -> Photo:
    """Restore the photo, or, where it is restored as `before`, take camera shake out.

    `report` is called with the share done, and `check` before every convolution of the model.
    """
    if before:  # on the CPU, and others may use the model meanwhile
        return restorer(name).steady(photo, before, report)
    if os.environ.get("SPACES_ZERO_GPU"):  # another process, which cannot call back
        return _restore_elsewhere(photo, name, scale)
    with restorer(name).engine.watched(check):
        return restorer(name).restore(photo, report, scale)


def restored(
    photo: Photo,
    name: str,
    progress: Callable[[float, str], None] = lambda share, text: None,
    unwanted: Callable[[], bool] = lambda: False,
    scale: Scale = "auto",
) -> Restored:
    """What the model makes of the photo, from what is kept or by running it.

    `progress` is called with the share done, 0 to 1, and a few words; `scale` is the working size,
    as `Restorer.restore` takes it. Raises Stopped as soon as `unwanted()`, ValueError when the
    server ends, and whatever the model raises.
    """
    loaded(name, progress, unwanted)
    scale = _chosen(photo, scale)
    key = _key(photo, name, scale)
    if found := KEPT.find(key):
        return found
    first = restored(photo, name, progress, unwanted) if scale == "shake" else None
    work = _Work(photo, name, scale, unwanted, first and photo.with_colours(first.colours))
    after = _awaited(work.run, lambda: progress(*work.standing()), unwanted)
    seconds = work.seconds + (first.seconds if first else 0)
    result = Restored(after.colours, seconds, scale, after.notes[len(photo.notes) :])
    KEPT.keep(key, result)
    return result


def tried(
    photo: Photo,
    name: str,
    progress: Callable[[float, str], None] = lambda share, text: None,
    unwanted: Callable[[], bool] = lambda: False,
) -> Restored | None:
    """As `restored`, but what fails in this model alone is a warning, and None: others may do."""
    try:
        return restored(photo, name, progress, unwanted)
    except (Stopped, ValueError, gr.Error):  # nobody waits, the server ends, ZeroGPU has none left
        raise
    except Exception as error:
        gr.Warning(f"{name}: {translated(sentence_of(error))}")
        return None


def loaded(
    name: str,
    progress: Callable[[float, str], None] = lambda share, text: None,
    unwanted: Callable[[], bool] = lambda: False,
) -> None:
    """Load the model where it is not yet; as `restored` in all else."""
    if name not in LOADED:
        _awaited(lambda: restorer(name), lambda: progress(0, f"loading {name}"), unwanted)


def _awaited(
    work: Callable[[], T], tell: Callable[[], None], unwanted: Callable[[], bool] = lambda: False
) -> T:
    """What `work` returns, or raises; `tell` is called before it and every TICK while it runs.

    It runs in a thread, which is left to itself as soon as `unwanted()`: then Stopped is raised,
    or ValueError when the server ends.
    """
    future: Future[T] = Future()
    context = copy_context()  # ZeroGPU looks there for the visitor, whose quota it charges

    def run() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:  # handed over to the thread that waits
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    while True:
        tell()
        if wait([future], TICK).done:
            return future.result()
        if unwanted():
            raise Stopped
        _expect_open()


class _Work:
    """One run of a model, and how far it is."""

    def __init__(
        self,
        photo: Photo,
        name: str,
        scale: Scale,
        unwanted: Callable[[], bool],
        before: Photo | None,
    ):
        self.photo, self.name, self.scale, self.unwanted = photo, name, scale, unwanted
        self.before = before
        self.started = self.seconds = 0.0
        self._share, self._share_at = 0.0, 0.0
        self._given, self._giving = 0.0, False
        """Seconds in which others went first, and whether they do now."""

    def run(self) -> Photo:
        with TURNS.turn():
            self._check()
            self.started = time.perf_counter()
            result = _restore_watched(
                self.photo, self.name, self.scale, self.before, self._report, self._check
            )
            self.seconds = time.perf_counter() - self.started
            if not self.before:
                PACE[self.name] = self._pixels() / self.seconds
            return result

    def _pixels(self) -> float:
        """How many the network sees."""
        scale = 1.0 if self.before else self.scale
        return self.photo.size[0] * self.photo.size[1] * scale**2

    def _check(self) -> None:
        _expect_open()
        if self.unwanted():
            raise Stopped

    def _report(self, share: float) -> None:
        if self.before and share < 1 and self._given < GIVEN:
            self._giving = True  # it takes seconds, others' photos mostly less
            seconds = TURNS.give_way()
            self._giving = False
            self._given += seconds
            self.started += seconds
        self._check()
        self._share, self._share_at = share, time.perf_counter() - self.started

    def standing(self) -> tuple[float, str]:
        """Share done and time left: by the tiles done, before the first by the last run's speed."""
        if not self.started or self._giving:
            return self._share, "waiting for another photo"
        elapsed = time.perf_counter() - self.started
        total = self._share_at / self._share if self._share else self._pixels() / PACE[self.name]
        share, left = min(elapsed / max(total, 1e-6), 0.99), time_words(max(total - elapsed, 1))
        if self.before:
            return share, f"looking for camera shake, {left} left"
        return share, f"restoring with {self.name}, {left} left"


def meanwhile(work: Callable[[], T], seconds: float, tell: Callable[[float, str], None]) -> T:
    """What `work` returns, or raises; while it runs, `tell` gets the share done and the time left.

    Both are reckoned with the `seconds` that it is thought to take.
    """
    started = time.perf_counter()

    def reckoned() -> None:
        elapsed = time.perf_counter() - started
        tell(min(elapsed / seconds, 0.99), time_words(max(seconds - elapsed, 1)))

    return _awaited(work, reckoned)


def time_words(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
