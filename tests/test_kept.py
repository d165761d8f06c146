"""Results that are kept: given back unchanged, bounded, for a time, and never in the way."""

import os
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from restore.page import kept
from restore.page.kept import Kept, Restored

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def result(shade: int, shape: tuple = (4, 5, 3), dtype: type = np.uint8) -> Restored:
    return Restored(np.full(shape, shade, dtype), seconds=1.5, scale=0.5)


def nameless_files() -> list[str]:
    """The files that this process has open though no folder has them any more."""
    folder = f"/proc/{os.getpid()}/fd"
    paths = [os.path.join(folder, number) for number in os.listdir(folder)]
    return [path for path in paths if os.path.lexists(path) and "(deleted)" in os.readlink(path)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_found_is_what_was_kept(blurred, dtype):
    colours = blurred[::2, 5:].astype(dtype) * 3  # not contiguous
    all_kept = Kept()
    all_kept.keep("key", Restored(colours, 1.5, 0.25))
    found = all_kept.find("key")
    assert np.array_equal(found.colours, colours)
    assert (found.colours.dtype, found.seconds, found.scale) == (dtype, 1.5, 0.25)
    assert all_kept.find("another") is None


def test_what_is_found_outlasts_being_forgotten_and_cannot_be_changed():
    all_kept = Kept()
    all_kept.keep("key", result(7))
    found = all_kept.find("key")
    all_kept.clear()
    assert (found.colours == 7).all()
    with pytest.raises(ValueError, match="read-only"):
        found.colours[0] = 1


def test_results_stay_for_an_hour_as_visitors_photos_do():
    assert Kept()._filed.ttl == 3600


def test_the_least_used_go_where_there_are_too_many():
    by_files = Kept(size=8000, files=4)
    for shade in range(4):
        by_files.keep(shade, result(shade))
    by_files.find(0)
    by_files.keep(4, result(4))
    assert [shade for shade in range(5) if by_files.find(shade)] == [0, 2, 3, 4]
    by_bytes = Kept(size=200, files=200)
    for shade in range(4):
        by_bytes.keep(shade, result(shade))
    assert len(by_bytes) == 3
    by_bytes.keep("huge", result(9, (10, 10, 3)))
    assert by_bytes.find("huge") is None
    assert len(by_bytes) == 3, "none had to go for what is not kept"


@linux
def test_files_have_no_name_and_go_when_they_are_too_old_though_nobody_asks(tmp_path, monkeypatch):
    """By one thread, however many photos come: a timer for each would be a thousand an hour."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(kept, "SWEEP", 0.05)
    threads, files = threading.active_count(), len(nameless_files())
    short = Kept(seconds=0.5)
    for shade in range(5):
        short.keep(shade, result(shade))
    assert os.listdir(tmp_path) == []
    assert len(nameless_files()) == files + 5
    assert threading.active_count() <= threads + 1
    until = time.monotonic() + 60
    while len(nameless_files()) > files and time.monotonic() < until:
        time.sleep(0.05)
    assert len(nameless_files()) == files


def test_a_full_disk_is_no_mistake(monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept.tempfile, "TemporaryFile", full)
    all_kept = Kept()
    all_kept.keep("key", result(1))
    assert all_kept.find("key") is None


def test_uploads_come_first_where_the_disk_is_small(monkeypatch):
    """As if the disk had room for two results beside what is spared."""
    small, size = Kept(), result(0).colours.nbytes
    monkeypatch.setattr(
        kept.shutil,
        "disk_usage",
        lambda _: SimpleNamespace(free=kept.SPARE + size * (2 - len(small))),
    )
    for shade in range(3):
        small.keep(shade, result(shade))
    assert [bool(small.find(shade)) for shade in range(3)] == [False, True, True]
    small.keep("larger", result(3, (8, 5, 3)))
    assert small.find("larger")
    small.keep("too large", result(4, (40, 5, 3)))
    assert not small.find("too large")


@linux
def test_what_is_kept_takes_no_memory():
    all_kept, process = Kept(), psutil.Process()
    before = process.memory_info().rss
    for number in range(20):
        all_kept.keep(number, result(number, (1000, 4000, 3)))
        assert all_kept.find(number).colours[-1, -1, -1] == number
    assert process.memory_info().rss - before < 60e6, "240 MB are kept"
