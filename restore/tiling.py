"""Where tiles lie, and how a photo continues beyond its border."""

from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST = 64
"""Side of the smallest tile without its context, in pixels."""
PITCH = 64
"""Tiles are read in widths that are multiples of this, so that no level's width has a large prime
factor: there oneDNN takes up to 2.4 times as long. It does not mind what their heights are."""


def _reflected(size: int, before: int, after: int, device: torch.device) -> Tensor:
    """Indices of a line of `size` pixels continued by mirroring, the edge pixel not repeated."""
    index = torch.arange(-before, size + after, device=device)
    if size == 1:
        return torch.zeros_like(index)
    period = 2 * (size - 1)
    return size - 1 - (index % period - (size - 1)).abs()


def reflect_pad(x: Tensor, margins: tuple[int, int, int, int]) -> Tensor:
    """Continue [..., H, W] by mirroring; margins (left, right, top, bottom) of any size, in pixels.

    Unlike torch's own, it mirrors again where a margin is larger than the picture. Negative margins
    cut off.
    """
    left, right, top, bottom = margins
    rows = _reflected(x.shape[-2], top, bottom, x.device)
    columns = _reflected(x.shape[-1], left, right, x.device)
    return x.index_select(-2, rows).index_select(-1, columns)


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in pixels of the photo: what it yields and what it must read."""

    start: int
    stop: int
    low: int
    high: int
    """The network reads [low, high) and answers for [start, stop). Of a photo whose size is no
    multiple of the network's, `high` lies beyond it, where it continues by mirroring."""

    @property
    def kept(self) -> slice:
        """Of the photo, what it answers for."""
        return slice(self.start, self.stop)

    @property
    def inside(self) -> slice:
        """The same of what it has read."""
        return slice(self.start - self.low, self.stop - self.low)


def spans(size: int, core: int, context: int, multiple: int, pitch: int = 1) -> list[Span]:
    """Cut a line of `size` pixels into spans of at most `core` that see `context` pixels around.

    What a span reads has a length that is a multiple of `multiple`, and all lie on one grid of that
    pitch, so that poolings fall on the same pixels in every tile; it sees more on one side where
    that makes its length a multiple of `pitch` too. Nothing more is read beyond the photo: a mirror
    there was tried and left the outermost 8 pixels blurred.
    """
    context, end = _up(context, multiple), _up(size, multiple)
    step = _up(-(-size // max(1, -(-size // core))), multiple)
    cut = []
    for start in range(0, size, step):
        low, high = max(start - context, 0), min(start + step + context, end)
        length = min(_up(high - low, max(pitch, multiple)), end)
        low = min(low, end - length)
        cut.append(Span(start, min(start + step, size), low, low + length))
    return cut


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def tiles(
    height: int, width: int, area: int, context: int, multiple: int
) -> list[tuple[Span, Span]]:
    """Rows and columns of the tiles of a photo of `height` x `width` pixels, from the top left.

    Of all grids whose tiles read at most `area` pixels each, the one that reads least in all. Where
    even the smallest tiles read more, those.
    """
    margin = 2 * (context + multiple)
    grids = []
    for columns in _cuts(width, multiple):
        across = spans(width, columns, context, multiple, PITCH)
        widest = max(span.high - span.low for span in across)
        core = min(height, max(SMALLEST, area // widest - margin))
        down = spans(height, core, context, multiple)
        tallest = max(span.high - span.low for span in down)
        read = sum(s.high - s.low for s in across) * sum(s.high - s.low for s in down)
        grids.append((max(area, widest * tallest), read, len(grids), down, across))
    *_, down, across = min(grids)
    return [(row, column) for row in down for column in across]


def _cuts(size: int, multiple: int) -> list[int]:
    """Sides of the tiles to consider for a line of `size` pixels: whole, halves, thirds, ..."""
    most = max(1, size // max(SMALLEST, multiple))
    return [-(-size // n) for n in range(1, most + 1)]


def read(pixels: Tensor, row: Span, column: Span) -> Tensor:
    """What the network must see for one tile of [..., H, W], mirrored beyond the photo's border."""
    height, width = pixels.shape[-2:]
    margins = (-column.low, column.high - width, -row.low, row.high - height)
    return reflect_pad(pixels, margins)
