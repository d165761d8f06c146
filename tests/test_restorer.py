"""From photo to photo, with the real weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from restore import MODELS, load, tiling
from restore.metrics import psnr
from restore.restorer import DeviceError

names = pytest.mark.parametrize("name", MODELS)
UNHARMED = {"unet-512": 40, "unet-1024": 40, "cnn": 33, "gan": 36}
"""How near a sharp photo must come back, in dB. The CNN cannot tell that a photo is sharp."""
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
    restorer = load(name, device="cpu")
    restorer.precision = torch.float32
    whole = restorer.restore(blurred).astype(int)
    restorer.core = 96
    assert len(list(tiling.tiles(*blurred.shape[:2], 96, restorer.spec.context, 16))) > 8
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
    core=st.sampled_from([16, 48, 960]),
)
def test_any_mode_and_size_come_back_the_same(height, width, mode, core):
    restorer = load_once()
    restorer.core = core
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


def test_progress_rises_to_one(small, blurred):
    seen = []
    small.core = 128
    small.restore(blurred, seen.append)
    small.core = 960
    assert seen == sorted(seen)
    assert len(seen) > 4
    assert seen[-1] == 1


def test_running_out_of_memory_halves_the_tiles(blurred, monkeypatch):
    restorer = load("cnn")
    whole, run = restorer.restore(blurred), restorer._run

    def cramped(x):
        if x.shape[-1] > 200:
            raise torch.OutOfMemoryError
        return run(x)

    monkeypatch.setattr(restorer, "_run", cramped)
    assert np.abs(restorer.restore(blurred).astype(int) - whole).max() <= 1
    assert restorer.core < 200
    monkeypatch.setattr(restorer, "_run", lambda x: cramped(x.repeat(1, 1, 1, 99)))
    with pytest.raises(MemoryError, match="does not fit"):
        restorer.restore(blurred)


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
