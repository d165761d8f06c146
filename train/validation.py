"""Validation tiles, distorted once and for all, and what a model scores on them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from restore.metrics import psnr, ssim

from .batches import open_tiles
from .mixture import STUDY, Mixture

VALIDATED = 256
"""Validation tiles of a training run."""
CAP = 60.0
"""The highest PSNR that a tile counts in a mean, in dB."""


class Pairs(NamedTuple):
    """What is validated on."""

    distorted: Tensor
    """uint8 [N, 3, H, W]; for the fusion all that it sees, [N, 21, H, W]."""
    clear: Tensor
    """uint8 [N, 3, H, W]."""
    study: int
    """So many of them, the first, have the study's blur alone."""


def freeze(mixture: Mixture, tiles: Path, most: float = VALIDATED) -> Pairs:
    """At most so many validation tiles, one half with the study's blur and one with `mixture`.

    They are the same in every run and on every machine. Raises TrainingError.
    """
    store = open_tiles(tiles / "val.npy")
    chosen = np.linspace(0, len(store) - 1, int(min(most, len(store)))).astype(int)
    clear = torch.from_numpy(store[chosen]).permute(0, 3, 1, 2)
    half = len(clear) // 2
    generator = torch.Generator().manual_seed(0)
    parts = []
    for kind, part in ((STUDY, clear[:half]), (mixture, clear[half:])):
        for some in part.split(32) if len(part) else ():
            parts.append((kind(some.float() / 255, generator) * 255).round().byte())
    return Pairs(torch.cat(parts), clear, half)


def score(restored: Tensor, clear: Tensor) -> np.ndarray:
    """Per tile: L1, PSNR (dB, at most CAP), SSIM. [N, 3, H, W]: float in [0, 1], and uint8."""
    l1 = (restored - clear / 255).abs().mean((1, 2, 3)).tolist()
    levels = (restored.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    truths = clear.permute(0, 2, 3, 1).contiguous().numpy()
    rows = [
        (loss, min(psnr(output, truth), CAP), ssim(output, truth))
        for loss, output, truth in zip(l1, levels, truths, strict=True)
    ]
    return np.array(rows).reshape(-1, 3)


@torch.inference_mode()
def restore(model: nn.Module, distorted: Tensor, accelerator: Accelerator) -> Tensor:
    """What the model makes of uint8 [N, 3, H, W], on the CPU, not yet clipped to [0, 1]."""
    model.eval()
    x = (distorted.to(accelerator.device).float() / 255).contiguous(
        memory_format=torch.channels_last
    )
    with accelerator.autocast():
        return model(x).float().cpu()


def validate(model: nn.Module, pairs: Pairs, accelerator: Accelerator) -> dict[str, float]:
    """Means over all tiles, and over those with the study's blur; the processes share the work."""
    rank, world, study = accelerator.process_index, accelerator.num_processes, pairs.study
    sums = torch.zeros(2, 4)
    for index, side in enumerate((slice(None, study), slice(study, None))):
        distorted, clear = (part[side][rank::world] for part in pairs[:2])
        for some, truth in zip(distorted.split(32), clear.split(32), strict=True):
            if len(some):
                scores = score(restore(model, some, accelerator), truth)
                sums[index] += torch.tensor([len(some), *scores.sum(0)])
    sums = accelerator.reduce(sums.to(accelerator.device), "sum").cpu()
    whole = sums.sum(0)
    means = {
        f"val_{name}": (whole[i] / whole[0]).item()
        for i, name in enumerate(("loss", "psnr", "ssim"), 1)
    }
    if not study:
        return means
    study_means = (sums[0, 2:] / sums[0, 0].clamp(min=1)).tolist()
    return means | dict(zip(("val_study_psnr", "val_study_ssim"), study_means, strict=True))
