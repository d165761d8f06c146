"""SRCNN: Dong et al., 2014, https://arxiv.org/abs/1501.00092."""

from torch import Tensor, nn

from ..workers import ALONE, Workers
from .blocks import in_blocks

MAPS = 256
"""Of the first convolution: the most there are at a time."""
HALO = 6
"""Pixels beyond its block that the three convolutions see."""


class CNN(nn.Module):
    """Three convolutions, 9x9, 1x1 and 5x5, with 256 and 64 maps between; the input is added.

    Shape: [B, 3, H, W] -> [B, 3, H, W], values in [0, 1], any H and W.
    """

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, MAPS, 9, padding=4),
            nn.ReLU(inplace=True),
            nn.Conv2d(MAPS, 64, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(64, 3, 5, padding=2),
        )
        for layer in (self.layers[0], self.layers[2]):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def residual(self, x: Tensor, workers: Workers = ALONE) -> Tensor:
        """What is added to the input; large photos are computed in blocks, several at a time."""
        at_once = None if self.training else workers
        return in_blocks(lambda *at: (self.layers(x[:, :, *at]),), x, MAPS, HALO, at_once)[0]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)
