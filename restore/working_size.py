"""Restoring at half or quarter size what is blurred wider than a network can see."""

import numpy as np
from PIL import Image


def choose_scale(pixels: np.ndarray) -> float:
    return 1.0


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
