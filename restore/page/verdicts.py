"""From which figures on a result gets which verdict: measured for each model, on clear photos.

    python -m restore.page.verdicts PHOTOS

PHOTOS is a folder of clear photos that no network was trained on. Each of COUNT of them is blurred
in all of CASES and restored; what was gained there says which verdict would have been right. The
thresholds that tell right from wrong best are written to verdicts.json, which words.py reads, and
printed with the share that they judge rightly. To be run again for new weights.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import MODELS, load
from ..metrics import psnr, sharpness
from ..photo import PhotoError, decode
from .laboratory import distorted

FILE = Path(__file__).with_suffix(".json")
SIDE, COUNT = 256, 24
"""Side of the crops in pixels, taken from the middle, and from how many photos."""
CASES = (
    *(("gaussian", sigma) for sigma in (1, 1.6, 2.5, 4)),
    *(("defocus", radius) for radius in (1.5, 3, 5, 8)),
    *(("motion", length) for length in (5, 9, 15, 25)),
    *(("shake", extent) for extent in (7, 15, 25)),
)
RESTORED, BEYOND = 1.0, 0.5
"""A gain in dB from which a blur counts as undone, and below which as beyond the model."""


@dataclass(frozen=True)
class Figures:
    """What can be measured without the clear photo: sharpness twice, and the mean change."""

    sharp_before: float
    sharp_after: float
    change: float

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray) -> "Figures":
        """Of uint8 [H, W, 3] twice, sides of at least `metrics.SMALLEST`; change in levels."""
        change = float(np.abs(after.astype(np.int16) - before).mean())
        return cls(sharpness(before), sharpness(after), change)


@dataclass(frozen=True)
class Thresholds:
    """For one model."""

    touched: float
    """Change from which a photo counts as touched, in levels of 255."""
    sharp: float
    """Sharpness from which a photo that was hardly touched is called sharp."""
    blurred: float
    """Sharpness of a result below which it is called still blurred."""


def crops(folder: Path) -> list[np.ndarray]:
    """The middle of the first COUNT photos that are large enough, uint8 [SIDE, SIDE, 3]."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            levels = decode(path).levels()
        except PhotoError:
            continue
        top, left = ((side - SIDE) // 2 for side in levels.shape[:2])
        if min(top, left) >= 0 and len(found) < COUNT:
            found.append(np.ascontiguousarray(levels[top : top + SIDE, left : left + SIDE]))
    return found


def split(low: list[float], high: list[float]) -> tuple[float, float]:
    """The threshold that tells two kinds apart best, and the mean share that it judges rightly."""
    if not low or not high:
        return 0.0, 1.0
    values = np.unique([*low, *high])
    between = [values[0], *(values[:-1] + values[1:]) / 2]
    right = [(np.less(low, t).mean() + np.greater_equal(high, t).mean()) / 2 for t in between]
    best = int(np.argmax(right))
    return float(between[best]), float(right[best])


def measure(model: str, clear: list[np.ndarray]) -> tuple[Thresholds, list[float]]:
    """The model's thresholds, and the share of crops that each of them judges rightly."""
    restorer = load(model)
    untouched, restored, beyond = [], [], []
    for seed, photo in enumerate(clear):
        untouched.append(Figures.of(photo, restorer.restore(photo)))
        for kind, strength in CASES:
            before = distorted(photo, kind, strength, seed, None)
            after = restorer.restore(before)
            gain = psnr(after, photo) - psnr(before, photo)
            if gain >= RESTORED:
                restored.append(Figures.of(before, after))
            elif gain < BEYOND:
                beyond.append(Figures.of(before, after))
    touched = split([one.change for one in untouched], [one.change for one in restored])
    sharp = split([one.sharp_before for one in beyond], [one.sharp_before for one in untouched])
    blurred = split([one.sharp_after for one in beyond], [one.sharp_after for one in restored])
    found = touched, sharp, blurred
    print(
        model, len(untouched), len(restored), len(beyond), *(f"{t:.3f} ({r:.0%})" for t, r in found)
    )
    return Thresholds(*(round(threshold, 3) for threshold, _ in found)), [r for _, r in found]


if __name__ == "__main__":
    import pickle

    clear = crops(Path(sys.argv[1]))
    for model in sys.argv[2:] or MODELS:
        measure(model, clear)
