"""Photos into files: whole or not at all, and nothing overwritten."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from corpus import COLOUR

from restore.photo import Photo, PhotoError, decode, encode


def test_nothing_is_overwritten_unless_told(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("mine")
    with pytest.raises(PhotoError, match="exists already"):
        encode(Photo(COLOUR), path)
    assert path.read_text() == "mine"
    encode(Photo(COLOUR), path, overwrite=True)
    assert np.array_equal(decode(path).colours, COLOUR)
    assert os.listdir(tmp_path) == ["a.png"]


def test_of_many_writers_one_wins(tmp_path):
    def write(level):
        try:
            encode(Photo(np.full((9, 9), level, np.uint8)), tmp_path / "a.png")
        except PhotoError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(24)))
    assert sum(won) == 1
    assert decode(tmp_path / "a.png").colours[0, 0] == won.index(True)
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "gif", "avif"])
def test_a_full_disk_leaves_nothing(suffix, tmp_path):
    """A limit on the size of files stands in for the disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        with pytest.raises(PhotoError, match=rf"a\.{suffix}: .*the disk is full; make room\.$"):
            encode(Photo(COLOUR), tmp_path / f"a.{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_ctrl_c_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        encode(Photo(COLOUR), tmp_path / "a.png")
    assert os.listdir(tmp_path) == []


def test_disks_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    encode(Photo(COLOUR), tmp_path / "a.png")
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.xyz", r"cannot be written as '\.xyz'; use \.jpg"),
        ("none/a.png", "its folder does not exist; make it first"),
        ("file/a.png", "its folder does not exist; make it first"),
    ],
)
def test_places_that_cannot_be_written(name, reason, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PhotoError, match=reason):
        encode(Photo(COLOUR), tmp_path / name)


def test_sides_that_a_format_cannot_hold(tmp_path):
    with pytest.raises(PhotoError, match=r"a\.webp: WEBP holds no side over 16,383 pixels"):
        encode(Photo(np.zeros((2, 20_000), np.uint8)), tmp_path / "a.webp")


def test_names_as_long_as_the_disk_takes(tmp_path):
    path = tmp_path / ("ä" * 125 + ".png")
    encode(Photo(COLOUR), path)
    assert np.array_equal(decode(path).colours, COLOUR)
