"""Camera shake taken out: where one blur explains a photo, more comes back than a network can give.

A network gives back the mean of all photos that may have become this one, and the longer the
motion, the less is that sharper than the photo. Deconvolution by the kernel that the photo itself
shows brings several decibels more, and where the kernel is wrong it rings. A small network, the
fusion, sees both and takes of each what is good.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from . import tiling
from .deconvolution import blurred, deconvolve, find_kernel, unlikely
from .engine import Engine
from .models import fusion
from .weights import load_model
from .working_size import enlarge, shrink

SIDE = 1024
"""Photos with a longer side are worked on at half of it, or a quarter: how far a hand shakes is a
share of the frame, however many pixels that has."""
JUDGED = 512
"""The kernel is looked for in the central square of at most this side, in pixels."""
SMALLEST = 128
"""Photos with a shorter side at the working size show too little."""
SEARCHES = ((31, 5e-3), (31, 8e-3), (21, 1.2e-2))
"""The largest kernel that is looked for, and how sparse its photo is to be (`find_kernel`). No pair
is best for all photos; tuned on validation photos."""
FIDELITIES = (125.0, 700.0, 4000.0)
"""Of the deconvolutions: for much noise, some, and none."""
ENLARGED = 4.0
"""Errors are shown to the fusion so much enlarged, about 0.5."""
TRUSTED = 0.2
"""From this share of deconvolution in the middle of the result on, shake was found and taken out.
Chosen on validation photos, shaken and not."""
VISIBLE = 1 / 255
"""A change of less there, RMS, is none: the photo was sharp."""
TILE, CONTEXT, MULTIPLE = 2**21, 80, 16
"""Of the fusion, in pixels: what a tile reads at most, what it sees around, what its sides are
multiples of."""


def steady(
    pixels: np.ndarray, restored: np.ndarray, progress: Callable[[float], None]
) -> np.ndarray | None:
    """The photo without its camera shake, or None where none is found.

    `pixels` are uint8 or uint16 [H, W] or [H, W, 3], `restored` what a model made of them, of the
    same shape and dtype, as is the result. `progress` is called with the share done, 0 to 1; what
    it raises comes through. All of it runs on the CPU. Raises WeightsError.
    """
    scale = next((s for s in (1, 0.5) if max(pixels.shape[:2]) * s <= SIDE), 0.25)
    small = shrink(pixels, scale)
    if min(small.shape[:2]) < SMALLEST:
        return None
    photo, network = _planes(small), _planes(shrink(restored, scale))
    whole = max(photo.shape[1:]) <= JUDGED
    found = find(photo, network, lambda share: progress(share if whole else 0.7 * share))
    changed = (found.clear - middle(network)).square().mean().sqrt()
    if found.trust < TRUSTED or changed < VISIBLE:
        return None
    clear = found.clear
    if not whole:
        seen = show(photo, network, found.kernel, lambda share: progress(0.7 + 0.2 * share))
        clear, _ = _fuse(seen, lambda share: progress(0.9 + 0.1 * share))
    clear = clear if pixels.ndim == 3 else clear.mean(0, keepdim=True)
    levels = (clear.clamp(0, 1) * 65535).round().numpy().astype(np.uint16)
    return enlarge(pixels, small, levels[0] if pixels.ndim == 2 else np.moveaxis(levels, 0, -1))


@dataclass(frozen=True)
class Found:
    """The blur of a photo, as the middle of the photo shows it."""

    kernel: Tensor
    """[K, K], sum 1."""
    clear: Tensor
    """The middle without it, [3, H, W]."""
    trust: float
    """The share that deconvolution has in that."""


def find(
    photo: Tensor, network: Tensor, progress: Callable[[float], None] = lambda share: None
) -> Found:
    """The one blur of a photo [1 or 3, H, W]; `network` is what a model made of it.

    Of SEARCHES, it is the one whose result is most likely.
    """
    tried: list[tuple[float, Found]] = []
    photo, network = middle(photo), middle(network)
    for done, (reach, sparsity) in enumerate(SEARCHES):

        def tell(share: float, done: int = done) -> None:
            progress((done + share) / len(SEARCHES))

        kernel = find_kernel(photo.mean(0), reach, sparsity, lambda share, t=tell: t(0.7 * share))
        seen = show(photo, network, kernel, lambda share, t=tell: t(0.7 + 0.3 * share))
        found = Found(kernel, *_fuse(seen))
        tried.append((unlikely(found.clear.mean(0), photo.mean(0), kernel), found))
    return min(tried, key=lambda one: one[0])[1]


def middle(photo: Tensor) -> Tensor:
    """The part of [C, H, W] in which the kernel is looked for."""
    top, left = (max(0, (extent - JUDGED) // 2) for extent in photo.shape[1:])
    return photo[:, top : top + JUDGED, left : left + JUDGED]


def show(
    photo: Tensor,
    network: Tensor,
    kernel: Tensor,
    progress: Callable[[float], None] = lambda share: None,
) -> Tensor:
    """All that the fusion sees, [21, H, W] in [0, 1], of a photo [1 or 3, H, W].

    `network` is what a model made of it, `kernel` [K, K] the blur that was found in it.
    """
    planes = []
    for done, plane in enumerate(photo):
        progress(done / len(photo))
        planes.append(deconvolve(plane, kernel, *FIDELITIES))
    deconvolved = torch.stack(planes, 1)
    errors = [
        torch.stack([blurred(plane, kernel) for plane in clear]) - photo
        for clear in (network, deconvolved[1])
    ]
    errors = [(0.5 + ENLARGED * error).clamp(0, 1) for error in errors]
    parts = torch.stack([photo, network, *deconvolved, *errors])
    return parts.expand(-1, 3, -1, -1).flatten(0, 1)


@lru_cache(maxsize=1)
def _engine() -> Engine:
    return Engine(load_model("fusion"), torch.device("cpu"))


def _fuse(
    seen: Tensor, progress: Callable[[float], None] = lambda share: None
) -> tuple[Tensor, float]:
    """[21, H, W] -> the photo [3, H, W], and the share that deconvolution has in it.

    Of that share a pixel counts by how far it is from the model's: where all agree, all is one.
    """
    engine = _engine()
    clear, taken, offered = torch.empty_like(seen[:3]), 0.0, 0.0
    tiles = tiling.tiles(*seen.shape[1:], TILE, CONTEXT, MULTIPLE)
    for done, (row, column) in enumerate(tiles):
        progress(done / len(tiles))
        x = tiling.read(seen, row, column)[None]
        output = engine.residual(fusion.contrasted(x))
        inside = row.inside, column.inside
        part = fusion.joined(x, output)[0][:, *inside]
        clear[:, row.kept, column.kept] = part
        photos = x[0, : 3 * fusion.PHOTOS, *inside].unflatten(0, (fusion.PHOTOS, 3))
        away = (photos[2:] - photos[1]).abs().mean(1)
        taken += float((fusion.weights(output)[0, 2:, *inside] * away).sum())
        offered += float(away.mean(0).sum())
    return clear, taken / max(offered, 1e-9)


def _planes(pixels: np.ndarray) -> Tensor:
    """uint16 [H, W] or [H, W, 3] -> float [1 or 3, H, W] in [0, 1]."""
    whole = torch.from_numpy(pixels.astype(np.float32) / 65535)
    return whole[None] if whole.ndim == 2 else whole.permute(2, 0, 1).contiguous()
