"""The distortions of training."""

import dataclasses

import numpy as np
import pytest
import torch

from restore.distort import distort, overexpose, resample, sharpen, to_linear
from train.mixture import CAMERA, STUDY, Mixture


def floats(tiled, count: int) -> torch.Tensor:
    return torch.from_numpy(np.load(tiled / "train.npy")[:count]).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize("mixture", [Mixture(), CAMERA])
def test_mixture_is_deterministic_and_mixed(mixture, tiled):
    clear = floats(tiled, 32)
    first = mixture(clear, torch.Generator().manual_seed(1))
    assert torch.equal(first, mixture(clear, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, mixture(clear, torch.Generator().manual_seed(2)))
    assert first.shape == clear.shape
    assert 0 <= first.min() < first.max() <= 1
    assert torch.allclose(first * 255, (first * 255).round(), atol=1e-3)
    untouched = (first == clear).flatten(1).all(1).sum()
    assert untouched < 16


def test_processes_see_what_one_would(tiled):
    clear = floats(tiled, 12)
    plan = CAMERA.draw(12, 128, torch.Generator().manual_seed(3))
    shares = [plan.share(rank, 2)(clear[rank::2]) for rank in range(2)]
    assert torch.equal(torch.stack(shares, 1).flatten(0, 1), plan(clear))


NOTHING = {"gaussian": 0, "disk": 0, "motion": 0, "shake": 0, "linear": 0, "noisy": 0, "jpeg": 0}


def test_nothing_at_all_is_nothing(tiled):
    clear = floats(tiled, 8)
    alone = Mixture(**{**NOTHING, "noisy": 1, "jpeg": 1}, clear=1, study=0, untouched=1)
    assert torch.allclose(alone(clear, torch.Generator().manual_seed(0)), clear, atol=1e-4)


def test_blur_that_varies_leaves_one_side_sharper(tiled):
    clear = floats(tiled, 32)
    mixture = Mixture(**{**NOTHING, "gaussian": 1}, clear=0, study=0, varying=1)
    plan = mixture.draw(32, 128, torch.Generator().manual_seed(0))
    even, varied = (
        (dataclasses.replace(plan, varying=plan.varying & on)(clear) - clear).abs()
        for on in (False, True)
    )
    near = (plan.mask > 0.999).expand_as(even)
    assert near.any()
    assert torch.allclose(varied[near], even[near], atol=1.01 / 255)
    assert not torch.allclose(varied[~near], even[~near], atol=4 / 255)


def test_noise_of_a_sensor_grows_with_the_light(tiled):
    grey = torch.linspace(0.2, 0.9, 8)[:, None, None, None].expand(8, 3, 128, 128)
    mixture = Mixture(**{**NOTHING, "noisy": 1}, clear=1, study=0, sensor=1)
    plan = mixture.draw(8, 128, torch.Generator().manual_seed(0))
    noisy = dataclasses.replace(plan, sigma=torch.full((8,), 0.02))(grey)
    light = to_linear(noisy).std((1, 2, 3))
    assert (light.diff() > 0).all()


def test_the_studys_share_is_exactly_the_studys_blur(tiled):
    clear = floats(tiled, 4)
    ours = STUDY(clear, torch.Generator().manual_seed(0))
    for i in range(4):
        difference = (ours[i : i + 1] - distort(clear[i : i + 1], "study", 1)).abs() * 255
        assert difference.max() < 1.01
        assert (difference > 0.5).float().mean() < 1e-3


def test_lamps_keep_their_strength_under_blur():
    light = torch.full((1, 3, 9, 9), 0.2)
    light[..., 4, 4] = 1
    raised = overexpose(light, torch.tensor([4.0]))
    assert raised[0, 0, 4, 4].item() == pytest.approx(5)
    assert (raised == light).sum() == 3 * 80


def test_resampling_loses_detail_and_sharpening_brings_contrast(tiled):
    clear = floats(tiled, 4)
    steep = clear.diff(dim=-1).abs().mean()
    halved, crisp = resample(clear, 2.0), sharpen(clear, torch.full((4,), 0.8))
    assert halved.shape == clear.shape
    assert halved.diff(dim=-1).abs().mean() < 0.8 * steep
    assert crisp.diff(dim=-1).abs().mean() > 1.1 * steep
    assert (halved.mean() - clear.mean()).abs() < 0.01
