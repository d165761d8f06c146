"""Restoring at half or quarter size what is blurred wider than a network can see."""

from typing import Literal

import numpy as np
from PIL import Image

HALF, QUARTER = 0.39, 0.285
"""Below the first ratio of gradients a photo is restored at half size, below the second at quarter
size. Chosen on validation photos with Gaussians of 1 to 7, disks of 2 to 10, motion of 5 to 41 px,
noise and JPEG, for the highest PSNR of unet-512; `python -m train scales` measures them on others.
"""
Scale = Literal["auto", "shake"] | float
WAYS: dict[str, Scale] = {"auto": "auto", "100": 1.0, "50": 0.5, "25": 0.25, "shake": "shake"}
"""The ways to go about a photo, as a person names them and as `Restorer.restore` takes them: at a
working size, or by taking camera shake out first."""
JUDGED = 1024
"""The blur is judged on the central square of at most this side, in pixels."""
SMALLEST = 64
"""Photos with a shorter side are not judged: too little is left of them at an eighth."""


def choose_scale(pixels: np.ndarray) -> float:
    """The working size that suits the blur of uint8 or uint16 [H, W] or [H, W, 3]: 1, 0.5 or 0.25.

    A sharp photo has about the same gradients per pixel at every size, for the world has detail at
    every scale; a blurred one has a quarter of their energy at twice the size. So the ratio between
    quarter and eighth size tells how far the blur reaches: from 0.25, nothing but blur, to 1,
    sharp. Motion blurs one direction alone; what counts is the geometric mean of the directions
    with the highest and the lowest ratio. Noise raises it, and so speaks for full size.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST:
        return 1.0
    top, left = max(0, (height - JUDGED) // 2), max(0, (width - JUDGED) // 2)
    plane = pixels[top : top + JUDGED, left : left + JUDGED].astype(np.float32)
    plane = plane.mean(-1) if plane.ndim == 3 else plane
    height, width = plane.shape
    quarter, eighth = (_spread(_resize(plane, width // n, height // n)) for n in (4, 8))
    if not (quarter and eighth):
        return 1.0
    ratio = np.sqrt(quarter / eighth)
    return 1.0 if ratio >= HALF else 0.25 if ratio < QUARTER else 0.5


def _spread(plane: np.ndarray) -> float:
    """Determinant of the structure tensor, the mean of gradient times its transpose.

    The ratio of two of them is the product of the highest and the lowest ratio of energies in any
    direction: of their generalised eigenvalues. It is 0 where all gradients have one direction,
    which says nothing of the others.
    """
    across = (np.diff(plane[1:], axis=1) + np.diff(plane[:-1], axis=1)) / 2
    down = (np.diff(plane[:, 1:], axis=0) + np.diff(plane[:, :-1], axis=0)) / 2
    x, y, xy = (float(one.mean()) for one in (across**2, down**2, across * down))
    spread = x * y - xy**2
    return spread if spread > 1e-6 * (x + y) ** 2 else 0.0


def _resize(plane: np.ndarray, width: int, height: int) -> np.ndarray:
    """float32 [H, W] -> [height, width]; bicubic, over wider windows when it shrinks."""
    return np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))


def shrink(pixels: np.ndarray, scale: float) -> np.ndarray:
    """uint8 or uint16 [H, W] or [H, W, 3] -> uint16 of `scale` times the sides, rounded up."""
    height, width = (-int(-side * scale // 1) for side in pixels.shape[:2])
    small = np.empty((height, width, *pixels.shape[2:]), np.uint16)
    factor = 257 if pixels.dtype == np.uint8 else 1
    for c in np.ndindex(*pixels.shape[2:]):
        plane = _resize(pixels[..., *c].astype(np.float32) * factor, width, height)
        small[..., *c] = plane.round().clip(0, 65535)
    return small


def enlarge(pixels: np.ndarray, small: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """Add to a photo what was changed in its `small` version: the same shape and dtype.

    `small` is what `shrink` made of it, `restored` the same, restored.
    """
    height, width = pixels.shape[:2]
    top, factor = (255, 257) if pixels.dtype == np.uint8 else (65535, 1)
    result = np.empty_like(pixels)
    for c in np.ndindex(*pixels.shape[2:]):
        change = (restored[..., *c].astype(np.float32) - small[..., *c]) / factor
        plane = pixels[..., *c] + _resize(change, width, height)
        result[..., *c] = plane.round().clip(0, top)
    return result
