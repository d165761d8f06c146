"""The distortions of training: fresh in every step, batched on the device of the tiles."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from restore.distort import (
    convolve,
    disk_kernel,
    from_linear,
    gaussian_kernel,
    jpeg,
    motion_kernel,
    overexpose,
    quantise,
    resample,
    sensor_deviation,
    shake_kernel,
    sharpen,
    study_kernel,
    to_linear,
)

REACH = 31
"""Side of the square that every kernel is padded to, in pixels."""
FACTORS = (1.25, 1.5, 2.0)
"""What photos are scaled down by, and up again."""

Draw = Callable[[int, "Mixture", torch.Generator], Tensor]


def _uniform(n: int, low: float, high: float, g: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, generator=g, device=g.device)


def _chance(n: int, share: float, g: torch.Generator) -> Tensor:
    return torch.rand(n, generator=g, device=g.device) < share


def _clear(n: int, _: "Mixture", g: torch.Generator) -> Tensor:
    return torch.ones(n, 1, 1, device=g.device)


def _study(n: int, _: "Mixture", g: torch.Generator) -> Tensor:
    return study_kernel(g.device).expand(n, -1, -1)


def _gaussian(n: int, _: "Mixture", g: torch.Generator) -> Tensor:
    sigma, angle = _uniform(n, 0.5, 3.2, g), _uniform(n, 0, torch.pi, g)
    aspect = torch.where(_chance(n, 0.6, g), 1.0, _uniform(n, 0.4, 1, g))
    return gaussian_kernel(sigma, aspect=aspect, angle=angle)


def _disk(n: int, mixture: "Mixture", g: torch.Generator) -> Tensor:
    return disk_kernel(_uniform(n, 0.8, 4.5, g), _uniform(n, 1, mixture.edge, g))


def _motion(n: int, _: "Mixture", g: torch.Generator) -> Tensor:
    return motion_kernel(_uniform(n, 3, 22, g), _uniform(n, 0, torch.pi, g))


def _shake(n: int, _: "Mixture", g: torch.Generator) -> Tensor:
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
class Plan:
    """All that was drawn for a batch, one entry per tile: calling it distorts the tiles.

    Processes that train together draw the plan of the whole batch and take their share of it, so
    they see what one process would.
    """

    kernels: Tensor
    """[B, REACH, REACH]."""
    others: Tensor
    """The same, for the far side of `mask` [B, 1, H, W] in [0, 1] where the blur varies."""
    mask: Tensor
    varying: Tensor
    linear: Tensor
    """Which tiles are blurred in linear light; their highlights are raised by `gain`."""
    gain: Tensor
    noise: Tensor
    """Standard normal, [B, 3, H, W]."""
    sigma: Tensor
    sensor: Tensor
    """Which tiles get a sensor's noise, before the tone curve, rather than even noise after it."""
    amount: Tensor
    factor: Tensor
    """Index into FACTORS; -1: not resampled."""
    quality: Tensor
    """Of the JPEG; 0: none."""

    def share(self, rank: int, world: int) -> "Plan":
        """What falls to process `rank` of `world`: every `world`-th tile."""
        return Plan(*(getattr(self, field.name)[rank::world] for field in fields(self)))

    def __call__(self, clear: Tensor) -> Tensor:
        """Distort [B, 3, H, W] in [0, 1]; the result is rounded to 8 bits."""
        x = clear.clone()
        if len(lit := _which(self.linear)):
            x[lit] = overexpose(to_linear(x[lit]), self.gain[lit])
        blurred = convolve(x, self.kernels)
        if len(some := _which(self.varying)):
            far, share = convolve(x[some], self.others[some]), self.mask[some]
            blurred[some] = share * blurred[some] + (1 - share) * far
        x = blurred.clamp(0, 1)

        if len(some := _which(self.sensor & ~self.linear)):
            x[some] = to_linear(x[some])
        if len(some := _which(self.sensor)):
            deviation = sensor_deviation(x[some], self.sigma[some])
            x[some] = (x[some] + deviation * self.noise[some]).clamp(0, 1)
        if len(some := _which(self.sensor | self.linear)):
            x[some] = from_linear(x[some])
        if len(some := _which((self.sigma > 0) & ~self.sensor)):
            x[some] = x[some] + self.sigma[some, None, None, None] * self.noise[some]

        if len(some := _which(self.amount > 0)):
            x[some] = sharpen(x[some].clamp(0, 1), self.amount[some])
        for index, factor in enumerate(FACTORS):
            if len(some := _which(self.factor == index)):
                x[some] = resample(x[some], factor)
        x = quantise(x)
        if len(some := _which(self.quality > 0)):
            x[some] = jpeg(x[some], self.quality[some].tolist())
        return x


def _which(chosen: Tensor) -> Tensor:
    return chosen.nonzero()[:, 0]


@dataclass(frozen=True)
class Mixture:
    """How often each blur is drawn, and what else happens to the photo on its way to the file.

    The blurs' shares come first; every other number is the share of tiles that it concerns, unless
    it says otherwise. Tiles with the study's blur are left pure four times in five, for that is all
    the study did. The defaults are those of the first weights; `CAMERA` adds what cameras do.
    """

    clear: float = 0.06
    study: float = 0.36
    gaussian: float = 0.24
    disk: float = 0.14
    motion: float = 0.12
    shake: float = 0.08
    linear: float = 0.3
    """Blurred in linear light, as light adds up in a camera; the others in sRGB values."""
    noisy: float = 0.5
    noise: float = 6.0
    """The highest standard deviation of noise, at mid-grey, in levels of 255."""
    jpeg: float = 0.15
    """JPEG of quality 60 to 95."""
    edge: float = 1.0
    """The softest edge of a disk, in pixels."""
    highlights: float = 0.0
    """Of the tiles in linear light: those whose highlights are overexposed, up to 8 times white."""
    sensor: float = 0.0
    """Of the noisy tiles: those with read and shot noise, added before the tone curve."""
    varying: float = 0.0
    """Of the blurred tiles: those of two blurs, or half sharp, with an edge or a ramp between."""
    combined: float = 0.0
    """Of the blurred tiles: those that a lens softens further (Gaussian of 0.4 to 1.2 px)."""
    sharpened: float = 0.0
    """Sharpened by the camera afterwards, with an amount of 0.2 to 1."""
    resampled: float = 0.0
    """Scaled down by one of FACTORS and up again."""
    untouched: float = 0.0
    """Of the clear tiles: those that nothing at all happens to."""

    def __call__(self, clear: Tensor, g: torch.Generator) -> Tensor:
        """Distort [B, 3, H, W] in [0, 1], rounded to 8 bits; all that is random comes from `g`."""
        return self.draw(len(clear), clear.shape[-1], g)(clear)

    def draw(self, n: int, side: int, g: torch.Generator) -> Plan:
        """A plan for `n` tiles of `side` x `side` pixels, on the device of `g`."""
        shares = torch.tensor([float(getattr(self, kind)) for kind in KERNELS], device=g.device)
        kinds = torch.multinomial(shares, n, replacement=True, generator=g)
        kernels = self._kernels(kinds, g)
        sharp, study = (kinds == list(KERNELS).index(kind) for kind in ("clear", "study"))
        pure = study & _chance(n, 0.8, g) | sharp & _chance(n, self.untouched, g)
        touched, blurred = ~pure, ~pure & ~sharp

        soft = _which(blurred & _chance(n, self.combined, g))
        lens = gaussian_kernel(_uniform(n, 0.4, 1.2, g), size=9)
        if len(soft):
            both = convolve(kernels[soft, None], lens[soft])[:, 0].clamp(min=0)
            kernels[soft] = both / both.sum((-2, -1), keepdim=True)
        delta = torch.zeros_like(kernels)
        delta[:, REACH // 2, REACH // 2] = 1
        half_sharp = _chance(n, 0.5, g)[:, None, None]

        raised = _chance(n, self.highlights, g)
        sigma = _uniform(n, 0, self.noise / 255, g) * (_chance(n, self.noisy, g) & touched)
        shape = (n, 3, side, side) if self.noisy else (n, 1, 1, 1)
        sharpened = _chance(n, self.sharpened, g) & touched
        factors = torch.randint(0, len(FACTORS), (n,), generator=g, device=g.device)
        qualities = torch.randint(60, 96, (n,), generator=g, device=g.device)
        return Plan(
            kernels=kernels,
            others=torch.where(half_sharp, delta, kernels.roll(1, 0)),
            mask=_mask(n, side, g),
            varying=blurred & _chance(n, self.varying, g),
            linear=touched & _chance(n, self.linear, g),
            gain=raised * 7 * torch.rand(n, generator=g, device=g.device),
            noise=torch.randn(shape, generator=g, device=g.device),
            sigma=sigma,
            sensor=(sigma > 0) & _chance(n, self.sensor, g),
            amount=_uniform(n, 0.2, 1, g) * sharpened,
            factor=torch.where(touched & _chance(n, self.resampled, g), factors, -1),
            quality=torch.where(touched & _chance(n, self.jpeg, g), qualities, 0),
        )

    def _kernels(self, kinds: Tensor, g: torch.Generator) -> Tensor:
        """A kernel for each of KERNELS, by its index in `kinds` [B]: [B, REACH, REACH]."""
        kernels = torch.zeros(len(kinds), REACH, REACH, device=g.device)
        for index, draw in enumerate(KERNELS.values()):
            chosen = _which(kinds == index)
            if len(chosen):
                drawn = draw(len(chosen), self, g)
                margin = (REACH - drawn.shape[-1]) // 2
                if margin < 0:
                    drawn = drawn[:, -margin:margin, -margin:margin]
                    drawn, margin = drawn / drawn.sum((-2, -1), keepdim=True), 0
                side = slice(margin, margin + drawn.shape[-1])
                kernels[chosen, side, side] = drawn
        return kernels


def _mask(n: int, side: int, g: torch.Generator) -> Tensor:
    """Where the first of two blurs holds, [B, 1, H, W]: this side of a circle through the tile.

    Between the sides lies an edge 2 px wide, as between an object and what is behind it, or a ramp
    as wide as the tile; the circles are large enough for some to look straight.
    """
    axis = torch.arange(side, device=g.device) - (side - 1) / 2
    angle, radius = _uniform(n, 0, 2 * torch.pi, g), side * _uniform(n, 0.3, 3, g)
    through = side * _uniform(n, -0.3, 0.3, g)
    y, x = (((radius + through) * turn)[:, None] + axis for turn in (angle.sin(), angle.cos()))
    beyond = torch.hypot(y[:, :, None], x[:, None, :]) - radius[:, None, None]
    width = 2 * (side / 2) ** torch.rand(n, generator=g, device=g.device)
    return torch.sigmoid(4 * beyond / width[:, None, None])[:, None]


STUDY = Mixture(clear=0, study=1, gaussian=0, disk=0, motion=0, shake=0, linear=0, noisy=0, jpeg=0)
"""The study's blur alone."""

CAMERA = Mixture(
    study=0.26,
    gaussian=0.17,
    disk=0.14,
    motion=0.17,
    shake=0.20,
    linear=0.4,
    noise=8.0,
    jpeg=0.25,
    edge=3.0,
    highlights=0.5,
    sensor=0.5,
    varying=0.15,
    combined=0.2,
    sharpened=0.1,
    resampled=0.08,
    untouched=0.5,
)
"""What happens to a photo in a real camera and after, for recipes that serve all blurs."""
