"""Which working size suits which blur, and whether `restore.working_size` finds it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Column, Table
from tqdm import tqdm

from restore import Restorer, load
from restore.metrics import psnr
from restore.weights import BUNDLED, locate, read_config
from restore.working_size import WAYS, choose_scale

from .evaluate import write_json
from .suites import Job, Suite, disk, gaussian, motion, one_kind_of_error, plan

NOISE = (1, 1)
"""As in the benchmark's suites of wide blur, in levels of 255."""
BLURS = (
    *(Suite(f"Gaussian {s}", "", gaussian(s), NOISE) for s in (1.6, 2, 3, 4, 5, 7)),
    *(Suite(f"disk of radius {r}", "", disk(r), NOISE) for r in (3, 4, 6, 8)),
    *(Suite(f"straight motion of {n} px", "", motion(n, n), NOISE) for n in (9, 21, 31)),
)
SIZES = {size: scale for size, scale in WAYS.items() if isinstance(scale, float)}


@dataclass(frozen=True)
class Line:
    """Of one blur: mean PSNR in dB of the input, at each of SIZES and by auto; what auto chose."""

    blur: str
    photos: int
    input: float
    sizes: dict[str, float]
    auto: float
    chosen: dict[str, int]
    """Working size -> for how many photos."""


@one_kind_of_error()
def scales(model: str, photos: Sequence[Path], out: Path, limit: int | None = None) -> list[Line]:
    """Restore clear `photos` (folders or files), blurred by BLURS, at every working size.

    Prints a table and writes it as JSON to `out`. Raises EvaluationError.
    """
    restorer = load(model)
    lines = [_measure(restorer, job) for job in plan(BLURS, photos, limit=limit)]
    write([model], lines, table, out)
    return lines


def write(
    networks: Sequence[str], lines: Sequence, table: Callable[[Sequence[dict]], Table], out: Path
) -> None:
    """Print `lines` (dataclasses) as a table; write them as JSON with the weights behind them."""
    rows = [asdict(line) for line in lines]
    Console().print(table(rows))
    hashes = {name: read_config(locate(name, str(BUNDLED)))["sha256"] for name in networks}
    write_json(out, {"sha256": hashes, "rows": rows})


def _measure(restorer: Restorer, job: Job) -> Line:
    rows, chosen = [], dict.fromkeys(SIZES, 0)
    for make in tqdm(job.cases, desc=job.name, unit="photo"):
        case = make()
        found = {
            size: psnr(restorer.restore(case.distorted, scale=scale), case.clear)
            for size, scale in SIZES.items()
        }
        scale = choose_scale(case.distorted)
        auto = next(size for size in SIZES if SIZES[size] == scale)
        chosen[auto] += 1
        rows.append([psnr(case.distorted, case.clear), *found.values(), found[auto]])
    before, *sizes, auto = np.mean(rows, 0).tolist()
    return Line(job.name, len(rows), before, dict(zip(SIZES, sizes, strict=True)), auto, chosen)


def table(rows: Sequence[dict]) -> Table:
    """`rows` are the fields of Line."""
    titles = ["input", *(f"{size} %" for size in SIZES), "auto", "auto chose"]
    shown = Table("PSNR (dB)", *(Column(title, justify="right") for title in titles))
    for row in rows:
        figures = [row["input"], *row["sizes"].values(), row["auto"]]
        chosen = [f"{size} %: {count}" for size, count in row["chosen"].items() if count]
        shown.add_row(row["blur"], *(f"{figure:.2f}" for figure in figures), ", ".join(chosen))
    return shown
