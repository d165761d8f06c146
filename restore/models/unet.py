"""U-Net: Ronneberger et al., 2015, https://arxiv.org/abs/1505.04597."""

import torch
from torch import Tensor, nn

from ..workers import ALONE, Workers
from .blocks import in_blocks

HALO = 2
"""Pixels beyond its block that two 3x3 convolutions see."""


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


class UNet(nn.Module):
    """U-Net with four poolings, whose output is added to its input.

    The network learns the residual only, so a fresh one is near the identity and brightness
    cannot drift. With `base` maps at full size, the bottleneck has 16 * base: 512 or 1024. With
    other `inputs` and `outputs` than a photo's, `residual` is all there is of it.

    Shape: [B, 3, H, W] -> [B, 3, H, W], values in [0, 1]; H and W multiples of 16.
    """

    def __init__(self, base: int, inputs: int = 3, outputs: int = 3):
        super().__init__()
        widths = [base, 2 * base, 4 * base, 8 * base]
        self.pool = nn.MaxPool2d(2)
        self.encoders = nn.ModuleList(
            double_conv(i, o) for i, o in zip([inputs, *widths[:-1]], widths, strict=True)
        )
        self.bottleneck = double_conv(8 * base, 16 * base)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths)
        )
        self.decoders = nn.ModuleList(double_conv(2 * w, w) for w in reversed(widths))
        self.head = nn.Conv2d(base, outputs, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def residual(self, x: Tensor, workers: Workers = ALONE) -> Tensor:
        """What is added to the input; large maps are computed in blocks, several at a time."""
        return self._level(x, 0, None if self.training else workers)  # BatchNorm must see the whole

    def _level(self, x: Tensor, depth: int, workers: Workers | None) -> Tensor:
        """Everything at this level and below it; at the top, through the head as well."""
        if depth == len(self.encoders):

            def bottom(rows: slice, columns: slice) -> tuple[Tensor]:
                return (self.bottleneck(x[:, :, rows, columns]),)

            return in_blocks(bottom, x, 2 * x.shape[1], HALO, workers)[0]
        encoder, up, decoder = self.encoders[depth], self.ups[-1 - depth], self.decoders[-1 - depth]
        maps = up.out_channels

        def encode(rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
            y = encoder(x[:, :, rows, columns])
            return y, self.pool(y)

        skip, below = in_blocks(encode, x, maps, HALO, workers)
        below = self._level(below, depth + 1, workers)

        def decode(rows: slice, columns: slice) -> tuple[Tensor]:
            halves = (slice(side.start // 2, side.stop // 2) for side in (rows, columns))
            y = up(below[:, :, *halves])
            y = decoder(torch.cat([y, skip[:, :, rows, columns]], 1))
            return (self.head(y) if depth == 0 else y,)

        return in_blocks(decode, x, maps, HALO, workers)[0]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)
