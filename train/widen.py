"""Net2Net widening: Chen et al., 2016, https://arxiv.org/abs/1511.05641."""

import torch
from torch import Tensor, nn


def widen_unet(narrow: nn.Module, wide: nn.Module, seed: int = 0) -> nn.Module:
    """Fill `wide`, a U-Net of twice the width, so that it computes exactly what `narrow` does.

    Every map is doubled, and each of the two copies takes a random share of the weights that read
    it; the shares sum to the old weight, and their being different is what lets the copies part.
    """
    generator = torch.Generator().manual_seed(seed)
    source, target = narrow.state_dict(), wide.state_dict()
    for key, value in source.items():
        transposed = key.startswith("ups.") and value.ndim == 4
        outputs, inputs = (1, 0) if transposed else (0, 1)
        if value.ndim == 4 and target[key].shape[inputs] != value.shape[inputs]:
            value = _share(value, inputs, generator)
        if value.ndim and target[key].shape[outputs] != value.shape[outputs]:
            value = value.repeat_interleave(2, outputs)
        target[key] = value
    wide.load_state_dict(target)
    return wide


def _share(weight: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    share = torch.rand(weight.shape, generator=generator)
    pair = torch.stack([weight * share, weight * (1 - share)], dim + 1)
    return pair.flatten(dim, dim + 1)
