"""The distortions of training: fresh in every step, batched on the device of the tiles."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from restore.distort import (
    add_noise,
    blur,
    disk_kernel,
    from_linear,
    gaussian_kernel,
    jpeg,
    motion_kernel,
    quantise,
    shake_kernel,
    study_kernel,
    to_linear,
)

REACH = 31
"""Side of the square that every kernel is padded to, in pixels."""

Draw = Callable[[int, torch.Generator], Tensor]


def _uniform(n: int, low: float, high: float, g: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=g, device=g.device)


def _clear(n: int, g: torch.Generator) -> Tensor:
    return torch.ones(n, 1, 1, device=g.device)


def _study(n: int, g: torch.Generator) -> Tensor:
    return study_kernel(g.device).expand(n, -1, -1)


def _gaussian(n: int, g: torch.Generator) -> Tensor:
    sigma, angle = _uniform(n, 0.5, 3.2, g), _uniform(n, 0, torch.pi, g)
    round_ones = torch.rand(n, generator=g, device=g.device) < 0.6
    aspect = torch.where(round_ones, 1.0, _uniform(n, 0.4, 1, g))
    return gaussian_kernel(sigma, aspect=aspect, angle=angle)


def _disk(n: int, g: torch.Generator) -> Tensor:
    return disk_kernel(_uniform(n, 0.8, 4.5, g))


def _motion(n: int, g: torch.Generator) -> Tensor:
    return motion_kernel(_uniform(n, 3, 22, g), _uniform(n, 0, torch.pi, g))


def _shake(n: int, g: torch.Generator) -> Tensor:
    return shake_kernel(_uniform(n, 3, 24, g), g)


KERNELS: dict[str, Draw] = {
    "clear": _clear,
    "study": _study,
    "gaussian": _gaussian,
    "disk": _disk,
    "motion": _motion,
    "shake": _shake,
}


@dataclass(frozen=True)
class Mixture:
    """How often each blur is drawn, and what else happens to the photo on its way to the file.

    A blurred tile is convolved in linear light with the probability `linear`, as light adds up in
    a camera, and otherwise in sRGB values, as in the study; then it gets noise (`noisy`, standard
    deviation up to `noise`/255) and JPEG of quality 60 to 95 (`jpeg`). Tiles with the study's blur
    are left pure four times in five, for that is all the study did.
    """

    clear: float = 0.06
    study: float = 0.36
    gaussian: float = 0.24
    disk: float = 0.14
    motion: float = 0.12
    shake: float = 0.08
    linear: float = 0.3
    noisy: float = 0.5
    noise: float = 6.0
    jpeg: float = 0.15

    def __call__(self, clear: Tensor, g: torch.Generator) -> Tensor:
        """Distort [B, 3, H, W] in [0, 1], rounded to 8 bits; all that is random comes from `g`."""
        n, device = len(clear), clear.device
        shares = torch.tensor(
            [getattr(self, kind) for kind in KERNELS], dtype=torch.float, device=device
        )
        kinds = torch.multinomial(shares, n, replacement=True, generator=g)
        kernels = torch.zeros(n, REACH, REACH, device=device)
        for index, draw in enumerate(KERNELS.values()):
            chosen = (kinds == index).nonzero()[:, 0]
            if len(chosen):
                drawn = draw(len(chosen), g)
                margin = (REACH - drawn.shape[-1]) // 2
                if margin < 0:
                    drawn = drawn[:, -margin:margin, -margin:margin]
                    drawn, margin = drawn / drawn.sum((-2, -1), keepdim=True), 0
                side = slice(margin, margin + drawn.shape[-1])
                kernels[chosen, side, side] = drawn
        pure = kinds == list(KERNELS).index("study")
        pure &= torch.rand(n, generator=g, device=device) < 0.8

        in_linear = (torch.rand(n, generator=g, device=device) < self.linear) & ~pure
        lit = torch.where(in_linear[:, None, None, None], to_linear(clear), clear)
        x = blur(lit, kernels)
        x = torch.where(in_linear[:, None, None, None], from_linear(x), x)

        noisy = (torch.rand(n, generator=g, device=device) < self.noisy) & ~pure
        sigma = _uniform(n, 0, self.noise / 255, g) * noisy
        x = quantise(add_noise(x, sigma, g))

        written = (torch.rand(n, generator=g, device=device) < self.jpeg) & ~pure
        qualities = torch.randint(60, 96, (n,), generator=g, device=device)
        for index in written.nonzero()[:, 0].tolist():
            x[index] = jpeg(x[index : index + 1], int(qualities[index]))[0]
        return x
