"""pix2pix: Isola et al., 2017, https://arxiv.org/abs/1611.07004.

The generator is a U-Net of base 16; this is the discriminator that it is trained against. Only the
generator is needed to restore.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchGAN(nn.Module):
    """Judges overlapping patches of 34 x 34: does this candidate belong to that distorted photo?

    Spectral normalisation (Miyato et al., 2018) instead of BatchNorm bounds how fast the verdict
    can change with the picture, which is what keeps the training stable.

    Shape: two [B, 3, H, W] in [0, 1] -> logits [B, 1, H / 4 - 2, W / 4 - 2], positive for "real".
    """

    def __init__(self, base: int = 28):
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Conv2d(6, base, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(base, 2 * base, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(2 * base, 4 * base, 4, padding=1)),
            nn.LeakyReLU(0.2, inplace=True),
            spectral_norm(nn.Conv2d(4 * base, 1, 4, padding=1)),
        )

    def forward(self, distorted: Tensor, candidate: Tensor) -> Tensor:
        return self.layers(torch.cat([distorted, candidate], 1))
