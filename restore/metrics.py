"""Scores on 8-bit photos: PSNR and SSIM against a clear reference, and sharpness without one."""

import numpy as np
from skimage.measure import blur_effect
from skimage.metrics import structural_similarity

SMALLEST = 11
"""SSIM compares windows of 11 x 11 pixels; a smaller photo has none."""


def _check(photo: np.ndarray, reference: np.ndarray) -> None:
    for array in (photo, reference):
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
            raise ValueError(
                f"Expected uint8 arrays [H, W, 3], got {array.dtype} {list(array.shape)}."
            )
    if photo.shape != reference.shape:
        (h, w), (rh, rw) = photo.shape[:2], reference.shape[:2]
        raise ValueError(
            f"The photo is {w} x {h} pixels and its clear reference {rw} x {rh}: "
            "they must be of the same size to be compared."
        )


def psnr(photo: np.ndarray, reference: np.ndarray) -> float:
    """Peak signal-to-noise ratio over RGB in dB: 10 log10(255^2 / mean squared error).

    Both uint8 [H, W, 3]; infinite for identical photos. Raises ValueError.

    >>> round(psnr(np.full((8, 8, 3), 100, np.uint8), np.full((8, 8, 3), 110, np.uint8)), 2)
    28.13
    """
    _check(photo, reference)
    error = np.mean((photo.astype(np.float64) - reference) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(photo: np.ndarray, reference: np.ndarray) -> float:
    """Structural similarity, mean over RGB, Gaussian window 11 x 11 of sigma 1.5; 1 is identical.

    Wang et al., 2004, https://doi.org/10.1109/TIP.2003.819861, as papers on restoration compute it.
    Both uint8 [H, W, 3] with sides of at least 11 pixels. Raises ValueError.
    """
    _check(photo, reference)
    if min(photo.shape[:2]) < SMALLEST:
        raise ValueError(f"SSIM needs at least {SMALLEST} x {SMALLEST} pixels.")
    return float(
        structural_similarity(
            reference,
            photo,
            channel_axis=-1,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def sharpness(photo: np.ndarray) -> float:
    """How sharp a photo looks, 0 (blurred) to 1 (sharp), without a reference.

    One minus the blur metric of Crete et al., 2007, https://hal.science/hal-00232709, over the
    central 1,024 x 1,024 pixels. It says how sharp the photo is, not how good: noise counts as
    sharpness too. uint8 [H, W, 3] with sides of at least 11 pixels. Raises ValueError.
    """
    height, width = photo.shape[:2]
    if min(height, width) < SMALLEST:
        raise ValueError(f"Sharpness needs at least {SMALLEST} x {SMALLEST} pixels.")
    top, left = max(0, (height - 1024) // 2), max(0, (width - 1024) // 2)
    return 1 - float(blur_effect(photo[top : top + 1024, left : left + 1024], channel_axis=-1))
