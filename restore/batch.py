"""Many photos: found, read, restored and written at the same time, each file done once."""

import csv
import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain
from pathlib import Path

import numpy as np

from .claims import Claims
from .photo import SUFFIXES, Metadata, Photo, PhotoError, decode, encode
from .restorer import Restorer
from .working_size import Scale, choose_scale

AHEAD = 2
"""So many photos are read before they are needed, and wait to be written, at most."""
THREADS = 4
"""For reading and writing files."""


class BatchError(Exception):
    """The call cannot be carried out; the message says why and what to do."""


@dataclass(frozen=True)
class Job:
    """A photo, where its result goes, and the clear photo to compare with, if there is one."""

    source: Path
    target: Path
    reference: Path | None = None


@dataclass(frozen=True)
class Row:
    """What came of one photo: a line of the report. Scores are None where nothing was measured."""

    photo: str
    result: str
    status: str
    """restored, skipped (the result is there already), claimed (by another process) or failed."""
    message: str = ""
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    scale: float | str | None = None
    """The working size, or "shake"."""
    sharpness_before: float | None = None
    sharpness_after: float | None = None
    psnr_before: float | None = None
    psnr_after: float | None = None
    ssim_before: float | None = None
    ssim_after: float | None = None

    @classmethod
    def of(cls, job: Job, status: str, message: str = "") -> "Row":
        return cls(str(job.source), str(job.target), status, message)


def find_jobs(photos: list[Path], out: Path, reference: Path | None) -> list[Job]:
    """Each photo once, with the path of its result below `out`; folders keep their shape.

    What lies in `out` is not looked for. Raises BatchError where two photos would have the same
    result, or where one would be replaced by its own.
    """
    found: dict[Path, Path] = {}
    inside_out = out.resolve()
    for path in photos:
        if not path.is_dir():
            found.setdefault(path, Path(path.name))
            continue
        for inside in sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES):
            results = inside_out != path.resolve() and inside_out in inside.resolve().parents
            if inside.is_file() and not results:
                found.setdefault(inside, inside.relative_to(path))
    jobs: dict[Path, Job] = {}
    for source, below in found.items():
        target = out / below
        other = jobs.get(target)
        if other and other.source.resolve() != source.resolve():
            raise BatchError(
                f"{other.source} and {source} would both become {target}. Restore them into two "
                "folders, or name the folder above them."
            )
        if target.resolve() == source.resolve():
            raise BatchError(f"{source} would be replaced by its own result. Name another --out.")
        jobs.setdefault(target, Job(source, target, _reference(reference, below)))
    return list(jobs.values())


def _reference(folder: Path | None, below: Path) -> Path | None:
    if folder is None:
        return None
    return next((p for p in (folder / below, folder / below.name) if p.exists()), None)


@dataclass
class Batch:
    """Restores jobs, and counts. `rank` of `world` processes share them on one disk."""

    restorer: Restorer
    metadata: Metadata = "keep"
    overwrite: bool = False
    scale: Scale = "auto"
    score: bool = False
    """Also measure sharpness before and after."""
    rank: int = 0
    world: int = 1
    busy: float = 0.0
    """Seconds spent restoring."""
    elapsed: float = 0.0

    def run(
        self, jobs: list[Job], done: Callable[[Row], None], progress: Callable[[float], None]
    ) -> None:
        """Restore them; `done` gets a row for each, `progress` the share of the photo at work.

        Whatever either of them raises ends the run, KeyboardInterrupt too: what is restored by then
        is still written and reported, and nothing is left half done.
        """
        start = time.perf_counter()
        if self.overwrite:  # what is done cannot be told by its being there: share beforehand
            jobs = jobs[self.rank :: self.world]
        else:  # start apart, so that claims seldom meet
            first = self.rank * len(jobs) // self.world
            jobs = jobs[first:] + jobs[:first]
        writing: deque[Future[Row]] = deque()
        with Claims() as claims, ThreadPoolExecutor(THREADS) as files:
            try:
                for job, photo in self._opened(jobs, claims, files):
                    if isinstance(photo, Row):
                        done(photo)
                        continue
                    restored = self._restore(job, photo, progress)
                    if isinstance(restored, Row):
                        claims.release(job.target)
                        done(restored)
                        continue
                    writing.append(files.submit(self._write, job, photo, *restored, claims))
                    while writing and (writing[0].done() or len(writing) > AHEAD):
                        done(writing.popleft().result())
            finally:
                while writing:
                    done(writing.popleft().result())
                files.shutdown(cancel_futures=True)
                self.elapsed = time.perf_counter() - start

    def _opened(
        self, jobs: list[Job], claims: Claims, files: ThreadPoolExecutor
    ) -> Iterator[tuple[Job, Photo | Row]]:
        """The photos in turn, read a little ahead. What others have claimed is looked at again."""
        again: list[Job] = []
        for last, batch in ((False, jobs), (True, again)):
            ahead: deque[tuple[Job, Future]] = deque()
            for job in chain(batch, [None] * AHEAD):
                if job:
                    ahead.append((job, files.submit(self._open, job, claims)))
                if ahead and (len(ahead) > AHEAD or not job):
                    opened, future = ahead.popleft()
                    if photo := future.result():
                        yield opened, photo
                    elif last:
                        yield opened, Row.of(opened, "claimed", "another process is at it")
                    else:
                        again.append(opened)

    def _open(self, job: Job, claims: Claims) -> Photo | Row | None:
        """In a thread: claim and decode; None where another process has claimed it."""
        if job.target.exists() and not self.overwrite:
            return Row.of(job, "skipped", "its result is there already")
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
            if not claims.take(job.target):
                return None
        except OSError as error:
            reason = error.strerror or error
            return Row.of(job, "failed", f"{job.target} cannot be written ({reason}).")
        try:
            if not job.target.exists() or self.overwrite:  # the last owner may just have made it
                return decode(job.source)
            row = Row.of(job, "skipped", "its result is there already")
        except PhotoError as error:
            row = Row.of(job, "failed", str(error))
        except MemoryError:
            row = Row.of(
                job, "failed", f"{job.source.name}: there is not enough memory to read it."
            )
        claims.release(job.target)
        return row

    def _restore(
        self, job: Job, photo: Photo, progress: Callable[[float], None]
    ) -> tuple[Photo, Scale, float] | Row:
        """The restored photo, the scale and the seconds, or a row that says why not."""
        start = time.perf_counter()
        try:
            scale = self.scale
            if scale == "auto":
                scale = choose_scale(photo.opaque_colours())
            restored = self.restorer.restore(photo, progress, scale)
        except (MemoryError, ValueError) as error:
            return Row.of(job, "failed", f"{job.source.name}: {error}")
        seconds = time.perf_counter() - start
        self.busy += seconds
        return restored, scale, seconds

    def _write(
        self, job: Job, photo: Photo, restored: Photo, scale: Scale, seconds: float, claims: Claims
    ) -> Row:
        """In a thread: encode, measure, give the claim back."""
        try:
            encode(restored, job.target, self.metadata, self.overwrite)
            row = replace(
                Row.of(job, "restored", " ".join(restored.notes)),
                width=photo.size[0],
                height=photo.size[1],
                seconds=round(seconds, 3),
                scale=scale,
            )
            return replace(row, **self._scores(job, photo.levels(), restored.levels()))
        except (PhotoError, OSError, MemoryError) as error:
            return Row.of(job, "failed", str(error))
        finally:
            claims.release(job.target)

    def _scores(self, job: Job, before: np.ndarray, after: np.ndarray) -> dict:
        from .metrics import SMALLEST, psnr, sharpness, ssim

        scores: dict = {}
        large = min(before.shape[:2]) >= SMALLEST
        if self.score and large:
            scores |= {"sharpness_before": sharpness(before), "sharpness_after": sharpness(after)}
        if job.reference:
            try:
                clear = decode(job.reference).levels()
                scores |= {"psnr_before": psnr(before, clear), "psnr_after": psnr(after, clear)}
                if large:
                    scores |= {"ssim_before": ssim(before, clear), "ssim_after": ssim(after, clear)}
            except (PhotoError, ValueError) as error:  # the result stands, unscored
                scores["message"] = f"Not compared: {error}"
        return {key: round(v, 4) if isinstance(v, float) else v for key, v in scores.items()}


def read_report(path: Path) -> dict[str, dict]:
    """The rows of an earlier report by photo, for a run that goes on. Raises BatchError."""
    if not path.exists():
        return {}
    try:
        text = path.read_text()
        rows = (
            json.loads(text)
            if path.suffix.lower() == ".json"
            else list(csv.DictReader(text.splitlines()))
        )
        return {row["photo"]: row for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        raise BatchError(f"{path} is there and is no report of ours. Name another.") from None


def make_folder(path: Path) -> None:
    """Also those above it. Raises BatchError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise BatchError(f"{path} is a file, not a folder. Name another.") from None
    except OSError as error:
        raise BatchError(f"The folder {path} cannot be made ({error.strerror}).") from None


def write_report(path: Path, rows: list[Row], earlier: dict[str, dict]) -> None:
    """CSV or JSON by the suffix; what was skipped keeps the row of the run that restored it."""
    merged = dict(earlier)
    for row in rows:
        if row.status not in ("skipped", "claimed") or row.photo not in merged:
            merged[row.photo] = asdict(row)
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", newline="") as file:
        if path.suffix.lower() == ".json":
            json.dump(list(merged.values()), file, indent=1)
        else:
            table = csv.DictWriter(file, [field.name for field in fields(Row)])
            table.writeheader()
            table.writerows(merged.values())
    os.replace(partial, path)
