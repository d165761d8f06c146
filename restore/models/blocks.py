"""Layers computed block by block, so that what lies between them is never held whole."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

HALO = 2
"""Pixels beyond its block that two 3x3 convolutions see."""

Part = Callable[[slice, slice], tuple[Tensor, ...]]
"""Computes maps for the given rows and columns from the same of what lies before."""


def in_blocks(part: Part, size: tuple[int, int], block: tuple[int, int]) -> tuple[Tensor, ...]:
    """What `part` makes of all rows and columns of `size`, computed by blocks of at most `block`.

    The outermost `HALO` of a block lacks neighbours and is thrown away. Both are (height, width),
    `block` of even numbers, for `part` may also give maps of half the size.
    """
    if all(side <= most for side, most in zip(size, block, strict=True)):
        return part(*(slice(0, side) for side in size))
    results: list[Tensor] = []
    cuts = (range(0, side, most) for side, most in zip(size, block, strict=True))
    for corner in product(*cuts):
        kept = [
            slice(start, min(start + most, side))
            for start, most, side in zip(corner, block, size, strict=True)
        ]
        seen = [
            slice(max(0, s.start - HALO), min(s.stop + HALO, side))
            for s, side in zip(kept, size, strict=True)
        ]
        seen[1] = _widened(seen[1], block[1] + 2 * HALO, size[1])
        found = part(*seen)
        shares = [(seen[0].stop - seen[0].start) // maps.shape[2] for maps in found]
        if not results:
            results = [_whole(maps, size, n) for maps, n in zip(found, shares, strict=True)]
        for result, maps, n in zip(results, found, shares, strict=True):
            target = [slice(k.start // n, k.stop // n) for k in kept]
            inside = [
                slice((k.start - s.start) // n, (k.stop - s.start) // n)
                for k, s in zip(kept, seen, strict=True)
            ]
            result[:, :, *target] = maps[:, :, *inside]
    return tuple(results)


def _widened(seen: slice, width: int, most: int) -> slice:
    """As wide as the blocks that have neighbours on both sides: else half the width of the first
    and the last could be a prime, where oneDNN takes three times as long."""
    start = max(0, min(seen.start, most - width))
    return slice(start, min(start + width, most))


def _whole(maps: Tensor, size: tuple[int, int], share: int) -> Tensor:
    """Room for the maps of which these are a block, in the same layout."""
    last = maps.stride(1) == 1 and maps.shape[1] > 1
    return torch.empty(
        (*maps.shape[:2], *(side // share for side in size)),
        dtype=maps.dtype,
        device=maps.device,
        memory_format=torch.channels_last if last else torch.contiguous_format,
    )
