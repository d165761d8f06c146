"""How much of what the machine can compute a training run uses."""

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from restore.models import PatchGAN
from restore.weights import build

from .recipes import Recipe


def flops_per_image(recipe: Recipe) -> float:
    """Floating-point operations of convolutions for one tile: forward and backward, no optimizer.

    Counted on tensors without data, so it costs nothing. A multiplication and an addition are two.
    """
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = build(recipe.model)
        channels = next(model.parameters()).shape[1]
        x = torch.rand(1, channels, recipe.crop, recipe.crop)
        restored = model(x)
        if recipe.adversarial:
            critic = PatchGAN()
            (critic(x, x) + critic(x, restored.detach())).sum().backward()
            restored = critic.requires_grad_(False)(x, restored)
        restored.sum().backward()
    return float(counter.get_total_flops())


def matrix_rate(device: torch.device, precision: torch.dtype, seconds: float = 0.3) -> float:
    """The best rate of square matrix products here, in FLOP/s."""
    size = 8192 if device.type == "cuda" else 1024
    a, b = (torch.rand(size, size, device=device).to(precision) for _ in range(2))
    _finish(a @ b)
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        began = time.perf_counter()
        _finish(a @ b)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def _finish(result: torch.Tensor) -> None:
    """Wait for the device."""
    result[0, 0].item()
