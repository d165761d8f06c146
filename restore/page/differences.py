"""Where results differ: signed maps in colour, and the spot where the models disagree most."""

import numpy as np
from scipy.ndimage import uniform_filter

from .work import in_bands

SCALES = (4, 8, 16, 32, 64, 128, 255)
"""What the ends of the colour scale may stand for, in levels of 255."""
DARKER, SAME, LIGHTER = (33, 102, 172), (247, 247, 247), (178, 24, 43)
"""Colours of the scale, told apart by the colour-blind too (ColorBrewer's RdBu)."""
MOST = 3 * 255
"""By which a pixel can differ at most, summed over RGB."""


def signed(photo: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Photo minus base, in thirds of levels: uint8 [H, W, 3] twice, summed -> int16 [H, W]."""
    return photo.sum(-1, dtype=np.int16) - base.sum(-1, dtype=np.int16)


def scale_for(maps: list[np.ndarray]) -> int:
    """The smallest of SCALES that covers 99.5 % of the pixels of each map."""
    largest = 0.0
    for one in maps:
        counts = np.zeros(MOST + 1, np.int64)
        for (part,) in in_bands(one):
            counts += np.bincount(np.abs(part).ravel(), minlength=MOST + 1)
        largest = max(largest, np.searchsorted(counts.cumsum(), 0.995 * one.size) / 3)
    return next(scale for scale in SCALES if scale >= largest)


def coloured(difference: np.ndarray, scale: int) -> np.ndarray:
    """Blue where darker, white where the same, red where lighter: int16 -> uint8 [H, W, 3]."""
    share = np.clip(np.arange(-MOST, MOST + 1)[:, None] / 3 / scale, -1, 1)
    same, darker, lighter = map(np.array, (SAME, DARKER, LIGHTER))
    colours = same + np.abs(share) * (np.where(share < 0, darker, lighter) - same)
    drawn = np.empty((*difference.shape, 3), np.uint8)
    for part, to in in_bands(difference, drawn):
        to[...] = colours.astype(np.uint8)[part + MOST]
    return drawn


def most_different(photos: list[np.ndarray], side: int) -> tuple[slice, slice]:
    """Rows and columns of the square of `side` pixels in which the photos differ most.

    Photos are uint8 [H, W, 3] of one shape; a smaller photo gives all of itself.
    """
    low = high = photos[0].sum(-1, dtype=np.int16)
    for photo in photos[1:]:
        one = photo.sum(-1, dtype=np.int16)
        low, high = np.minimum(low, one), np.maximum(high, one)
    spread = (high - low).astype(np.float32)
    height, width = (min(side, length) for length in spread.shape)
    means = uniform_filter(spread, (height, width))
    top, left = height // 2, width // 2  # of the first square whose middle has all of it inside
    inside = means[top : top + len(spread) - height + 1, left : left + spread.shape[1] - width + 1]
    top, left = map(int, np.unravel_index(int(inside.argmax()), inside.shape))
    return slice(top, top + height), slice(left, left + width)
