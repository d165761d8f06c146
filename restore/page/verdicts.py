"""From which figures on a result gets which verdict: measured for each model, on clear photos.

    python -m restore.page.verdicts PHOTOS

PHOTOS is a folder of clear photos that no network was trained on. The middle of COUNT of them is
restored as it is, and blurred in all of CASES; what was gained says which verdict would have been
right. The thresholds are written to verdicts.json, which words.py reads; what is printed says how
often they are right. To be run again for new weights.
"""

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .. import MODELS, load
from ..metrics import psnr, sharpness
from ..photo import PhotoError, decode
from .laboratory import distorted
from .words import THRESHOLDS, Thresholds, gain

SIDE, COUNT = 256, 16
"""Side of the crops in pixels, and from how many photos."""
CASES = (
    *(("gaussian", sigma) for sigma in (1, 2, 4)),
    *(("defocus", radius) for radius in (1.5, 3, 6)),
    *(("motion", length) for length in (5, 11, 21)),
    *(("shake", extent) for extent in (7, 19)),
)
"""Kinds and strengths of `restore.distort`."""
RESTORED, BEYOND = 1.0, 0.5
"""A gain in dB from which a blur counts as undone, and below which as beyond the model."""
UNSEEN = 0.02
"""Loss of sharpness that nobody sees."""
WRONGED = 0.05
"""The share of sharp photos that may be called something worse."""


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


def measure(model: str, clear: list[np.ndarray]) -> dict[str, list[tuple[float, float]]]:
    """The verdict that would be right -> the sharpness before and after of each photo of its kind.

    `clear` are uint8 [H, W, 3].
    """
    restorer = load(model)
    found = {"sharp": [], "restored": [], "beyond": []}
    for seed, photo in enumerate(clear):
        found["sharp"].append((sharpness(photo), sharpness(restorer.restore(photo))))
        for kind, strength in CASES:
            before = distorted(photo, kind, strength, seed, None)
            after = restorer.restore(before)
            decibels = psnr(after, photo) - psnr(before, photo)
            if decibels >= RESTORED or decibels < BEYOND:
                right = "restored" if decibels >= RESTORED else "beyond"
                found[right].append((sharpness(before), sharpness(after)))
    return found


def thresholds(found: dict[str, list[tuple[float, float]]]) -> Thresholds:
    """The gain that tells restored photos from those beyond the model, and how sharp ones are.

    The gain is that of the highest balanced accuracy (Youden, 1950, "Index for rating diagnostic
    tests"), so that it does not matter how many there are of each.
    """
    restored, beyond = (
        np.array([gain(*one) for one in found[kind]]) for kind in ("restored", "beyond")
    )
    gained = max(restored, key=lambda least: np.mean(restored >= least) - np.mean(beyond >= least))
    before, after = np.array(found["sharp"]).T
    sharp, lost = np.quantile(before, WRONGED), np.quantile(before - after, 1 - WRONGED)
    return Thresholds(*(round(float(figure), 3) for figure in (gained, sharp, max(lost, UNSEEN))))


def main(folder: Path) -> None:
    clear, chosen = crops(folder), {}
    for model in MODELS:
        found = measure(model, clear)
        chosen[model] = thresholds(found)
        print(model, asdict(chosen[model]))
        for right, photos in found.items():
            said = Counter(chosen[model].verdict(*one) for one in photos)
            print(f"  {right}: {len(photos)} photos, called", dict(said.most_common()), flush=True)
    THRESHOLDS.write_text(
        json.dumps({name: asdict(one) for name, one in chosen.items()}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
