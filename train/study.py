"""The study's figures beside ours: its recipes' weights on all validation pairs with its blur."""

import csv
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from accelerate import Accelerator
from rich.console import Console
from rich.table import Column, Table
from torch import Tensor, nn
from tqdm import tqdm

from restore.weights import load_model, read_config

from . import TrainingError, evaluate, recipes
from .mixture import STUDY
from .validation import Pairs, freeze, restore, score

_CNN, _UNET_512, _UNET_1024 = evaluate.PUBLISHED
PUBLISHED: dict[str, dict[str, float]] = {
    "study-cnn": {"psnr": _CNN.psnr},
    "study-gan": {"generator_loss": 10.98, "discriminator_loss": 0.3434},
    "study-unet-512": {"psnr": _UNET_512.psnr, "ssim": _UNET_512.ssim},
    "study-unet-1024": {"psnr": _UNET_1024.psnr, "ssim": _UNET_1024.ssim, "loss": 0.0198},
}
"""What the study states, on its own photos: dB, SSIM, L1 in validation, the GAN's losses."""


@dataclass(frozen=True)
class Line:
    """What one recipe scores; `study` is what the study states."""

    name: str
    images: int | None
    """Tiles that its weights have seen."""
    psnr: float
    ssim: float
    loss: float
    study: dict[str, float]
    generator_loss: float | None = None
    discriminator_loss: float | None = None


def compare(runs: Path, tiles: Path, out: Path | None = None) -> list[Line]:
    """Score the study's recipes that have run below `runs`, and the distorted tiles themselves.

    Prints a table, and writes the lines as JSON to `out`, by default study.json in `runs`, after
    each recipe. Raises TrainingError and WeightsError.
    """
    names = [name for name in PUBLISHED if (runs / name / "weights").is_dir()]
    if not names:
        raise TrainingError(
            f"No recipe of the study has run in {runs}. Run one: python -m train fit study-cnn"
        )
    accelerator, out = Accelerator(), out or runs / "study.json"
    pairs = freeze(STUDY, tiles, most=math.inf)
    lines = [Line("input", None, *_score("input", None, pairs, accelerator), study={})]
    for name in names:
        recipe, weights = recipes.find(name), runs / name / "weights"
        images = read_config(weights / recipe.model)["images"]
        scores = _score(name, load_model(recipe.model, weights), pairs, accelerator)
        losses = _gan_losses(runs / name / "history.csv", images) if recipe.adversarial else {}
        lines.append(Line(name, images, *scores, study=PUBLISHED[name], **losses))
        rows = [asdict(line) for line in lines]
        evaluate.write_json(out, {"pairs": len(pairs[0]), "rows": rows})
    _show(lines, len(pairs[0]))
    return lines


def _score(
    name: str, model: nn.Module | None, pairs: Pairs, accelerator: Accelerator
) -> tuple[float, float, float]:
    """Mean PSNR (dB), SSIM and L1 of what `model` restores, or of the input without one."""
    model = model and model.to(accelerator.device)

    def output(distorted: Tensor) -> Tensor:
        return restore(model, distorted, accelerator) if model else distorted.float() / 255

    batches = zip(*(part.split(32) for part in pairs[:2]), strict=True)
    total = math.ceil(len(pairs[0]) / 32)
    scores = [score(output(x), y) for x, y in tqdm(batches, desc=name, total=total, unit_scale=32)]
    loss, psnr, ssim = np.concatenate(scores).mean(0).tolist()
    return psnr, ssim, loss


def _gan_losses(history: Path, images: int) -> dict[str, float]:
    """The training losses in the validation that the weights are from."""
    with history.open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if int(row["images"]) == images)
    return {key: float(row[key]) for key in ("generator_loss", "discriminator_loss")}


def _show(lines: list[Line], count: int) -> None:
    table = Table(
        Column(no_wrap=True),
        *(Column(title, justify="right") for title in ("tiles seen", "PSNR (dB)", "SSIM", "L1")),
        title=f"The study's blur on {count:,} validation pairs: ours / the study's, on its photos",
    )
    for line in lines:
        ours = {"psnr": f"{line.psnr:.2f}", "ssim": f"{line.ssim:.4f}", "loss": f"{line.loss:.4f}"}
        cells = (
            f"{figure} / {line.study[key]}" if key in line.study else figure
            for key, figure in ours.items()
        )
        table.add_row(line.name, "" if line.images is None else f"{line.images:,}", *cells)
    console = Console()
    console.print(table)
    for line in lines:
        if line.generator_loss is not None:
            console.print(
                f"{line.name}: generator loss {line.generator_loss:.2f} (the study: "
                f"{line.study['generator_loss']}), discriminator loss "
                f"{line.discriminator_loss:.4f} (the study: {line.study['discriminator_loss']})",
                soft_wrap=True,
            )
