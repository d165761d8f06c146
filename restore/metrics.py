"""Scores on 8-bit photos: PSNR and SSIM against a clear reference, and sharpness without one."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from skimage.measure import blur_effect
from skimage.metrics import structural_similarity

SMALLEST = 11
"""SSIM compares windows of 11 x 11 pixels; a smaller photo has none."""
RADIUS = SMALLEST // 2
BAND = 2**19
"""Pixels that are compared at once: a large photo need not lie in memory as floats, many times."""
WORKERS = min(4, os.cpu_count() or 1)
"""Bands in work at once."""


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

    def squares(rows: slice) -> int:
        return int(np.square(photo[rows].astype(np.int32) - reference[rows]).sum(dtype=np.int64))

    error = _total(squares, photo, 0) / max(photo.size, 1)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(photo: np.ndarray, reference: np.ndarray) -> float:
    """Structural similarity, mean over RGB, Gaussian window 11 x 11 of sigma 1.5; 1 is identical.

    Wang et al., 2004, https://doi.org/10.1109/TIP.2003.819861, as papers on restoration compute it.
    Both uint8 [H, W, 3] with sides of at least 11 pixels. Raises ValueError.
    """
    _check(photo, reference)
    if min(photo.shape[:2]) < SMALLEST:
        raise ValueError(f"SSIM needs at least {SMALLEST} x {SMALLEST} pixels.")

    def similarity(rows: slice) -> float:
        _, each = structural_similarity(
            reference[rows],
            photo[rows],
            channel_axis=-1,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        return float(each[RADIUS:-RADIUS, RADIUS:-RADIUS].sum())

    height, width, channels = photo.shape
    windows = (height - 2 * RADIUS) * (width - 2 * RADIUS) * channels
    return _total(similarity, photo, RADIUS) / windows


def _total(measure: Callable[[slice], float], photo: np.ndarray, margin: int) -> float:
    """The sum of what `measure` says of each band of rows, which overlap by twice the margin."""
    height, width = photo.shape[:2]
    step = max(BAND // max(width, 1), 4 * margin, 1)
    bands = [
        slice(top - margin, min(top + step, height - margin) + margin)
        for top in range(margin, height - margin, step)
    ]
    if len(bands) == 1:
        return measure(bands[0])
    with ThreadPoolExecutor(WORKERS) as pool:
        return sum(pool.map(measure, bands))


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
