"""U-Net: Ronneberger et al., 2015, https://arxiv.org/abs/1505.04597."""

import torch
from torch import Tensor, nn


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

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        y = x
        for encoder in self.encoders:
            y = encoder(y)
            skips.append(y)
            y = self.pool(y)
        y = self.bottleneck(y)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            y = decoder(torch.cat([up(y), skips.pop()], 1))
        return x + self.head(y)
