"""A network on a device, as fast as that device computes it: precision, layout, kernels, memory."""

from pathlib import Path

import psutil
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

NNPACK_PIXELS = 200
"""On fewer pixels a plain convolution is faster: transforming the weights costs more than it saves.
Measured: 12 x 12 loses, 16 x 16 wins."""
CGROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
"""Where Linux says how much memory a container may use and uses: version 2, version 1."""


class DeviceError(Exception):
    """The device asked for is not there; the message says what there is."""


def choose_device(device: str = "auto") -> torch.device:
    """ "auto" (the GPU where there is one), "cpu", "cuda" or "mps". Raises DeviceError."""
    usable = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return torch.device(next(name for name, there in usable.items() if there))
    if not usable.get(device.split(":")[0], False):
        there = ", ".join(name for name in usable if usable[name])
        raise DeviceError(f"There is no device {device!r} here. Choose one of: auto, {there}.")
    return torch.device(device)


def choose_precision(device: torch.device) -> torch.dtype:
    """bf16 where the processor computes in it, else fp32: emulated bf16 is several times slower."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    if device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False):
        return torch.bfloat16
    return torch.float32


def free_memory(device: torch.device) -> int:
    """Bytes that a computation on this device can still take, within the container's limit."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = psutil.virtual_memory().available
    for limit, usage in CGROUPS:
        try:
            paths = (Path("/sys/fs/cgroup", name) for name in (limit, usage))
            most, used = (int(path.read_text()) for path in paths)
            free = min(free, max(0, most - used))
        except (OSError, ValueError):  # no such file, or "max": no limit
            continue
    return free


def is_out_of_memory(error: Exception) -> bool:
    """Whether a computation failed for want of memory; on the CPU torch says so only in words."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


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
        self.weight, self.bias = convolution.weight, convolution.bias
        self.padding = convolution.padding

    @staticmethod
    def takes(module: nn.Module) -> bool:
        """Whether it computes this module: NNPACK's kernels have sides of 3 to 16 and stride 1."""
        return (
            isinstance(module, nn.Conv2d)
            and min(module.kernel_size) >= 3
            and max(module.kernel_size) <= 16
            and (module.stride, module.dilation, module.groups) == ((1, 1), (1, 1), 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] * x.shape[-2] < NNPACK_PIXELS:
            return nn.functional.conv2d(x, self.weight, self.bias, padding=self.padding)
        return torch._nnpack_spatial_convolution(
            x.contiguous(), self.weight, self.bias, self.padding
        )


class HalvingPool(nn.Module):
    """`MaxPool2d(2)` of contiguous tensors, several times faster on a CPU than torch's own."""

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.maximum(x[..., ::2, :], x[..., 1::2, :])
        return torch.maximum(rows[..., ::2], rows[..., 1::2])


def nnpack_wins(device: torch.device) -> bool:
    """Whether NNPACK is the fastest here: measured so with AVX2 and without AVX-512."""
    has = torch.cpu.get_capabilities()
    return (
        device.type == "cpu"
        and has.get("avx2", False)
        and not has.get("avx512_f", False)
        and hasattr(torch, "_nnpack_spatial_convolution")
        and torch.backends.nnpack.is_available()
    )


def use_nnpack(model: nn.Module) -> nn.Module:
    """Exchange convolutions and poolings for faster ones that compute the same."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if NNPACKConv2d.takes(child):
                setattr(module, name, NNPACKConv2d(child))
            elif isinstance(child, nn.MaxPool2d) and (child.kernel_size, child.stride) == (2, 2):
                setattr(module, name, HalvingPool())
    return model


class Engine:
    """Runs a network: [B, 3, H, W] fp32 in [0, 1], sides fit for it -> the same.

    Takes the model over and changes it. May be called by several threads at a time.
    """

    def __init__(
        self, model: nn.Module, device: torch.device, precision: torch.dtype | None = None
    ):
        self.device = device
        self.precision = precision or choose_precision(device)
        model = fold_batch_norm(model.eval()).requires_grad_(False)
        if self.precision == torch.float32 and nnpack_wins(device):
            self.layout, self.batch = torch.contiguous_format, 1  # its batches are slower
            model = use_nnpack(model)
        else:
            self.layout, self.batch = torch.channels_last, None
        self.model = model.to(device, self.precision, memory_format=self.layout)

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self.device)
        y = x.to(self.precision, memory_format=self.layout)
        parts = [self.model.residual(part) for part in y.split(self.batch or len(y))]
        y = parts[0] if len(parts) == 1 else torch.cat(parts)
        return x + y.float()  # in fp32: bf16 has 8 bits, fewer than a photo needs
