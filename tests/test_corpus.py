"""The corpus of odd photos: each comes through decode, restore and encode, or gets a sentence."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import corpus
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from restore import load
from restore.photo import SUFFIXES, Photo, PhotoError, decode, encode

GOOD = {odd.name: odd for odd in corpus.good()}
BAD = corpus.bad()
LOSSLESS = ("png", "tif")
"""What holds every photo as it is; WebP and BMP do for 8-bit colour, see below."""


@pytest.fixture(scope="module")
def small():
    return load("cnn", device="cpu")


def same(first: np.ndarray | None, second: np.ndarray | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.dtype == second.dtype and np.array_equal(first, second)


def comes_through(odd: corpus.Odd, folder: Path, small) -> None:
    path = folder / odd.name
    odd.make(path)
    photo = decode(path)
    assert photo.colours.dtype == odd.colours.dtype
    assert photo.colours.shape == odd.colours.shape
    assert photo.size == odd.colours.shape[1::-1]
    assert np.abs(photo.colours.astype(int) - odd.colours).mean() <= odd.off
    assert same(photo.alpha, odd.alpha)
    assert photo.format == (odd.kind or SUFFIXES[path.suffix.lower()])
    assert odd.note in " ".join(photo.notes)
    assert len(photo.notes) == bool(odd.note)
    assert photo.profile == odd.holds.get("icc")
    assert bool(photo.xmp) == bool(odd.holds.get("xmp"))
    if "dpi" in odd.holds:
        assert photo.dpi == pytest.approx((odd.holds["dpi"],) * 2, abs=0.01)

    # 20,000 pixels are many tiles; what restoring does to them is the same in each.
    restored = small.restore(photo) if max(photo.size) < 20_000 else photo
    grey = photo.colours.ndim == 2 or (np.ptp(photo.colours, -1) == 0).all()
    assert not grey or restored.colours.ndim == 2 or (np.ptp(restored.colours, -1) == 0).all()
    assert restored.colours.dtype == photo.colours.dtype
    assert restored.size == photo.size
    assert same(restored.alpha, photo.alpha)

    for suffix in LOSSLESS:
        encode(restored, folder / f"out.{suffix}")
        again = decode(folder / f"out.{suffix}")
        assert same(again.colours, restored.colours)
        assert same(again.alpha, restored.alpha)
        assert again.profile == photo.profile
        assert again.xmp == photo.xmp
        check_exif(folder / f"out.{suffix}", odd)
        if photo.dpi:
            assert again.dpi == pytest.approx(photo.dpi, abs=0.01)
    own = folder / ("own" + (path.suffix or ".png"))
    encode(restored, own)
    again = decode(own)
    assert again.size == photo.size
    difference = again.levels().astype(int) - restored.levels()
    assert photo.alpha is not None or np.abs(difference).mean() < 6
    if photo.alpha is not None and not photo.alpha.all():
        assert np.array_equal(again.alpha == 0, photo.alpha == 0)


def check_exif(path: Path, odd: corpus.Odd) -> None:
    """Read back by Pillow, not by us."""
    if not odd.holds.get("exif"):
        return
    with Image.open(path) as image:
        tags = image.getexif()
        details, where = tags.get_ifd(0x8769), tags.get_ifd(0x8825)
    assert tags[0x010E] == "a cat"
    assert tags.get(0x0112, 1) == 1
    if details:
        assert bytes(details[0x927C]) == b"note of the maker"
        assert (details[0xA002], details[0xA003]) == odd.colours.shape[1::-1]
    assert (where.get(1) == "N") == bool(odd.holds.get("location"))


@pytest.mark.parametrize("name", GOOD)
def test_odd_photos_come_through(name, tmp_path, small):
    comes_through(GOOD[name], tmp_path, small)


@pytest.mark.parametrize("index", range(3))
def test_heic_comes_through(index, tmp_path, small):
    pytest.importorskip("pillow_heif")
    comes_through(corpus.heic()[index], tmp_path, small)


@pytest.mark.parametrize("name", BAD)
def test_bad_files_get_one_sentence(name, tmp_path):
    make, reason = BAD[name]
    make(tmp_path / name)
    with pytest.raises(PhotoError) as caught:
        decode(tmp_path / name)
    assert re.fullmatch(rf"{re.escape(name)}: [^.]*({reason})[^\n]*\.", str(caught.value))


def test_the_corpus_is_large_enough():
    assert len(GOOD) + len(BAD) >= 60


def real_photos() -> list[Path]:
    """Photos that come with the packages which the app needs anyway."""
    found = []
    for package in ("skimage", "gradio"):
        root = Path(find_spec(package).origin).parent
        found += [p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and "data" in str(p)]
        found += [p for p in (root / "media_assets").rglob("*") if p.suffix.lower() in SUFFIXES]
    found = [p for p in set(found) if p.name != "multipage_rgb.tif"]  # 64 bits per colour
    return sorted(p for p in found if 3_000 < p.stat().st_size < 400_000)


def test_photos_of_packages_come_through(tmp_path):
    photos = real_photos()
    assert len(photos) >= 10
    for path in photos:
        photo = decode(path)
        with Image.open(path) as image:
            assert photo.size == image.size
            if not photo.profile and image.mode in ("L", "RGB") and not photo.alpha:
                assert np.array_equal(photo.levels(), np.asarray(image.convert("RGB")))
        encode(photo, tmp_path / "out.png", overwrite=True)
        again = decode(tmp_path / "out.png")
        assert same(again.colours, photo.colours)
        assert same(again.alpha, photo.alpha)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    channels=st.sampled_from([(), (3,)]),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    has_alpha=st.booleans(),
    suffix=st.sampled_from(["png", "tif", "webp", "bmp"]),
    seed=st.integers(0, 99),
)
def test_random_photos_come_back_bit_exact(
    height, width, channels, dtype, has_alpha, suffix, seed, tmp_path, small
):
    rng = np.random.default_rng(seed)
    highest = np.iinfo(dtype).max
    colours = rng.integers(0, highest, (height, width, *channels), dtype, endpoint=True)
    alpha = rng.choice(np.array([0, 1, highest // 2, highest], dtype), (height, width))
    photo = Photo(colours, alpha if has_alpha else None)
    path = tmp_path / f"a.{suffix}"
    for written in (photo, small.restore(photo)):
        encode(written, path, overwrite=True)
        again = decode(path)
        assert again.size == (width, height)
        if suffix in LOSSLESS:
            assert same(again.colours, written.colours)
            assert same(again.alpha, written.alpha)
        elif suffix == "webp" or not has_alpha:
            assert np.array_equal(again.levels(), written.levels())


def test_threads_do_not_disturb_each_other(tmp_path):
    names = [name for name in GOOD if not name.startswith(("wide", "tall"))]
    for name in names:
        GOOD[name].make(tmp_path / name)
    alone = [decode(tmp_path / name) for name in names]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(decode, [tmp_path / name for name in names]))
    for first, second in zip(alone, together, strict=True):
        assert same(first.colours, second.colours)
        assert (first.exif, first.notes) == (second.exif, second.notes)


SEEDS = [name for name in GOOD if name not in ("wide.png", "tall.tif")]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("seeds")
    for name in SEEDS:
        GOOD[name].make(folder / name)
    return {name: (folder / name).read_bytes() for name in SEEDS}


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(SEEDS),
    changes=st.lists(
        st.tuples(st.floats(0, 0.999), st.binary(min_size=0, max_size=6), st.integers(0, 8)),
        max_size=6,
    ),
    early=st.booleans(),
    end=st.sampled_from([1.0, 1.0, 0.999, 0.9, 0.5, 0.02]),
)
def test_mutated_files_give_a_photo_or_a_sentence(seeds, name, changes, early, end, tmp_path):
    data = bytearray(seeds[name])
    for where, new, gone in changes:
        at = int(where * min(len(data), 200 if early else len(data)))
        data[at : at + gone] = new
    path = tmp_path / Path(name).name
    path.write_bytes(data[: int(len(data) * end)])
    start, said = time.monotonic(), None
    try:
        photo = decode(path)
    except PhotoError as error:
        said = str(error)
    if said is None:
        assert photo.levels().shape == (*photo.size[::-1], 3)
    else:
        assert re.fullmatch(rf"{re.escape(path.name)}: [^\n]+\.", said)
    assert time.monotonic() - start < 20
