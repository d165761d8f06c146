"""A network on a device, as fast as that device computes it: precision, layout, memory."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from .kernels import (
    CONVOLUTIONS,
    fold_batch_norm,
    nnpack_wins,
    onednn_wins,
    use_nnpack,
    use_onednn,
)
from .workers import ALONE, Workers, workers

CACHED_PIXELS = 4 * 128**2
"""Of a larger batch fewer pictures stay in the processor's cache from one layer to the next."""
SHARED_PIXELS = CACHED_PIXELS // 2
"""With NNPACK, smaller pictures are faster as all cores share each layer, larger ones in blocks."""
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


class Engine:
    """Runs a network: [B, 3, H, W] fp32 in [0, 1], sides fit for it -> the same.

    Takes the model over and changes it. May be called by several threads at a time.
    """

    def __init__(
        self, model: nn.Module, device: torch.device, precision: torch.dtype | None = None
    ):
        self.device = device
        self.precision = precision or choose_precision(device)
        nnpack = self.precision == torch.float32 and nnpack_wins(device)
        layout = torch.contiguous_format if nnpack else torch.channels_last
        model = fold_batch_norm(model.eval()).requires_grad_(False)
        self.model = model.to(device, self.precision, memory_format=layout)
        self.together = sys.maxsize
        """How many pixels of a batch are computed at a time, one picture at least."""
        self.workers: Workers | None = None
        """Who computes large pictures with NNPACK, where that is the fastest."""
        if nnpack:
            self.workers, self.together = workers(), CACHED_PIXELS
            self.model = use_nnpack(self.model, self.workers)
        elif onednn_wins(device):
            self.model, self.together = use_onednn(self.model), CACHED_PIXELS

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        return self.residual(x).add_(x.to(self.device))  # in fp32: bf16 has too few bits for photos

    @torch.inference_mode()
    def residual(self, x: Tensor) -> Tensor:
        """What the network's `residual` makes of [B, C, H, W] fp32, in fp32."""
        x = x.to(self.device)
        pixels = x.shape[-1] * x.shape[-2]
        blocks = self.workers is not None and pixels >= SHARED_PIXELS
        layout = torch.contiguous_format if blocks else torch.channels_last
        y = x.to(self.precision, memory_format=layout)
        compute = partial(self.model.residual, workers=self.workers if blocks else ALONE)
        parts = [compute(part) for part in y.split(max(1, self.together // pixels))]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).float()

    @contextmanager
    def watched(self, check: Callable[[], None]) -> Iterator[None]:
        """Within, `check` is called before every convolution; what it raises ends the run."""
        layers = [layer for layer in self.model.modules() if isinstance(layer, CONVOLUTIONS)]
        hooks = [layer.register_forward_pre_hook(lambda *_: check()) for layer in layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
