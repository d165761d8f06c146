"""The registry of architectures: a plain dict, name -> ModelSpec."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from .cnn import CNN
from .fusion import Fusion
from .gan import PatchGAN
from .unet import UNet

__all__ = ["CNN", "MODELS", "NETWORKS", "ModelSpec", "PatchGAN", "UNet", "count_parameters"]


@dataclass(frozen=True)
class ModelSpec:
    """What the rest of the house must know of a model without looking inside it."""

    build: Callable[[], nn.Module]
    """Makes the network with fresh weights: [B, 3, H, W] in [0, 1] -> the same shape."""
    multiple: int
    """Height and width of its input must be multiples of this (pixels)."""
    context: int
    """How far beyond a tile's edge the network should see (pixels)."""
    alive: int
    """Numbers held at once per pixel of its input, at most: the peak of memory, as measured."""
    blur: str
    """Which blur it is for, in a few words."""
    sentence: str
    """One sentence for the page."""


UNET_BLUR = "soft focus, defocus, slight motion, light noise and JPEG"

MODELS: dict[str, ModelSpec] = {
    "unet-512": ModelSpec(
        build=lambda: UNet(32),
        multiple=16,
        context=80,
        alive=160,
        blur=UNET_BLUR,
        sentence="U-Net, bottleneck of 512: nearly the quality of the large one at a quarter of "
        "the cost.",
    ),
    "unet-1024": ModelSpec(
        build=lambda: UNet(64),
        multiple=16,
        context=96,
        alive=240,
        blur=UNET_BLUR,
        sentence="U-Net, bottleneck of 1024: the best quality, the slowest.",
    ),
    "cnn": ModelSpec(
        build=CNN,
        multiple=1,
        context=6,
        alive=100,
        blur="soft focus",
        sentence="Three convolutions: the baseline. It sees only 13 x 13 pixels at a time.",
    ),
    "gan": ModelSpec(
        build=lambda: UNet(16),
        multiple=16,
        context=80,
        alive=100,
        blur="soft focus, light noise",
        sentence="A small U-Net trained against a critic: crisper than the CNN, and it may invent "
        "texture.",
    ),
}

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{name: spec.build for name, spec in MODELS.items()},
    "fusion": Fusion,
}
"""All that have weights: the models, and what helps them."""


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
