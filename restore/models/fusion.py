"""The network that joins what deconvolution and a model have made of a photo.

After Vasu, Maligireddy and Rajagopalan, 2018, Non-blind Deblurring: Handling Kernel Uncertainty
with CNNs: where the kernel is not quite right, each deconvolution fails elsewhere.
"""

import torch
from torch import Tensor

from .unet import UNet

PHOTOS = 5
"""The photo as it is, what the model made of it, and three deconvolutions from soft to sharp."""
ERRORS = 2
"""What is left over of the photo when the model's result, and a deconvolution, are blurred anew."""
CONTRAST = 4.0
"""Differences between the photos are so much enlarged for the network."""
DECISION = 8.0
"""The same of its outputs that become weights: it is to choose rather than to mix."""


class Fusion(UNet):
    """A U-Net of 16 maps: at each pixel a mean of all PHOTOS, whose weights it chooses, and a rest.

    Shape: [B, 3 * (PHOTOS + ERRORS), H, W] -> [B, 3, H, W], values in [0, 1]; H and W multiples of
    16. Errors are enlarged, and about 0.5.
    """

    def __init__(self) -> None:
        super().__init__(16, inputs=3 * (PHOTOS + ERRORS), outputs=PHOTOS + 3)

    def forward(self, x: Tensor) -> Tensor:
        return joined(x, self.residual(contrasted(x)).to(x.dtype))


def contrasted(x: Tensor) -> Tensor:
    """The input as the network takes it: what all else has in common with the model's result
    would drown the differences, in bf16 above all."""
    photos, errors = x[:, : 3 * PHOTOS].unflatten(1, (PHOTOS, 3)), x[:, 3 * PHOTOS :]
    differences = CONTRAST * (photos - photos[:, 1:2])
    differences[:, 1] = photos[:, 1]
    return torch.cat([differences.flatten(1, 2), errors - 0.5], 1)


def weights(output: Tensor) -> Tensor:
    """Of the network's output [B, PHOTOS + 3, H, W]: what each of PHOTOS weighs, sum 1."""
    return (DECISION * output[:, :PHOTOS]).softmax(1)


def joined(x: Tensor, output: Tensor) -> Tensor:
    """The photo [B, 3, H, W] that the network's output makes of the input."""
    photos = x[:, : 3 * PHOTOS].unflatten(1, (PHOTOS, 3))
    return (weights(output)[:, :, None] * photos).sum(1) + output[:, PHOTOS:]
