"""Distortions against closed forms and against scipy."""

import numpy as np
import pytest
import torch
from scipy import ndimage, signal

from restore import distort as d


def tensor(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255


def test_study_kernel_is_the_measured_one():
    row = d.study_kernel()[0, 2].numpy()
    assert np.allclose(row, [0.026, 0.090, 0.138, 0.090, 0.026], atol=0.002)
    one_axis = d.study_kernel()[0].sum(0).numpy()
    assert np.allclose(one_axis, [0.0708, 0.2445, 0.3694, 0.2445, 0.0708], atol=1e-3)


@pytest.mark.parametrize(
    "kernel",
    [
        d.study_kernel(),
        d.gaussian_kernel(torch.tensor([0.5, 3.0])),
        d.gaussian_kernel(torch.tensor([2.0]), aspect=torch.tensor([0.5]), angle=torch.ones(1)),
        d.disk_kernel(torch.tensor([0.5, 4.3])),
        d.motion_kernel(torch.tensor([1.0, 21.0]), torch.tensor([0.3, 2.0])),
        d.shake_kernel(torch.tensor([5.0, 20.0]), torch.Generator().manual_seed(0)),
    ],
)
def test_kernels_sum_to_one_and_are_not_negative(kernel):
    assert kernel.shape[-1] % 2 == 1
    assert torch.allclose(kernel.sum((-2, -1)), torch.ones(len(kernel)), atol=1e-5)
    assert (kernel >= 0).all()


def test_gaussian_has_its_deviation():
    kernel = d.gaussian_kernel(torch.tensor([2.0]))[0].numpy()
    axis = np.arange(len(kernel)) - len(kernel) // 2
    assert np.sqrt((kernel.sum(0) * axis**2).sum()) == pytest.approx(2.0, abs=0.02)


def test_disk_has_the_area_of_its_radius():
    kernel = d.disk_kernel(torch.tensor([4.0]))[0]
    assert 1 / kernel.max().item() == pytest.approx(np.pi * 4**2, rel=0.02)


def test_horizontal_motion_is_a_box():
    kernel = d.motion_kernel(torch.tensor([7.0]), torch.tensor([0.0]))[0]
    middle = kernel.shape[0] // 2
    assert kernel[middle].sum() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(
        kernel[middle, middle - 2 : middle + 3], torch.full((5,), 1 / 7), atol=5e-3
    )


def test_motion_angle_turns_it():
    across = d.motion_kernel(torch.tensor([9.0]), torch.tensor([0.0]))[0]
    upright = d.motion_kernel(torch.tensor([9.0]), torch.tensor([torch.pi / 2]))[0]
    assert torch.allclose(across.T, upright, atol=1e-4)


def test_blur_is_convolution_with_reflected_borders(clear):
    kernel = d.shake_kernel(torch.tensor([11.0]), torch.Generator().manual_seed(3))
    ours = d.blur(tensor(clear), kernel)[0].permute(1, 2, 0).numpy()
    expected = ndimage.convolve(clear / 255, kernel[0].numpy()[..., None], mode="mirror")
    assert np.abs(ours - expected).max() < 1e-5


def test_blur_of_a_photo_smaller_than_its_kernel():
    x = torch.rand(1, 3, 4, 3)
    kernel = d.gaussian_kernel(torch.tensor([3.0]))
    padded = np.pad(x[0, 0].numpy(), kernel.shape[-1] // 2, mode="reflect")
    expected = signal.convolve2d(padded, kernel[0].numpy(), mode="valid")
    assert np.abs(d.blur(x, kernel)[0, 0].numpy() - expected).max() < 1e-5


def test_each_photo_of_a_batch_gets_its_own_kernel(clear):
    x = tensor(clear)[..., :64, :64]
    kernels = d.gaussian_kernel(torch.tensor([1.0, 2.5]))
    both = d.blur(x.expand(2, -1, -1, -1), kernels)
    for i in range(2):
        assert torch.allclose(both[i : i + 1], d.blur(x, kernels[i : i + 1]), atol=1e-6)


def test_noise_has_its_deviation():
    x = torch.full((1, 3, 256, 256), 0.5)
    noisy = d.add_noise(x, torch.tensor([8 / 255]), torch.Generator().manual_seed(0))
    assert noisy.std().item() * 255 == pytest.approx(8, rel=0.01)


def test_linear_light_round_trip():
    levels = torch.linspace(0, 1, 256)
    assert torch.allclose(d.from_linear(d.to_linear(levels)), levels, atol=1e-5)
    assert d.to_linear(torch.tensor(0.5)).item() == pytest.approx(0.21404, abs=1e-4)


@pytest.mark.parametrize("kind", d.DISTORTIONS)
def test_same_seed_same_result(kind, clear):
    x, strength = tensor(clear), d.DISTORTIONS[kind].default
    first = d.distort(x, kind, strength, seed=5)
    assert torch.equal(first, d.distort(x, kind, strength, seed=5))
    assert first.shape == x.shape
    assert torch.equal(first, d.quantise(first))


@pytest.mark.parametrize("kind", ["motion", "shake", "noise"])
def test_another_seed_another_result(kind, clear):
    x = tensor(clear)
    assert not torch.equal(d.distort(x, kind, 9, seed=1), d.distort(x, kind, 9, seed=2))


@pytest.mark.parametrize("kind", ["study", "gaussian", "defocus", "motion", "shake", "noise"])
def test_stronger_is_further_from_the_photo(kind, clear):
    x, spec = tensor(clear), d.DISTORTIONS[kind]
    errors = [
        (d.distort(x, kind, strength) - x).square().mean().item()
        for strength in np.linspace(max(spec.low, 1), spec.high, 5)
    ]
    assert errors == sorted(errors)
    assert errors[0] < errors[-1]


def test_jpeg_of_lower_quality_is_worse(clear):
    x = tensor(clear)
    errors = [(d.distort(x, "jpeg", q) - x).square().mean().item() for q in (95, 50, 10)]
    assert errors == sorted(errors)


@pytest.mark.parametrize(("kind", "strength"), [("smear", 1), ("gaussian", 99), ("jpeg", 0)])
def test_a_wrong_call_gets_a_sentence(kind, strength):
    with pytest.raises(ValueError, match=r"\.$"):
        d.distort(torch.rand(1, 3, 16, 16), kind, strength)


def test_an_angle_turns_a_motion_and_leaves_nothing_to_the_seed(clear):
    x = tensor(clear)[..., :64, :64]
    upright = d.distort(x, "motion", 15, seed=1, angle=90)
    assert torch.equal(upright, d.distort(x, "motion", 15, seed=2, angle=90))
    turned = d.distort(x.transpose(-1, -2), "motion", 15, angle=0).transpose(-1, -2)
    assert (upright - turned).abs().max() < 2 / 255
    assert d.draw_kernel("motion", 15, angle=90)[0].sum(0).max() > 0.99, "one column holds it all"


@pytest.mark.parametrize("kind", d.DISTORTIONS)
def test_the_kernel_shown_is_the_one_applied(kind):
    spec, spot = d.DISTORTIONS[kind], torch.zeros(1, 3, 65, 65)
    spot[..., 32, 32] = 1
    kernel = d.draw_kernel(kind, spec.default, seed=3)
    if kernel is None:
        assert kind in ("noise", "jpeg")
        return
    half = kernel.shape[-1] // 2
    seen = d.distort(spot, kind, spec.default, seed=3)[0, 0]
    seen = seen[32 - half : 33 + half, 32 - half : 33 + half]
    assert torch.allclose(seen, kernel[0], atol=0.6 / 255)


def test_the_study_s_blur_several_times_is_wider():
    kernel = d.draw_kernel("study", 3)
    assert kernel.shape == (1, 13, 13)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("seed", "angle", "sentence"),
    [(-1, None, "seed"), (0.5, None, "seed"), (None, None, "seed"), (0, 181, "angle")],
)
def test_a_wrong_seed_or_angle_gets_a_sentence(seed, angle, sentence):
    with pytest.raises(ValueError, match=rf"^The {sentence} must .*\.$"):
        d.distort(torch.rand(1, 3, 16, 16), "motion", 5, seed, angle)
