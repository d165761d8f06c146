"""Scores against scikit-image."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from restore import metrics
from restore.metrics import psnr, sharpness, ssim


@pytest.fixture(params=[metrics.BAND, 451 * 21, 1], ids=["whole", "bands", "narrow bands"])
def bands(request, monkeypatch):
    """Photos are compared in one piece, and in bands of rows."""
    monkeypatch.setattr(metrics, "BAND", request.param)


@pytest.mark.usefixtures("bands")
def test_psnr_is_scikit_images(clear, blurred):
    assert psnr(blurred, clear) == pytest.approx(peak_signal_noise_ratio(clear, blurred))


@pytest.mark.usefixtures("bands")
def test_ssim_is_the_papers(clear, blurred):
    expected = structural_similarity(
        clear,
        blurred,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(blurred, clear) == pytest.approx(expected)
    assert ssim(blurred, clear) != pytest.approx(
        structural_similarity(clear, blurred, channel_axis=-1), abs=1e-4
    )


def test_identical_photos(clear):
    assert psnr(clear, clear) == float("inf")
    assert ssim(clear, clear) == pytest.approx(1)


def test_a_blurred_photo_is_less_sharp(clear, blurred):
    assert 0 < sharpness(blurred) < sharpness(clear) < 1


@pytest.mark.parametrize("score", [psnr, ssim])
def test_photos_of_different_sizes_get_a_sentence(score, clear):
    with pytest.raises(ValueError, match="must be of the same size"):
        score(clear[:-1], clear)
    with pytest.raises(ValueError, match="uint8"):
        score(clear / 255, clear / 255)


@pytest.mark.parametrize("score", [lambda x: ssim(x, x), sharpness])
def test_tiny_photos_get_a_sentence(score):
    with pytest.raises(ValueError, match="at least 11 x 11"):
        score(np.zeros((10, 50, 3), np.uint8))
