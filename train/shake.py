"""What taking camera shake out brings, where there is shake and where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Column, Table
from tqdm import tqdm

from restore import Restorer, load
from restore.distort import STUDY_SIGMA
from restore.metrics import psnr
from restore.photo import Photo
from restore.restorer import STEADIED

from .evaluate import CAP
from .scales import NOISE, write
from .suites import SUITES, Job, Suite, gaussian, motion, one_kind_of_error, plan, shaken

BLURS = (
    *(Suite(f"straight motion of {n} px", "", motion(n, n), NOISE) for n in (9, 15, 21)),
    Suite("Levin's camera shake", "", shaken, NOISE, needs_levin=True),
    Suite("Levin's camera shake, JPEG", "", shaken, (2, 2), (85, 95), needs_levin=True),
    Suite("the study's blur", "", gaussian(STUDY_SIGMA, 5)),
    *(SUITES[name] for name in ("gaussian", "defocus", "phone", "clean")),
)


@dataclass(frozen=True)
class Line:
    """Of one blur: mean PSNR in dB of the input, by auto and by shake; in how many it was found."""

    blur: str
    photos: int
    input: float
    auto: float
    shake: float
    found: int
    worst: float
    """The lowest gain of shake over auto on a photo, in dB."""


@one_kind_of_error()
def shake(
    model: str, photos: Sequence[Path], levin: Path, out: Path, limit: int | None = None
) -> list[Line]:
    """Restore clear `photos` (folders or files), blurred by BLURS, without and with shake.

    Prints a table and writes it as JSON to `out`. Raises EvaluationError.
    """
    restorer = load(model)
    lines = [_measure(restorer, job) for job in plan(BLURS, photos, levin, limit=limit)]
    write([model, "fusion"], lines, table, out)
    return lines


def _measure(restorer: Restorer, job: Job) -> Line:
    rows, found = [], 0
    for make in tqdm(job.cases, desc=job.name, unit="photo"):
        case = make()
        results = [restorer.restore(Photo(case.distorted), scale=way) for way in ("auto", "shake")]
        found += STEADIED in results[1].notes
        shown = (case.distorted, *(result.colours for result in results))
        rows.append([min(psnr(one, case.clear), CAP) for one in shown])
    worst = float(min(steady - auto for _, auto, steady in rows))
    return Line(job.name, len(rows), *np.mean(rows, 0).tolist(), found, worst)


def table(rows: Sequence[dict]) -> Table:
    """`rows` are the fields of Line."""
    titles = ["input", "auto", "shake", "found in", "worst"]
    shown = Table("PSNR (dB)", *(Column(title, justify="right") for title in titles))
    for row in rows:
        measured = [row[key] for key in ("input", "auto", "shake")]
        figures = ["inf" if figure == CAP else f"{figure:.2f}" for figure in measured]
        found = f"{row['found']} of {row['photos']}"
        shown.add_row(row["blur"], *figures, found, f"{row['worst']:+.2f}")
    return shown
