"""One file per published checkpoint; `Recipe` is all that they may choose."""

import importlib
import pkgutil
from dataclasses import dataclass, field

from ..mixture import Mixture


@dataclass(frozen=True)
class Recipe:
    """The hyper-parameters of one training run."""

    model: str
    """Name in `restore.models.MODELS`."""
    images: int
    """Length of the run, in tiles seen."""
    batch: int = 16
    """Tiles per step, over all processes together."""
    lr: float = 1e-3
    """Peak learning rate of AdamW: linear warm-up over `warmup` steps, then cosine decay to 0."""
    warmup: int = 200
    ema: float = 0.998
    """Decay of the moving average of the weights, which is what is validated and published."""
    clip: float = 5.0
    """Gradients are scaled down to this norm."""
    start: str | None = None
    """Model in weights/ to start from; one of half the width is widened (Net2Net)."""
    adversarial: bool = False
    """Train against a PatchGAN: adversarial loss + 100 x L1 instead of L1."""
    validate_every: int = 4_000
    """Tiles between validations, which also write a checkpoint."""
    mixture: Mixture = field(default_factory=Mixture)
    seed: int = 0


def names() -> list[str]:
    """The recipes there are, by file name."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> Recipe:
    """The recipe of that name. Raises KeyError with a sentence that names those there are."""
    key = name.replace("-", "_")
    if key not in names():
        known = ", ".join(n.replace("_", "-") for n in names())
        raise KeyError(f"There is no recipe {name!r}. Choose one of: {known}.")
    return importlib.import_module(f"{__name__}.{key}").recipe
