"""U-Net: Ronneberger et al., 2015, https://arxiv.org/abs/1505.04597."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

BAND = 2**22
"""A level that holds more numbers is computed in bands of rows, of about this many each."""
HALO = 2
"""Rows beyond its band that two 3x3 convolutions see."""


def double_conv(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with BatchNorm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def in_bands(
    part: Callable[[slice], tuple[Tensor, ...]], height: int, rows: int
) -> tuple[Tensor, ...]:
    """Maps of `height` rows, or of half as many, computed by `rows` (an even number) at a time.

    `part` computes the given rows from the same rows of what lies before; the outermost `HALO`, for
    which it lacks neighbours, are thrown away. What lies between its layers is so never held whole.
    """
    if height <= rows:
        return part(slice(0, height))
    results: list[Tensor] = []
    for start in range(0, height, rows):
        stop, low = min(start + rows, height), max(0, start - HALO)
        high = min(stop + HALO, height)
        bands = part(slice(low, high))
        results = results or [
            _whole(band, height * band.shape[2] // (high - low)) for band in bands
        ]
        for result, band in zip(results, bands, strict=True):
            n = (high - low) // band.shape[2]
            result[:, :, start // n : stop // n] = band[
                :, :, (start - low) // n : (stop - low) // n
            ]
    return tuple(results)


def _whole(band: Tensor, height: int) -> Tensor:
    """Room for a map of which this is a band, in the same layout."""
    last = band.stride(1) == 1 and band.shape[1] > 1
    return torch.empty(
        (*band.shape[:2], height, band.shape[3]),
        dtype=band.dtype,
        device=band.device,
        memory_format=torch.channels_last if last else torch.contiguous_format,
    )


class UNet(nn.Module):
    """U-Net with four poolings, whose output is added to its input.

    The network learns the residual only, so a fresh one is near the identity and brightness
    cannot drift. With `base` maps at full size, the bottleneck has 16 * base: 512 or 1024.

    Shape: [B, 3, H, W] -> [B, 3, H, W], values in [0, 1]; H and W multiples of 16.
    """

    def __init__(self, base: int):
        super().__init__()
        widths = [base, 2 * base, 4 * base, 8 * base]
        self.pool = nn.MaxPool2d(2)
        self.encoders = nn.ModuleList(
            double_conv(i, o) for i, o in zip([3, *widths[:-1]], widths, strict=True)
        )
        self.bottleneck = double_conv(8 * base, 16 * base)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths)
        )
        self.decoders = nn.ModuleList(double_conv(2 * w, w) for w in reversed(widths))
        self.head = nn.Conv2d(base, 3, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def residual(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        return self._level(x, 0)

    def _level(self, x: Tensor, depth: int) -> Tensor:
        """Everything at this level and below it; at the top, through the head as well."""
        if depth == len(self.encoders):
            return self.bottleneck(x)
        encoder, up, decoder = self.encoders[depth], self.ups[-1 - depth], self.decoders[-1 - depth]
        height = x.shape[2]
        numbers = x.shape[0] * up.out_channels * x.shape[3]
        # BatchNorm in training must see the whole
        rows = height if self.training else max(8 * HALO, BAND // numbers // 2 * 2)

        def encode(r: slice) -> tuple[Tensor, Tensor]:
            y = encoder(x[:, :, r])
            return y, self.pool(y)

        skip, below = in_bands(encode, height, rows)
        below = self._level(below, depth + 1)

        def decode(r: slice) -> tuple[Tensor]:
            y = up(below[:, :, r.start // 2 : r.stop // 2])
            y = decoder(torch.cat([y, skip[:, :, r]], 1))
            return (self.head(y) if depth == 0 else y,)

        return in_bands(decode, height, rows)[0]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)
