"""The study's pictures of a run: its curves, and distorted | restored | ground truth."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

PANELS = {
    "L1 loss": ("loss", "val_loss"),
    "PSNR (dB)": ("val_psnr", "val_study_psnr"),
    "SSIM": ("val_ssim", "val_study_ssim"),
    "GAN losses": ("generator_loss", "discriminator_loss"),
}
NAMES = {
    "loss": "training",
    "val_loss": "validation",
    "val_psnr": "validation",
    "val_study_psnr": "with the study's blur",
    "val_ssim": "validation",
    "val_study_ssim": "with the study's blur",
    "generator_loss": "generator",
    "discriminator_loss": "discriminator",
}


def draw_curves(history: list[dict], path: Path) -> None:
    """Training and validation loss, PSNR, SSIM and, of a GAN, both losses, over tiles seen."""
    panels = {
        title: [key for key in keys if key in history[-1]]
        for title, keys in PANELS.items()
        if any(key in history[-1] for key in keys)
    }
    figure = Figure(figsize=(4 * len(panels), 3.4), layout="constrained")
    for axes, (title, keys) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for key in keys:
            rows = [row for row in history if key in row]
            images = [row["images"] for row in rows]
            axes.plot(images, [row[key] for row in rows], marker=".", label=NAMES[key])
        axes.set_title(title)
        axes.set_xlabel("tiles seen")
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def draw_figure(distorted: Tensor, restored: Tensor, clear: Tensor, path: Path) -> None:
    """A row per photo; uint8 [N, 3, H, W] each."""
    figure = Figure(figsize=(6, 2 * len(clear) + 0.4), layout="constrained")
    grid = figure.subplots(len(clear), 3, squeeze=False)
    for column, (title, photos) in enumerate(
        (("distorted", distorted), ("restored", restored), ("ground truth", clear))
    ):
        grid[0, column].set_title(title)
        for axes, photo in zip(grid[:, column], photos, strict=True):
            axes.imshow(np.moveaxis(photo.numpy(), 0, -1), interpolation="nearest")
            axes.set_axis_off()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    partial = path.with_name(path.name + ".part")
    figure.savefig(partial, format="png", dpi=110)
    partial.replace(path)
