"""Camera shake: found in the photo alone, taken out, and left alone where there is none."""

import json

import h5py
import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from PIL import Image

from restore import load
from restore.deconvolution import blurred, centre, deconvolve, find_kernel, unlikely
from restore.distort import add_noise, blur, motion_kernel, shake_kernel
from restore.metrics import psnr
from restore.photo import Photo, decode
from restore.restorer import NOT_STEADIED, STEADIED
from restore.steady import SEARCHES, SIDE, find, steady
from train import report, shake
from train.suites import EvaluationError, Suite, shaken


def planes(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(photo).permute(2, 0, 1).float() / 255


def levels(x: torch.Tensor) -> np.ndarray:
    return (x.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def shake_it(photo: np.ndarray, kernel: torch.Tensor, noise: float = 1.0) -> np.ndarray:
    generator = torch.Generator().manual_seed(0)
    x = blur(planes(photo)[None], kernel)
    return levels(add_noise(x, torch.tensor([noise / 255]), generator)[0])


STRAIGHT = motion_kernel(torch.tensor([15.0]), torch.tensor([0.5]))
CURVED = shake_kernel(torch.tensor([20.0]), torch.Generator().manual_seed(1))


def likeness(found: torch.Tensor, true: torch.Tensor) -> float:
    """Normalised correlation at the best of all moves, 1 for the same kernel."""
    spectra = [torch.fft.rfft2(kernel, s=(96, 96)) for kernel in (found, true)]
    match = torch.fft.irfft2(spectra[0] * spectra[1].conj(), s=(96, 96)).max()
    return float(match / (found.norm() * true.norm()))


@pytest.fixture(scope="module")
def clear() -> np.ndarray:
    """A clear photo with edges in all directions, uint8 [358, 448, 3]."""
    return decode(EXAMPLES / "boats.jpg").levels()


KERNELS = pytest.mark.parametrize("true", [STRAIGHT, CURVED], ids=["straight", "curved"])


@KERNELS
@pytest.mark.parametrize(("reach", "sparsity"), SEARCHES)
def test_the_kernel_is_found_in_the_photo_alone(clear, true, reach, sparsity):
    found = find_kernel(planes(shake_it(clear, true)).mean(0), reach, sparsity)
    assert found.shape == (reach, reach)
    assert float(found.min()) >= 0
    assert float(found.sum()) == pytest.approx(1, abs=1e-5)
    assert likeness(found, true[0]) > 0.7


@KERNELS
def test_of_several_kernels_the_likely_one_is_taken(clear, true, monkeypatch):
    photo = planes(shake_it(clear, true))
    kernels = {5: STRAIGHT[0], 7: CURVED[0]}
    monkeypatch.setattr("restore.steady.SEARCHES", tuple((reach, 5e-3) for reach in kernels))
    monkeypatch.setattr(
        "restore.steady.find_kernel", lambda plane, reach, sparsity, progress: kernels[reach]
    )
    assert torch.equal(find(photo, photo).kernel, true[0])


def test_a_grey_photo_shows_its_kernel_and_a_flat_one_none(clear):
    grey = planes(shake_it(clear, CURVED)).mean(0, keepdim=True)
    assert likeness(find(grey, grey).kernel, CURVED[0]) > 0.7
    flat = torch.full((1, 200, 300), 0.4)
    assert float(find(flat, flat).kernel.sum()) == pytest.approx(1)


@KERNELS
def test_a_photo_is_likelier_than_what_a_wrong_kernel_or_none_makes_of_it(clear, true):
    plane = planes(shake_it(clear, true)).mean(0)
    wrong = (CURVED if true is STRAIGHT else STRAIGHT)[0]
    good, bad = (deconvolve(plane, kernel, 700)[0] for kernel in (true[0], wrong))
    best = unlikely(good, plane, true[0])
    assert best < unlikely(bad, plane, wrong)
    assert best < unlikely(plane, plane, true[0])


def test_the_true_kernel_gives_the_photo_back(clear):
    photo = shake_it(clear, STRAIGHT)
    clearer = torch.stack([deconvolve(plane, STRAIGHT[0], 2000)[0] for plane in planes(photo)])
    assert psnr(levels(clearer), clear) > psnr(photo, clear) + 3


def test_a_kernel_off_its_centre_does_not_move_the_photo(clear):
    photo = planes(shake_it(clear, STRAIGHT))[1]
    moved = torch.nn.functional.pad(STRAIGHT[0], (4, 4, 4, 4)).roll((1, 3), (0, 1))
    moved = (moved + moved.roll(1, 1)) / 2
    assert centre(moved) == pytest.approx((1, 3.5), abs=1e-3)
    again, there = (blurred(photo, kernel) for kernel in (STRAIGHT[0], moved))
    assert float((again - there).abs().mean()) < 1 / 255
    results = [deconvolve(photo, kernel, 125)[0] for kernel in (STRAIGHT[0], moved)]
    assert psnr(*(levels(one.expand(3, -1, -1)) for one in results)) > 40


@pytest.mark.parametrize(
    ("true", "gain"), [(STRAIGHT, 0.8), (CURVED, 4)], ids=["straight", "curved"]
)
def test_shake_is_taken_out_and_said_so(clear, true, gain):
    photo, restorer = shake_it(clear, true), load("unet-512")
    auto = restorer.restore(photo)
    found = restorer.restore(Photo(photo, notes=("It is JPEG, not PNG.",)), scale="shake")
    assert found.notes == ("It is JPEG, not PNG.", STEADIED)
    assert psnr(found.colours, clear) > psnr(auto, clear) + gain


@pytest.mark.parametrize("kind", ["clear", "study", "flat", "small"])
def test_what_is_not_shaken_is_restored_as_by_auto(clear, blurred, kind):
    photo = {
        "clear": clear,
        "study": blurred,
        "flat": np.full((200, 300, 3), 90, np.uint8),
        "small": shake_it(clear, STRAIGHT)[:100],
    }[kind]
    restorer = load("cnn")
    found = restorer.restore(Photo(photo), scale="shake")
    assert found.notes == (NOT_STEADIED,)
    assert np.array_equal(found.colours, restorer.restore(photo))


def test_grey_and_16_bits_stay_what_they_are(clear):
    photo, restorer = shake_it(clear, STRAIGHT), load("cnn")
    grey = Image.fromarray(photo).convert("L")
    steadied = restorer.restore(grey, scale="shake")
    assert (steadied.mode, steadied.size) == ("L", grey.size)
    truth = np.asarray(Image.fromarray(clear).convert("L"))
    before, after = (np.repeat(np.asarray(one)[..., None], 3, -1) for one in (grey, steadied))
    truth = np.repeat(truth[..., None], 3, -1)
    assert psnr(after, truth) > psnr(before, truth) + 1
    deep = restorer.restore(photo.astype(np.uint16) * 257, scale="shake")
    assert deep.dtype == np.uint16
    eight = restorer.restore(photo, scale="shake")
    assert np.abs(deep / 257 - eight).mean() < 1


def test_a_large_photo_is_worked_on_at_half_its_size(clear):
    image = Image.fromarray(clear)
    large = np.array(image.resize((SIDE + 200, 816), Image.Resampling.BICUBIC))
    photo = shake_it(large, motion_kernel(torch.tensor([34.0]), torch.tensor([0.5])))
    found = steady(photo, photo, lambda share: None)
    assert found.shape == photo.shape
    assert psnr(found, large) > psnr(photo, large) + 2


def test_progress_rises_to_the_end_and_can_end_the_work(clear):
    photo, restorer = shake_it(clear, STRAIGHT), load("cnn")
    shares: list[float] = []
    restorer.restore(photo, shares.append, "shake")
    assert shares == sorted(shares)
    assert shares[-1] == 1

    def stop(share: float) -> None:
        if share > 0.6:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        restorer.restore(photo, stop, "shake")


@pytest.fixture
def levin(tmp_path):
    """A file like Levin09.mat, of one kernel that is off its centre."""
    kernel = torch.nn.functional.pad(STRAIGHT[0], (6, 0, 6, 0)).numpy()
    with h5py.File(tmp_path / "levin.mat", "w") as file:
        file["one"] = kernel.T
        file["kernels"] = np.array([[file["one"].ref]], dtype=h5py.ref_dtype)
    return tmp_path / "levin.mat"


def test_what_it_brings_is_measured_written_and_shown(clear, levin, tmp_path, monkeypatch):
    Image.fromarray(clear).save(tmp_path / "photo.png")
    blurs = (
        Suite("shaken", "", shaken, (1, 1), needs_levin=True),
        Suite("not blurred", ""),
    )
    monkeypatch.setattr(shake, "BLURS", blurs)
    out = tmp_path / "shake.json"
    moved, sharp = shake.shake("cnn", [tmp_path / "photo.png"], levin, out)
    assert moved.shake > moved.auto + 1  # centred: the photo is not moved
    assert (moved.found, sharp.found) == (1, 0)
    assert sharp.shake == sharp.auto
    assert sharp.worst == 0
    found = json.loads(out.read_text())
    head, first, _ = report._lines(shake.table(found["rows"]))
    assert head[1:] == ["input", "auto", "shake", "found in", "worst"]
    assert first[4] == "1 of 1"
    with pytest.raises(EvaluationError, match="does not exist"):
        shake.shake("cnn", [tmp_path / "none"], levin, out)


def test_alpha_and_grey_stay_when_shake_is_taken_out(clear):
    grey = Image.fromarray(shake_it(clear, STRAIGHT)).convert("L")
    alpha = np.full(grey.size[::-1], 255, np.uint8)
    alpha[:40, :60] = 0
    given = Image.merge("LA", (grey, Image.fromarray(alpha)))
    found = load("cnn").restore(given, scale="shake")
    assert (found.mode, found.size) == ("LA", given.size)
    assert np.array_equal(np.asarray(found)[..., 1], alpha)
    before, after = (np.asarray(one)[..., 0] for one in (given, found))
    assert np.array_equal(after[alpha == 0], before[alpha == 0])
    assert not np.array_equal(after[alpha > 0], before[alpha > 0])
