"""From photo to photo, with the real weights."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from restore import MODELS, Restorer, load
from restore.engine import DeviceError, free_memory
from restore.metrics import psnr
from restore.restorer import TILE_BYTES
from restore.weights import load_model

names = pytest.mark.parametrize("name", MODELS)
UNHARMED = {"unet-512": 39, "unet-1024": 40, "cnn": 36, "gan": 39}
"""How near the cat must come back, in dB: its ears and what is behind it are out of focus."""
MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16"]


@pytest.fixture(scope="module")
def small():
    """The quickest restorer, for what does not depend on the model."""
    return load("cnn")


@names
def test_the_studys_blur_is_undone(name, clear, blurred):
    restored = load(name).restore(blurred)
    assert psnr(restored, clear) > psnr(blurred, clear) + 0.5


@names
def test_a_sharp_photo_is_not_harmed(name, clear):
    assert psnr(load(name).restore(clear), clear) > UNHARMED[name]


@names
def test_brightness_does_not_shift(name, blurred):
    restored = load(name).restore(blurred)
    assert np.abs(restored.mean((0, 1)) - blurred.mean((0, 1))).max() < 0.5


@names
def test_deterministic(name, blurred):
    restorer = load(name)
    assert np.array_equal(restorer.restore(blurred[:70, :90]), restorer.restore(blurred[:70, :90]))


@names
def test_tiles_equal_the_whole_photo(name, blurred):
    """At most one level apart on 99.9 % of the values, nowhere more than three."""
    restorer = Restorer(name, load_model(name), torch.device("cpu"), torch.float32)
    assert len(restorer.plan(*blurred.shape[:2])) == 1
    whole = restorer.restore(blurred).astype(int)
    restorer.tile = (96 + 2 * restorer.spec.context) ** 2
    assert len(restorer.plan(*blurred.shape[:2])) >= 9
    difference = np.abs(restorer.restore(blurred) - whole)
    assert (difference <= 1).mean() >= 0.999
    assert difference.max() <= 3


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (15, 17), (31, 65), (300, 451)])
@names
def test_any_size(name, size, blurred):
    photo = np.ascontiguousarray(np.resize(blurred, (*size, 3)))
    restored = load(name).restore(photo)
    assert restored.shape == photo.shape
    assert restored.dtype == np.uint8


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    mode=st.sampled_from(MODES),
    tile=st.sampled_from([64**2, 208**2, 2000**2]),
)
def test_any_mode_and_size_come_back_the_same(height, width, mode, tile):
    restorer = load_once()
    restorer.tile = tile
    rng = np.random.default_rng(height * 100 + width)
    if mode == "I;16":
        photo = Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.uint16))
    else:
        colours = rng.integers(0, 256, (height, width, 4), dtype=np.uint8)
        photo = Image.fromarray(colours)
        photo = (
            photo.convert("RGB").convert(mode)
            if mode not in ("LA", "RGBA")
            else photo.convert(mode)
        )
    restored = restorer.restore(photo)
    assert (restored.mode, restored.size) == (photo.mode, photo.size)
    if mode in ("LA", "RGBA"):
        assert restored.getchannel("A").tobytes() == photo.getchannel("A").tobytes()


def load_once(cache=[]):  # noqa: B006 - hypothesis takes no module fixtures
    return cache[0] if cache else cache.append(load("gan")) or cache[0]


@names
def test_grey_photos_get_no_colour(name, blurred):
    grey = np.asarray(Image.fromarray(blurred).convert("L"))
    restorer = load(name)
    as_colour = restorer.restore(np.repeat(grey[..., None], 3, -1))
    assert (as_colour == as_colour[..., :1]).all()
    assert np.array_equal(restorer.restore(grey), as_colour[..., 0])


def test_sixteen_bits_are_kept(small, blurred):
    grey = np.asarray(Image.fromarray(blurred).convert("L"))
    deep = grey.astype(np.uint16) * 257
    restored = small.restore(deep)
    assert restored.dtype == np.uint16
    assert len(np.unique(restored)) > 256
    assert np.abs(restored / 257 - small.restore(grey)).max() < 0.51


def test_array_with_alpha(small, blurred):
    alpha = np.arange(blurred[..., 0].size).reshape(blurred.shape[:2]).astype(np.uint8)
    alpha = np.maximum(alpha, 1)  # nothing is hidden, so all is restored
    restored = small.restore(np.dstack([blurred, alpha]))
    assert np.array_equal(restored[..., 3], alpha)
    assert np.array_equal(restored[..., :3], small.restore(blurred))


def test_array_and_image_give_the_same(small, blurred):
    assert np.array_equal(small.restore(Image.fromarray(blurred)), small.restore(blurred))


def test_progress_rises_to_one(blurred):
    restorer, seen = load("cnn"), []
    restorer.tile = 160**2
    restorer.restore(blurred, seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 4
    assert seen[-1] == 1


def test_what_progress_raises_ends_the_work_and_nothing_else(blurred):
    class CancelError(Exception):
        pass

    def cancel(share):
        if share:
            raise CancelError

    restorer = load("cnn")
    whole, restorer.tile = restorer.restore(blurred), 160**2
    with pytest.raises(CancelError):
        restorer.restore(blurred, cancel)
    assert np.abs(restorer.restore(blurred).astype(int) - whole).max() <= 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
    ids=["cuda", "python", "cpu"],
)
def test_running_out_of_memory_halves_the_tiles(blurred, monkeypatch, error):
    restorer = load("cnn")
    whole, engine, asked = restorer.restore(blurred), restorer.engine, []

    def cramped(x):
        asked.append(x.shape[-1] * x.shape[-2])
        if asked[-1] > 40_000:
            raise error
        return engine(x)

    cramped.precision = engine.precision
    monkeypatch.setattr(restorer, "engine", cramped)
    assert np.abs(restorer.restore(blurred).astype(int) - whole).max() <= 1
    failed = [area for area in asked if area > 40_000]
    assert all(b <= a / 2 for a, b in pairwise(failed))
    done = len(asked)
    restorer.restore(blurred)
    assert max(asked[done:]) <= 40_000  # it remembers


def test_too_little_memory_is_said(blurred, monkeypatch):
    def hopeless(x):
        raise torch.OutOfMemoryError

    restorer = load("cnn")
    hopeless.precision = torch.float32
    monkeypatch.setattr(restorer, "engine", hopeless)
    with pytest.raises(MemoryError, match="does not fit"):
        restorer.restore(blurred)


def test_other_errors_come_through(blurred, monkeypatch):
    def broken(x):
        raise RuntimeError("something else")

    restorer = load("cnn")
    broken.precision = torch.float32
    monkeypatch.setattr(restorer, "engine", broken)
    with pytest.raises(RuntimeError, match="something else"):
        restorer.restore(blurred)


def test_tiles_fit_into_the_memory_that_is_free(small, monkeypatch):
    """A photo of 48 megapixels with unet-1024: little memory, small tiles; never over the limit."""
    restorer = Restorer("unet-1024", torch.nn.Identity(), torch.device("cpu"), torch.float32)

    def largest(free):
        monkeypatch.setattr("restore.restorer.free_memory", lambda device: free)
        read = [(r.high - r.low) * (c.high - c.low) for r, c in restorer.plan(6000, 8000)]
        return max(read) * restorer.spec.alive * 4

    assert largest(10**9) <= 6 * 10**8
    assert 10**9 < largest(10**11) <= TILE_BYTES


def test_free_memory_is_below_the_limit_of_the_container(tmp_path, monkeypatch):
    free = free_memory(torch.device("cpu"))
    assert 2**20 < free < 2**45
    (tmp_path / "max").write_text("1000000\n")
    (tmp_path / "current").write_text("400000\n")
    monkeypatch.setattr("restore.engine.CGROUPS", ((tmp_path / "max", tmp_path / "current"),))
    assert free_memory(torch.device("cpu")) == 600_000
    (tmp_path / "max").write_text("max\n")
    assert free_memory(torch.device("cpu")) > 600_000


def test_two_threads_share_a_restorer(small, blurred):
    photos = [np.ascontiguousarray(blurred[y : y + 90, :100]) for y in (0, 50, 100, 150)]
    expected = [small.restore(photo) for photo in photos]
    with ThreadPoolExecutor(2) as pool:
        for got, alone in zip(pool.map(small.restore, photos), expected, strict=True):
            assert np.array_equal(got, alone)


def test_wrong_scale(small, blurred):
    with pytest.raises(ValueError, match="scale is"):
        small.restore(blurred, scale=0.3)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_wrong_shape(small, wrong):
    with pytest.raises(ValueError, match="Expected an array"):
        small.restore(wrong)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), "photo.jpg", None])
def test_wrong_type(small, wrong):
    with pytest.raises(TypeError, match="Expected a PIL image or"):
        small.restore(wrong)


def test_unknown_device():
    with pytest.raises(DeviceError, match="Choose one of: auto"):
        load("cnn", device="abacus")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@names
def test_gpu_agrees_with_the_cpu(name, blurred):
    gpu, cpu = (load(name, device=device).restore(blurred) for device in ("cuda", "cpu"))
    assert psnr(gpu, cpu) > 45
