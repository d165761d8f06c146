"""Layers computed block by block, so that what lies between them is never held whole."""

from collections.abc import Callable
from itertools import product
from threading import Lock

import torch
from torch import Tensor

from ..workers import ALONE, Workers

NUMBERS = 2**22
"""A map that holds more numbers is computed in blocks of about this many each."""
ROW = 2**16
"""And the rows of its blocks at most this many, so that a few stay in the processor's cache: on
whole rows of 2096 pixels unet-1024 took 1.3 times as long."""
GPU_NUMBERS = 2**26
"""On a GPU blocks only bound the memory: those that suit a processor's cache would be too small to
keep it busy."""
LOWEST = 16
"""Rows of the lowest block; in lower ones too much would be computed twice."""

Part = Callable[[slice, slice], tuple[Tensor, ...]]
"""Computes maps for the given rows and columns from the same of what lies before."""


def in_blocks(
    part: Part, x: Tensor, maps: int, halo: int, workers: Workers | None = ALONE
) -> tuple[Tensor, ...]:
    """What `part` makes of all rows and columns of `x`, by blocks, or at once without workers.

    `maps` is how many maps of that size there are at a time within `part`, at most. The outermost
    `halo` pixels of a block, an even number, lack neighbours and are thrown away. `part` may also
    give maps of half the size.
    """
    size = x.shape[2:]
    block = _block(x, maps, workers.count) if workers else size
    if all(side <= most for side, most in zip(size, block, strict=True)):
        return part(*(slice(0, side) for side in size))
    results: list[Tensor] = []
    making = Lock()

    def compute(corner: tuple[int, int]) -> None:
        kept = [
            slice(start, min(start + most, side))
            for start, most, side in zip(corner, block, size, strict=True)
        ]
        seen = [
            slice(max(0, s.start - halo), min(s.stop + halo, side))
            for s, side in zip(kept, size, strict=True)
        ]
        seen[1] = _widened(seen[1], block[1] + 2 * halo, size[1])
        found = part(*seen)
        shares = [(seen[0].stop - seen[0].start) // maps.shape[2] for maps in found]
        with making:
            if not results:
                results.extend(_whole(m, size, n) for m, n in zip(found, shares, strict=True))
        for result, maps, n in zip(results, found, shares, strict=True):
            target = [slice(k.start // n, k.stop // n) for k in kept]
            inside = [
                slice((k.start - s.start) // n, (k.stop - s.start) // n)
                for k, s in zip(kept, seen, strict=True)
            ]
            result[:, :, *target] = maps[:, :, *inside]

    cuts = (range(0, side, most) for side, most in zip(size, block, strict=True))
    workers.each(compute, product(*cuts))
    return tuple(results)


def _block(x: Tensor, maps: int, workers: int) -> tuple[int, int]:
    """(height, width) of the blocks: even numbers, and as many of them as keep all workers busy."""
    batch, _, height, width = x.shape
    on_cpu = x.device.type == "cpu"
    numbers, row = (NUMBERS, ROW) if on_cpu else (GPU_NUMBERS, GPU_NUMBERS)
    across = -(-width // -(-width * maps // row))
    across += -across % 4  # so that its half is even as well
    # two workers hold as much as one thread that computes alone, more of them share twice that
    numbers *= min(1, 2 / workers)
    most = max(LOWEST, int(numbers / (batch * maps * across)))
    times = -(-height // most)
    times += -times % workers
    down = max(LOWEST, -(-height // times))
    return down + down % 2, across


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
