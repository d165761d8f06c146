"""Running a model for a visitor: nothing twice, a stop that stops, honest words."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from restore import Restorer
from restore.page import results, work
from restore.page.restoring import blend, judged
from restore.page.results import RUNS, Runs, Stopped, kept, restored
from restore.photo import Photo
from restore.restorer import STEADIED


@pytest.fixture
def photo(blurred) -> Photo:
    return Photo(blurred[:64, :96].copy())


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """Starts with nothing kept; the names of the models that really ran."""
    ran = []
    whole = results._restore_watched

    def watched(photo, name, *others):
        ran.append(name)
        return whole(photo, name, *others)

    results.KEPT.clear()
    monkeypatch.setattr(results, "_restore_watched", watched)
    return ran


def visitor(name: str = "visitor"):
    return SimpleNamespace(session_hash=name)


def test_nothing_is_computed_twice(photo, counted):
    first = restored(photo, "cnn")
    again = restored(Photo(photo.colours.copy()), "cnn")
    assert np.array_equal(again.colours, first.colours)
    assert again.seconds == first.seconds
    assert kept(photo, "gan") is None
    other = Photo(255 - photo.colours)
    restored(other, "cnn")
    assert counted == ["cnn", "cnn"]


def test_each_working_size_is_a_result_of_its_own_and_auto_is_the_one_it_chose(photo, counted):
    chosen = restored(photo, "cnn")
    assert chosen.scale == 1
    assert np.array_equal(restored(photo, "cnn", scale=1.0).colours, chosen.colours)
    assert kept(photo, "cnn", 0.5) is None
    half = restored(photo, "cnn", scale=0.5)
    assert half.scale == 0.5
    assert not np.array_equal(half.colours, chosen.colours)
    assert counted == ["cnn", "cnn"]


def test_camera_shake_is_taken_out_of_the_result_that_is_kept(photo, counted, monkeypatch):
    chosen, given = restored(photo, "cnn"), []

    def steadied(self, photo, before, report):
        given.append(before.colours)
        report(0.5)
        return replace(photo, notes=(*photo.notes, "Found."))

    monkeypatch.setattr(Restorer, "steady", steadied)
    result = restored(photo, "cnn", scale="shake")
    assert np.array_equal(given[0], chosen.colours)
    assert (result.scale, result.notes) == ("shake", ("Found.",))
    assert result.seconds > chosen.seconds
    assert restored(photo, "cnn", scale="shake").notes == ("Found.",)
    assert (len(given), counted) == (1, ["cnn", "cnn"])


def test_other_weights_are_another_result(photo, counted, monkeypatch):
    restored(photo, "cnn")
    monkeypatch.setattr(results, "fingerprint", lambda name: "other weights")
    assert kept(photo, "cnn") is None


def test_a_run_that_nobody_wants_stops_before_its_end(photo, counted):
    asked = []

    def unwanted() -> bool:
        asked.append(None)
        return len(asked) > 3

    with pytest.raises(Stopped):
        restored(photo, "unet-512", unwanted=unwanted)
    assert kept(photo, "unet-512") is None
    with results.TURNS.turn():  # the thread that computed has let go
        pass


@pytest.fixture
def endless(monkeypatch) -> SimpleNamespace:
    """A search for camera shake that ends when it is `enough`; it counts its `steps`."""
    search = SimpleNamespace(steps=0, begun=threading.Event(), enough=threading.Event())

    def steadied(self, photo, before, report):
        search.begun.set()
        while not search.enough.is_set():
            report(0.5)
            search.steps += 1
            time.sleep(0.001)
        return replace(photo, notes=(*photo.notes, STEADIED))

    monkeypatch.setattr(Restorer, "steady", steadied)
    return search


@pytest.fixture
def aside(endless) -> Iterator[ThreadPoolExecutor]:
    """What runs beside the test; a failed one leaves no search behind."""
    with ThreadPoolExecutor() as pool:
        yield pool
        endless.enough.set()


def test_a_search_for_camera_shake_lets_others_go_first(photo, counted, endless, aside):
    searching = aside.submit(restored, photo, "cnn", scale="shake")
    endless.begun.wait()
    for name in ("cnn", "gan"):
        restored(Photo(255 - photo.colours), name)
    assert not searching.done()
    endless.enough.set()
    assert searching.result().notes == (STEADIED,)


def test_who_goes_first_is_waited_for_in_words_and_not_counted(photo, counted, endless, aside):
    heard = []
    tell = lambda share, text: heard.append((share, text))  # noqa: E731
    searching = aside.submit(restored, photo, "cnn", tell, scale="shake")
    endless.begun.wait()
    with results.TURNS.turn():
        del heard[:]
        time.sleep(3 * results.TICK)
        assert set(heard) == {(0.5, "waiting for another photo")}
    endless.enough.set()
    assert searching.result().seconds < 3 * results.TICK


def test_a_crowd_delays_a_search_by_so_many_seconds_at_most(
    photo, counted, endless, aside, monkeypatch
):
    monkeypatch.setattr(results, "GIVEN", 0.3)
    searching = aside.submit(restored, photo, "cnn", scale="shake")
    endless.begun.wait()

    def visit() -> None:
        while not endless.enough.is_set():
            with results.TURNS.turn():
                time.sleep(0.02)

    visitors = [aside.submit(visit) for _ in range(3)]
    time.sleep(1)
    before = endless.steps
    time.sleep(0.3)
    assert endless.steps > before + 10, "it gives way no longer"
    endless.enough.set()
    assert searching.result()
    assert [visitor.result() for visitor in visitors] == [None] * 3


def test_progress_says_how_much_time_is_left(photo, counted, monkeypatch):
    monkeypatch.setattr(results, "TICK", 0.01)
    monkeypatch.setattr(
        results, "_restore_watched", lambda photo, *others: time.sleep(0.2) or photo
    )
    restored(photo, "cnn")
    results.KEPT.clear()
    heard = []
    restored(photo, "cnn", lambda share, text: heard.append((share, text)))
    assert any("s left" in text for _, text in heard)
    assert all(0 <= share <= 1 for share, _ in heard)


def test_a_newer_wish_ends_an_older_run_and_only_that():
    runs = Runs()
    runs.want(visitor(), "restore", "given up", 1)
    with (
        runs.run(visitor(), "restore", "old", 2) as old,
        runs.run(visitor("b"), "restore", "x") as x,
    ):
        assert not old(), "an older wish is no reason"
        runs.want(visitor(), "restore", "old", 3)
        assert not old(), "what is running is what is wanted"
        runs.want(visitor(), "restore", "new", 5)
        runs.want(visitor(), "restore", "old", 4)  # overtaken on its way
        assert old()
        assert not x(), "another visitor's run goes on"
    with runs.run(visitor(), "restore", "new", 5) as new:
        assert not new()


def test_a_stop_ends_what_runs_and_what_waits_until_more_is_asked_for(monkeypatch):
    runs = Runs()
    runs.want(visitor(), "restore", "new", 5)
    with runs.run(visitor(), "restore", "new", 5) as new:
        runs.stop(visitor(), "restore", 6)
        assert new()
    with runs.run(visitor(), "restore", "new", 7) as waiting:
        assert waiting(), "it had been waiting in the browser when the visitor stopped"
    runs.want(visitor(), "restore", "new", 8)
    with runs.run(visitor(), "restore", "new", 8) as again:
        assert not again()
        runs.leave(visitor())
        assert again(), "the visitor has gone"
    assert not runs._wanted
    assert not runs._stopped
    assert not runs._running


def test_one_model_runs_at_a_time(photo, counted, monkeypatch):
    inside, most = [], []

    def watched(photo, *others):
        inside.append(None)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        return photo

    monkeypatch.setattr(results, "_restore_watched", watched)
    threads = [
        threading.Thread(target=restored, args=(Photo(photo.colours + shade), "cnn"))
        for shade in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]


def test_blend_goes_from_the_photo_to_the_result(photo):
    after = 255 - photo.colours
    assert np.array_equal(blend(photo.colours, after, 0), photo.colours)
    assert np.array_equal(blend(photo.colours, after, 100), after)
    deep = blend(np.array([[0]], np.uint16), np.array([[65535]], np.uint16), 25)
    assert deep.dtype == np.uint16
    assert deep[0, 0] == 16384


def test_models_are_warm_before_the_first_photo():
    work.restorer("cnn")
    assert "cnn" in work.LOADED
    assert work.PACE["cnn"] > 0


@pytest.fixture
def slow_to_load(monkeypatch) -> list[str]:
    """No model is loaded yet, and loading takes a while; what was loaded."""
    begun, whole = [], work.load

    def load(name, weights):
        begun.append(name)
        time.sleep(1)
        return whole(name, weights)

    monkeypatch.setattr(work, "LOADED", {})
    monkeypatch.setattr(results, "LOADED", work.LOADED)
    monkeypatch.setattr(work, "load", load)
    return begun


def test_nobody_waits_for_a_model_that_they_no_longer_want(photo, slow_to_load):
    started, heard = time.perf_counter(), []
    with pytest.raises(Stopped):
        restored(photo, "cnn", lambda *told: heard.append(told), unwanted=lambda: True)
    assert time.perf_counter() - started < 0.8
    assert heard == [(0, "loading cnn")]
    assert restored(photo, "cnn").colours.shape == photo.colours.shape
    assert slow_to_load == ["cnn"], "what had begun to load is what serves then"


def test_two_who_are_the_first_load_a_model_once(photo, slow_to_load):
    others = [Photo(photo.colours + shade) for shade in range(2)]
    threads = [threading.Thread(target=restored, args=(one, "cnn")) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow_to_load == ["cnn"]
    assert all(kept(one, "cnn") for one in others)


def test_a_transparent_photo_is_another_photo(photo, counted):
    restored(photo, "cnn")
    alpha = np.zeros(photo.colours.shape[:2], np.uint8)
    assert kept(Photo(photo.colours, alpha), "cnn") is None
    assert Image.fromarray(restored(Photo(photo.colours, alpha), "cnn").colours).size == photo.size


def judge(photo: Photo) -> list:
    return [result for result, _ in judged(photo, "cnn", lambda *_: None, lambda: False, "auto")]


def test_auto_looks_for_camera_shake_while_nobody_else_waits(photo, counted, endless):
    endless.enough.set()
    with RUNS.run(visitor("a"), "restore", "one"), RUNS.run(visitor("b"), "restore", "another"):
        assert [result.scale for result in judge(photo)] == [1]
    assert [result.scale for result in judge(photo)] == [1, "shake"]
    with RUNS.run(visitor("a"), "restore", "one"), RUNS.run(visitor("b"), "restore", "another"):
        assert [result.scale for result in judge(photo)] == [1, "shake"], "what is kept costs none"
