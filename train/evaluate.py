"""Scores models and plain opponents on the suites or on real pairs, and writes the figures down.

All rows of a table restore the same 8-bit inputs. PSNR and SSIM are those of `restore.metrics`,
averaged over photos. A photo's PSNR counts as 100 dB at most, so that an identical one, whose PSNR
is infinite, leaves the mean finite; a mean of 100 dB is shown as "inf".
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Column, Table
from skimage.restoration import uft, wiener
from tqdm import tqdm

from restore import Restorer, load
from restore import weights as registry
from restore.distort import blur
from restore.metrics import psnr, ssim
from restore.weights import BUNDLED, locate, read_config
from restore.working_size import Scale

from .suites import SUITES, Case, EvaluationError, Job, named, one_kind_of_error, plan, plan_pairs

CAP = 100.0
"""The highest PSNR that a photo counts in a mean, in dB."""
WORKERS = min(4, os.cpu_count() or 1)
"""Photos in work at once; more would crowd the memory of a GPU."""
Method = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""(photo uint8 [H, W, 3], kernel float32 [K, K] or None) -> restored, like the photo."""

OPPONENTS_FILE = "opponents.json"
"""In the folder of weights: input, opponents and the study's published rows, by suite."""

console = Console()


@dataclass(frozen=True)
class Row:
    """A line of a table; `gain` is the PSNR less the input's, None where that is infinite."""

    name: str
    kind: str
    """input, opponent, model, or published: by the study, on photos of its own."""
    psnr: float
    ssim: float | None
    gain: float | None = None
    setting: str = ""


STUDY = "published, on its own photos"
PUBLISHED = [
    Row(f"the study's {label}", "published", *registry.PUBLISHED[name], setting=STUDY)
    for name, label in {"cnn": "CNN", "unet-512": "U-Net-512", "unet-1024": "U-Net-1024"}.items()
]
"""What the study states for the blur of the suite `seed`."""


class Rival(NamedTuple):
    """Whoever fills a row."""

    name: str
    kind: str
    method: Method
    setting: str = ""


def _unsharp_mask(photo: np.ndarray, _: None, radius: float, percent: int) -> np.ndarray:
    mask = ImageFilter.UnsharpMask(radius, percent, threshold=0)
    return np.asarray(Image.fromarray(photo).filter(mask))


def _wiener(photo: np.ndarray, kernel: np.ndarray, balance: float, order: int) -> np.ndarray:
    """skimage's Wiener filter; its prior punishes derivatives of `order` 1 or 2 (its default).

    The photo goes on as its mirror image in both directions: so it is periodic, as the filter takes
    it to be, and has no seam that could ring.
    """
    height, width = photo.shape[:2]
    whole = np.pad(photo, ((0, height - 2), (0, width - 2), (0, 0)), mode="reflect") / 255
    laplacian, _ = uft.laplacian(2, whole.shape[:2])
    prior = (np.abs(laplacian) ** (order / 2)).astype(complex)
    channels = [wiener(channel, kernel, balance, prior) for channel in np.moveaxis(whole, -1, 0)]
    return _levels(np.stack(channels, -1)[:height, :width])


def _richardson_lucy(photo: np.ndarray, kernel: np.ndarray, iterations: int) -> np.ndarray:
    """Richardson, 1972; Lucy, 1974; with the very blur of the suites, reflecting borders and all.

    skimage's knows no such borders: on padded photos it ends up to 1 dB lower.
    """
    x = torch.tensor(photo).permute(2, 0, 1)[None] / 255
    forth = torch.tensor(kernel)[None]
    # From even grey: begun from the photo, it keeps more of the noise.
    estimate = torch.full_like(x, 0.5)
    for _ in range(iterations):
        ratio = x / blur(estimate, forth).clamp(min=1e-3)
        # In eighths, because `blur` clips to [0, 1] and the ratio goes beyond.
        estimate = estimate * blur(ratio / 8, forth.flip(-2, -1)) * 8
    return _levels(estimate[0].permute(1, 2, 0).numpy())


def _levels(x: np.ndarray) -> np.ndarray:
    return (x.clip(0, 1) * 255).round().astype(np.uint8)


class Opponent(NamedTuple):
    """A plain method, and the settings among which the best is taken for each suite."""

    restore: Callable[..., np.ndarray]
    """(photo, kernel, **setting) -> restored."""
    settings: list[dict[str, float]]
    informed: bool
    """It is given the true kernel, and so left out where there is none."""


# A percentage of 0 is not among the settings: that is the row of the input.
UNSHARP = [{"radius": r, "percent": p} for r in (0.5, 1, 2, 3, 5) for p in (25, 50, 100, 200, 400)]
WIENER = [{"balance": 10 ** (b / 2), "order": o} for b in range(-10, 1) for o in (1, 2)]
# 640 iterations would add 0.2 dB on `heavy` and 0.4 dB on `seed`, for twice the time.
LUCY = [{"iterations": n} for n in (5, 10, 20, 40, 80, 160, 320)]
OPPONENTS: dict[str, Opponent] = {
    "unsharp mask": Opponent(_unsharp_mask, UNSHARP, informed=False),
    "Wiener, true kernel": Opponent(_wiener, WIENER, informed=True),
    "Richardson-Lucy, true kernel": Opponent(_richardson_lucy, LUCY, informed=True),
}


@one_kind_of_error()
def evaluate(
    models: Sequence[str],
    weights: str | None = None,
    photos: Sequence[Path] = (),
    suites: Sequence[str] = tuple(SUITES),
    out: Path | None = None,
    levin: Path | None = None,
    validation: Path | None = None,
    pairs: tuple[Path, Path] | None = None,
    device: str = "auto",
    opponents: bool = True,
    limit: int | None = None,
    write: bool = False,
    shake: bool = False,
) -> dict[str, dict]:
    """Score `models` on `suites` over clear `photos` (folders or files), then on `pairs`.

    `pairs` are a folder of blurred and one of clear photos under the same names; `levin` is the
    file of kernels for the suite shake; opponents are tuned on the photos in `validation`; `limit`
    takes only so many photos, evenly spread; with `shake`, models also look for camera shake.
    Prints a table per suite and returns the figures, {suite: {"label", "photos": how many, "rows":
    [the fields of Row]}}. After each suite, `out` receives them as JSON; with `write`, metrics.json
    beside each model's weights and opponents.json above them receive their shares. Raises
    EvaluationError.
    """
    if not photos and not pairs:
        raise EvaluationError("There is nothing to score: name photos, or two folders of pairs.")
    if write and weights and not Path(weights).is_dir():
        raise EvaluationError("Figures are written beside weights in a local folder only.")
    chosen, trials = named(suites), validation if opponents else None
    jobs = plan(chosen, photos, levin, trials, limit) if photos else []
    if photos and opponents and not validation:
        tqdm.write("No validation photos to tune the opponents on: they are left out.")
    if pairs:
        jobs.append(plan_pairs(*pairs, limit))
    scale: Scale = "shake" if shake else "auto"
    rivals = [_model(load(name, weights, device), scale) for name in models]
    folders = {name: locate(name, weights) for name in models}
    hashes = {name: read_config(folder)["sha256"] for name, folder in folders.items()}
    fusion = read_config(locate("fusion"))["sha256"] if shake else None
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)

    figures: dict[str, dict] = {}
    for job in jobs:
        rows = _run(job, rivals)
        _show(job, rows)
        lines = [asdict(row) for row in rows]
        figures[job.name] = {"label": job.label, "photos": len(job.cases), "rows": lines}
        if out:
            write_json(out, figures)
        if write and job.name in SUITES:
            for name in models:
                _record(folders[name], name, hashes[name], fusion, job, rows)
            if job.trials:
                _record_opponents(Path(weights or BUNDLED), job, rows)
    return figures


def _model(restorer: Restorer, scale: Scale) -> Rival:
    return Rival(restorer.name, "model", lambda photo, _: restorer.restore(photo, scale=scale))


def _run(job: Job, models: Sequence[Rival]) -> list[Row]:
    """Score every rival on every case."""
    rivals = [Rival("input", "input", lambda photo, _: photo), *_tune(job.trials), *models]
    done = _side_by_side(partial(_judge, rivals), job.cases)
    scores = list(tqdm(done, desc=job.name, unit="photo", total=len(job.cases)))
    means = np.mean(scores, axis=0).tolist()
    base = means[0][0]
    gains = [mean[0] - base if base < CAP else None for mean in means]
    rows = [
        Row(rival.name, rival.kind, *mean, gain, rival.setting)
        for rival, mean, gain in zip(rivals, means, gains, strict=True)
    ]
    return rows + PUBLISHED if job.name == "seed" else rows


def _judge(rivals: Sequence[Rival], make: Callable[[], Case]) -> list[tuple[float, float]]:
    """PSNR (dB, at most CAP) and SSIM of what each rival makes of one case."""
    case, scores = make(), []
    for rival in rivals:
        restored = rival.method(case.distorted, case.kernel)
        scores.append((min(psnr(restored, case.clear), CAP), ssim(restored, case.clear)))
    return scores


def _tune(trials: Sequence[Callable[[], Case]]) -> Iterator[Rival]:
    """Each opponent at the setting with the highest mean PSNR over the trials."""
    cases = [make() for make in trials]
    for name, opponent in OPPONENTS.items() if cases else ():
        if opponent.informed and cases[0].kernel is None:
            continue
        methods = [partial(opponent.restore, **setting) for setting in opponent.settings]
        best = int(np.argmax(list(_side_by_side(partial(_gauge, cases), methods))))
        setting = ", ".join(f"{key} {value:.3g}" for key, value in methods[best].keywords.items())
        yield Rival(name, "opponent", methods[best], setting)


def _gauge(cases: Sequence[Case], method: Method) -> float:
    return np.mean([psnr(method(c.distorted, c.kernel), c.clear) for c in cases])


def _side_by_side(function: Callable, items: Sequence) -> Iterator:
    """The function's results, in order, computed in threads."""
    threads = torch.get_num_threads()
    # Much here computes on one core only: photos at once beat cores at once on one photo.
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            yield from pool.map(function, items)
    finally:
        torch.set_num_threads(threads)


def _show(job: Job, rows: Sequence[Row]) -> None:
    table = Table(
        "",
        *(Column(title, justify="right") for title in ("PSNR (dB)", "SSIM", "gain (dB)")),
        "",
        title=f"{job.name}: {job.label}; {len(job.cases)} photos",
    )
    for row in rows:
        table.add_row(
            row.name,
            "inf" if row.psnr == CAP else f"{row.psnr:.2f}",
            "" if row.ssim is None else f"{row.ssim:.4f}",
            "" if row.gain is None or row.kind == "input" else f"{row.gain:+.2f}",
            row.setting,
        )
    console.print(table)


def _record(
    folder: Path, name: str, sha256: str, fusion: str | None, job: Job, rows: Sequence[Row]
) -> None:
    """Add a suite to the metrics.json of a model; figures of other weights go.

    Where the model also looked for camera shake, `fusion` is the hash of that network's weights.
    """
    path = folder / "metrics.json"
    figures = read_figures(path)
    if figures.get("sha256") != sha256:
        figures = {"model": name, "sha256": sha256}
    kept = figures
    if fusion:
        if figures.get("shake", {}).get("fusion") != fusion:
            figures["shake"] = {"fusion": fusion}
        kept = figures["shake"]
    before, after = (next(row for row in rows if row.name == key) for key in ("input", name))
    found = {"photos": len(job.cases), "psnr": after.psnr, "ssim": after.ssim}
    found |= {"input_psnr": before.psnr, "input_ssim": before.ssim}
    kept.setdefault("suites", {})[job.name] = found
    write_json(path, figures)


def _record_opponents(weights: Path, job: Job, rows: Sequence[Row]) -> None:
    """Put the rows of a suite that owe nothing to any weights into opponents.json."""
    path = weights / OPPONENTS_FILE
    plain = [asdict(row) for row in rows if row.kind != "model"]
    suite = {"label": job.label, "photos": len(job.cases), "rows": plain}
    write_json(path, {**read_figures(path), job.name: suite})


def read_figures(path: Path) -> dict:
    """The JSON object in a file that `evaluate` wrote; empty where there is none."""
    try:
        figures = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return figures if isinstance(figures, dict) else {}


def write_json(path: Path, figures: dict) -> None:
    """Write whole or not at all."""
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(figures, indent=2) + "\n")
    unfinished.replace(path)
