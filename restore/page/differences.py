"""Where results differ: signed maps in colour, and the spot where the models disagree most."""

import numpy as np

SCALES = (4, 8, 16, 32, 64, 128, 255)
"""What the ends of the colour scale may stand for, in levels of 255."""
DARKER, SAME, LIGHTER = (33, 102, 172), (247, 247, 247), (178, 24, 43)
"""Colours of the scale, told apart by the colour-blind too (ColorBrewer's RdBu)."""


def signed(photo: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Photo minus base, mean over RGB: uint8 [H, W, 3] twice -> float32 [H, W] in levels."""
    return photo.mean(-1, dtype=np.float32) - base.mean(-1, dtype=np.float32)


def scale_for(maps: list[np.ndarray]) -> int:
    """The smallest of SCALES that covers 99.5 % of the pixels of all maps."""
    largest = max((float(np.percentile(np.abs(one), 99.5)) for one in maps), default=0)
    return next(scale for scale in SCALES if scale >= largest)


def coloured(difference: np.ndarray, scale: int) -> np.ndarray:
    """Blue where darker, white where the same, red where lighter: [H, W] -> uint8 [H, W, 3]."""
    share = np.clip(difference / scale, -1, 1)[..., None]
    same, darker, lighter = (np.array(colour, np.float32) for colour in (SAME, DARKER, LIGHTER))
    return (same + np.abs(share) * (np.where(share < 0, darker, lighter) - same)).astype(np.uint8)


def most_different(photos: list[np.ndarray], side: int) -> tuple[slice, slice]:
    """Rows and columns of the square of `side` pixels in which the photos differ most.

    Photos are uint8 [H, W, 3] of one shape; a smaller photo gives all of itself.
    """
    grey = np.stack([photo.mean(-1, dtype=np.float32) for photo in photos])
    spread = grey.max(0) - grey.min(0)
    height, width = (min(side, length) for length in spread.shape)
    total = np.pad(spread.cumsum(0, dtype=np.float64).cumsum(1), ((1, 0), (1, 0)))
    sums = total[height:, width:] - total[:-height, width:]
    sums = sums - total[height:, :-width] + total[:-height, :-width]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return slice(int(top), int(top) + height), slice(int(left), int(left) + width)
