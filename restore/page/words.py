"""What can honestly be said of a result without knowing the clear photo."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .texts import t

THRESHOLDS = Path(__file__).with_name("verdicts.json")
"""What `python -m restore.page.verdicts` measured for each model."""
VERDICTS = {
    "restored": t("verdict_restored"),
    "sharp": t("verdict_sharp"),
    "smoothed": t("verdict_smoothed"),
    "beyond": t("verdict_beyond"),
    "small": t("verdict_small"),
}
"""One sentence where a warning is due, else what the figures below it mean."""


def gain(before: float, after: float) -> float:
    """The share that a result has gained of the sharpness that the photo was missing."""
    return (after - before) / max(1 - before, 1e-6)


@dataclass(frozen=True)
class Thresholds:
    """For one model; both are of `metrics.sharpness`, from 0 to 1."""

    gained: float
    """Share of the sharpness that was missing, from whose gain on a photo is called restored: a
    blur that is beyond a model leaves the result nearly as soft as it was, and a sharp photo leaves
    nothing to gain."""
    sharp: float
    """Sharpness from which a photo that did not gain as much is called sharp already."""
    lost: float
    """Sharpness that a sharp photo loses at most: what loses more had noise or a pattern."""

    def verdict(self, before: float, after: float) -> str:
        """One of VERDICTS, by the sharpness of the photo and of its result."""
        if gain(before, after) >= self.gained:
            return "restored"
        if before < self.sharp:
            return "beyond"
        return "sharp" if before - after <= self.lost else "smoothed"


@cache
def thresholds(model: str) -> Thresholds:
    return Thresholds(**json.loads(THRESHOLDS.read_text())[model])


def verdict(before: float | None, after: float | None, model: str) -> str:
    """One of VERDICTS.

    By the sharpness of the photo and of what the model made of it; None: too small to have one.
    """
    if before is None or after is None:
        return "small"
    return thresholds(model).verdict(before, after)
