"""The working size: chosen by the photo, or given."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from restore import load
from restore.distort import distort
from restore.metrics import psnr
from restore.working_size import choose_scale, enlarge, shrink


def gaussian(photo, sigma):
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(sigma)))


@pytest.mark.parametrize(("sigma", "scale"), [(0, 1), (1.1, 1), (1.6, 1), (4, 0.5), (9, 0.25)])
def test_the_working_size_follows_the_blur(clear, sigma, scale):
    photo = gaussian(clear, sigma) if sigma else clear
    assert choose_scale(photo) == scale
    assert choose_scale(photo.astype(np.uint16) * 257) == scale
    assert choose_scale(photo[:40]) == 1  # too small to be judged


@pytest.mark.parametrize("angle", [0, 45, 90])
def test_motion_is_seen_though_it_blurs_one_direction_alone(clear, angle):
    x = torch.from_numpy(clear).permute(2, 0, 1)[None].float() / 255
    for length, scale in ((5, 1), (31, 0.5)):
        moved = distort(x, "motion", length, angle=angle)[0].permute(1, 2, 0)
        assert choose_scale(moved.mul(255).round().byte().numpy()) == scale, length


def test_what_has_no_gradients_or_one_direction_alone_is_left_at_full_size():
    assert choose_scale(np.full((200, 300, 3), 128, np.uint8)) == 1
    assert choose_scale(np.tile(np.arange(256, dtype=np.uint8), (200, 1))) == 1


def test_wide_blur_is_better_restored_at_a_smaller_size(clear):
    crop = np.ascontiguousarray(clear[20:276, 100:356])
    photo, restorer = gaussian(crop, 6), load("gan")
    at = {scale: psnr(restorer.restore(photo, scale=scale), crop) for scale in (1, 0.25, "auto")}
    assert at["auto"] > at[1] + 0.2
    assert at[0.25] > at[1] + 0.2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (37, 70), (65, 64, 3)])
@pytest.mark.parametrize("scale", [0.5, 0.25])
def test_a_smaller_working_size_alone_changes_nothing(dtype, size, scale):
    photo = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, size).astype(dtype)
    small = shrink(photo, scale)
    assert small.shape[0] == -int(-size[0] * scale // 1)
    assert np.array_equal(enlarge(photo, small, small), photo)
    brighter = enlarge(photo // 2, small, small + 257)
    assert np.array_equal(brighter, photo // 2 + (1 if dtype == np.uint8 else 257))
