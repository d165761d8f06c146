"""One file per published checkpoint; `Recipe` is all that they may choose."""

import importlib
import pkgutil
from dataclasses import dataclass, field
from typing import Literal

from ..mixture import STUDY, Mixture


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of one training run."""

    model: str
    """Name in `restore.models.NETWORKS`."""
    images: int
    """Length of the run, in tiles seen."""
    batch: int = 16
    """Tiles per step, over all processes together."""
    crop: int = 128
    """Side of the random crops of tiles that are trained on, in pixels."""
    border: int = 0
    """So many pixels are cut off each side after distorting: then blur comes from beyond the
    border, as in a photo. Else it comes out of a mirror there, as in the suites."""
    cut: float = 0.75
    """The share of steps, in quarters, in which `border` is cut off."""
    lr: float = 1e-3
    """Peak learning rate of AdamW; without weight decay, that is Adam."""
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "plateau"] = "cosine"
    """cosine: linear warm-up over `warmup` steps, then cosine decay to 0. plateau: a tenth after 10
    validations without a better PSNR (torch's ReduceLROnPlateau)."""
    warmup: int = 200
    ema: float = 0.998
    """Decay of the moving average of the weights, which is what is validated and published; 0: the
    weights as they are."""
    clip: float = 5.0
    """Gradients are scaled down to this norm."""
    start: str | None = None
    """Model in weights/ to start from; one of half the width is widened (Net2Net)."""
    kept: float = 0.0
    """So much of the weights it started from is mixed into what is validated and published, which
    keeps most of what they knew: Wortsman et al., 2022, https://arxiv.org/abs/2109.01903."""
    adversarial: bool = False
    """Train against a PatchGAN: adversarial loss + 100 x L1 instead of L1."""
    frequency: float = 0.0
    """Weight of the L1 between Fourier transforms, beside L1; MIMO-UNet has 0.1."""
    charbonnier: float = 0.0
    """Rounds L1's corner at 0 off over this much, in levels of 0 to 1."""
    decibels: float = 0.0
    """The loss is minus the PSNR of each tile, which levels off at so many dB; 0: it is L1."""
    frozen: bool = False
    """BatchNorm keeps the statistics it started with: what learns is then what restores, without
    the noise of batches."""
    brightness: float = 0.0
    """Tiles are made brighter or darker by up to this share, beside turning and mirroring them."""
    validate_every: int = 4_000
    """Tiles between validations, which also write a checkpoint."""
    patience: int | None = None
    """Validations without a better PSNR after which the run ends; None: never."""
    mixture: Mixture = field(default_factory=Mixture)
    seed: int = 0

    def __post_init__(self):
        if not 0 < self.batch <= self.validate_every or self.images < self.batch:
            raise ValueError("A run needs at least one batch, and so does each validation.")
        for side in (self.crop, self.crop - 2 * self.border):
            if (self.model != "cnn" and side % 16) or side < 16:
                raise ValueError("Crops have at least 16 pixels, for U-Nets a multiple of 16.")


def study(model: str, batch: int = 8, **more) -> Recipe:
    """The study's training: its blur alone, L1, Adam 1e-4, a plateau schedule, no averaging.

    100 epochs of 21,000 tiles at most, ended early after 10 without better weights. The study does
    not state its patience nor how often it validated within an epoch (here four times), nor how far
    it turned tiles (here by right angles) and changed their brightness (here by a tenth).
    """
    return Recipe(
        model,
        images=100 * 21_000,
        batch=batch,
        lr=1e-4,
        weight_decay=0.0,
        schedule="plateau",
        warmup=0,
        ema=0.0,
        brightness=0.1,
        validate_every=21_000 // 4,
        patience=40,
        mixture=STUDY,
        **more,
    )


def names() -> list[str]:
    """The recipes there are."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Recipe:
    """The recipe of that name. Raises KeyError with a sentence that names those there are."""
    if name.replace("_", "-") not in names():
        raise KeyError(f"There is no recipe {name!r}. Choose one of: {', '.join(names())}.")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}").recipe
