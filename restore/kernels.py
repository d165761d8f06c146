"""The kernels that compute a network's layers: the same functions, on fewer ways through memory."""

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .workers import Workers

NNPACK_PIXELS, NNPACK_KERNELS = 600, 32**2
"""For fewer pixels, or no more 3 x 3 kernels than these, plain convolution is faster: transforming
both costs more than it saves. Measured on AMD's Zen 3: 16 x 16 pixels lose, 24 x 24 draw, 32 x 32
win by a tenth to a half, 64 x 64 are up to 2.6 times as fast; 32 x 32 kernels lose, 32 x 64 win."""


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Fold each BatchNorm into the convolution before it: the same function, fewer passes."""
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                if isinstance(module[i], nn.Conv2d) and isinstance(module[i + 1], nn.BatchNorm2d):
                    module[i] = fuse_conv_bn_eval(module[i], module[i + 1])
                    module[i + 1] = nn.Identity()
    return model


class NNPACKConv2d(nn.Module):
    """A convolution through Winograd's transform (3 x 3) or Fourier's (larger), by NNPACK.

    The same function within the rounding of fp32 at a fraction of the multiplications: Lavin and
    Gray, 2015, https://arxiv.org/abs/1509.09308. NNPACK comes with torch.
    """

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        self.weight, self.bias = convolution.weight.contiguous(), convolution.bias
        self.padding = convolution.padding
        self._last = self.weight.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def takes(module: nn.Module) -> bool:
        """Whether it computes this module faster; NNPACK's kernels have sides of 3 to 16."""
        return (
            isinstance(module, nn.Conv2d)
            and min(module.kernel_size) >= 3
            and max(module.kernel_size) <= 16
            and (module.stride, module.dilation, module.groups) == ((1, 1), (1, 1), 1)
            and (
                module.kernel_size > (3, 3)
                or module.in_channels * module.out_channels > NNPACK_KERNELS
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.stride(1) == 1:  # channels last: a picture for which NNPACK does not pay
            return nn.functional.conv2d(x, self._last, self.bias, padding=self.padding)
        if x.shape[-1] * x.shape[-2] < NNPACK_PIXELS:
            return nn.functional.conv2d(x, self.weight, self.bias, padding=self.padding)
        return torch._nnpack_spatial_convolution(
            x.contiguous(), self.weight, self.bias, self.padding
        )


class OneDNNConv2d(nn.Module):
    """A convolution and the ReLU that follows it, if `relu`, in one pass by oneDNN.

    The same values within rounding, but the ReLU does not go through the map once more, and the
    weights are laid out for the processor once instead of at every call. oneDNN comes with torch;
    these are the calls that torch.compile makes for a convolution on a CPU.
    """

    def __init__(self, convolution: nn.Conv2d | nn.ConvTranspose2d, relu: bool):
        super().__init__()
        self.out_channels, self.bias = convolution.out_channels, convolution.bias
        transposed = isinstance(convolution, nn.ConvTranspose2d)
        kind = "_transpose" if transposed else ""
        self._convolve = getattr(torch.ops.mkldnn, f"_convolution{kind}_pointwise")
        reorder = getattr(torch.ops.mkldnn, f"_reorder_convolution{kind}_weight")
        shape = [convolution.padding, *([convolution.output_padding] if transposed else [])]
        shape += [convolution.stride, convolution.dilation, convolution.groups]
        self._weight = reorder(convolution.weight, *shape)
        self._rest = [*shape, "relu" if relu else "none", [], ""]

    def forward(self, x: Tensor) -> Tensor:
        return self._convolve(x, self._weight, self.bias, *self._rest)


class HalvingPool(nn.Module):
    """`MaxPool2d(2)` without the indices that torch's own keeps: less memory, faster on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.maximum(x[..., ::2, :], x[..., 1::2, :])
        return torch.maximum(rows[..., ::2], rows[..., 1::2])


CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, NNPACKConv2d, OneDNNConv2d)


def nnpack_wins(device: torch.device) -> bool:
    """Whether NNPACK is the fastest in fp32: measured so with AVX2 and without AVX-512."""
    has = torch.cpu.get_capabilities()
    return (
        device.type == "cpu"
        and has.get("avx2", False)
        and not has.get("avx512_f", False)
        and hasattr(torch, "_nnpack_spatial_convolution")
        and torch.backends.nnpack.is_available()
    )


def onednn_wins(device: torch.device) -> bool:
    """Whether oneDNN's own calls are the fastest: measured so with AVX-512 and AMX."""
    return (
        device.type == "cpu"
        and torch.cpu.get_capabilities().get("avx512_f", False)
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


def use_nnpack(model: nn.Module, workers: Workers) -> nn.Module:
    """Exchange convolutions and poolings for faster ones that compute the same.

    NNPACK's own threads take turns, one layer at a time. Where its first call finds torch on one
    core, as in a worker, it starts none and each worker computes a layer of its own.
    """
    first = (torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 3, 3), torch.zeros(1), 1)
    workers.each(lambda layer: torch._nnpack_spatial_convolution(*layer), [first])
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if NNPACKConv2d.takes(child):
                setattr(module, name, NNPACKConv2d(child))
    return _pool_by_halves(model)


def use_onednn(model: nn.Module) -> nn.Module:
    """Likewise; the model must have its final precision, its BatchNorm be folded."""
    for module in list(model.modules()):
        relu = None  # the name of the ReLU that follows
        for name, child in reversed(list(module.named_children())):
            if isinstance(child, (nn.Conv2d, nn.ConvTranspose2d)):
                setattr(module, name, OneDNNConv2d(child, relu is not None))
                if relu:
                    setattr(module, relu, nn.Identity())
            if not isinstance(child, nn.Identity):
                follows = isinstance(child, nn.ReLU) and isinstance(module, nn.Sequential)
                relu = name if follows else None
    return _pool_by_halves(model)


def _pool_by_halves(model: nn.Module) -> nn.Module:
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.MaxPool2d) and (child.kernel_size, child.stride) == (2, 2):
                setattr(module, name, HalvingPool())
    return model
