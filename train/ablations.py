"""What each part of the recipe is worth: short runs that differ from one in a single choice.

All are scored on the same validation tiles, one half with the study's blur and one with `CAMERA`.
The network is the U-Net of base 16, the `gan`'s generator, so that a run costs minutes on a CPU.
"""

from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator
from rich.console import Console
from rich.table import Column, Table

from restore.weights import load_model

from .evaluate import read_figures, write_json
from .fit import fit
from .mixture import CAMERA, Mixture
from .recipes import Recipe
from .validation import freeze, validate

BASE = "the base: L1, batches of 16 crops of 64, AdamW at 1e-3, cosine, EMA 0.99, clip 5, `CAMERA`"
IMAGES = 12_000
"""Crops that the base sees."""


def variants(images: int = IMAGES) -> dict[str, Recipe]:
    """What was changed -> the recipe; all see as many pixels as `images` crops of 64 have."""
    base = Recipe("gan", images, batch=16, crop=64, ema=0.99, mixture=CAMERA, validate_every=images)
    return {
        BASE: base,
        "another seed": replace(base, seed=1),
        "a third seed": replace(base, seed=2),
        "Charbonnier (1e-3)": replace(base, charbonnier=1e-3),
        "L1 + 0.01 of the spectra": replace(base, frequency=0.01),
        "L1 + 0.1 of the spectra": replace(base, frequency=0.1),
        "no EMA": replace(base, ema=0.0),
        "EMA 0.998": replace(base, ema=0.998),
        "rate 3e-4": replace(base, lr=3e-4),
        "rate 3e-3": replace(base, lr=3e-3),
        "no clipping": replace(base, clip=1e9),
        "batches of 8, twice the steps": replace(base, batch=8),
        "whole tiles of 128 in batches of 4": replace(
            base, images=images // 4, batch=4, crop=128, validate_every=images // 4
        ),
        "border of 16 cut off crops of 96": replace(base, crop=96, border=16),
        "the plain mixture": replace(base, mixture=Mixture()),
    }


def ablate(tiles: Path, runs: Path, out: Path, images: int = IMAGES) -> None:
    """Run all variants below `runs`, print a table, and write it as JSON to `out` after each.

    A variant that `out` has from runs as long as these is not run again. Raises TrainingError.
    """
    pairs = freeze(CAMERA, tiles)
    known = read_figures(out)
    rows = known.get("rows", {}) if known.get("images") == images else {}
    for number, (name, recipe) in enumerate(variants(images).items()):
        if name in rows:
            continue
        weights = fit(recipe, f"ablation-{number}", tiles, runs)
        accelerator = Accelerator()  # as `fit` has set it up
        model = load_model(recipe.model, weights).to(accelerator.device)
        rows[name] = validate(model, pairs, accelerator)
        write_json(out, {"images": images, "rows": rows})
    Console().print(table(rows))


def table(rows: dict[str, dict[str, float]]) -> Table:
    """PSNR in dB with both halves of the tiles, then with the study's alone, and what is gained."""
    titles = ("all (dB)", "SSIM", "study's blur (dB)", "SSIM", "gain over the base, all (dB)")
    shown = Table("changed", *(Column(title, justify="right") for title in titles))
    base = rows[BASE]["val_psnr"]
    for name, row in rows.items():
        psnr, study = (f"{row[key]:.2f}" for key in ("val_psnr", "val_study_psnr"))
        ssim, study_ssim = (f"{row[key]:.4f}" for key in ("val_ssim", "val_study_ssim"))
        gain = "" if name == BASE else f"{row['val_psnr'] - base:+.2f}"
        shown.add_row(name, psnr, ssim, study, study_ssim, gain)
    return shown
