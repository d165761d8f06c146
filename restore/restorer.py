"""From photo to photo: device, precision, tiles, and every conversion between photo and tensor."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from . import tiling
from .models import MODELS
from .photo import Photo
from .weights import load_model

CORE = 960
"""Side of a tile without its context, in pixels; halved as often as memory runs out."""
SMALLEST_CORE = 64


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
    """bf16 where the processor computes in it, else fp32."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    if device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False):
        return torch.bfloat16
    return torch.float32


def fold_batch_norm(model: nn.Module) -> nn.Module:
    """Fold each BatchNorm into the convolution before it: the same function, fewer passes."""
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                if isinstance(module[i], nn.Conv2d) and isinstance(module[i + 1], nn.BatchNorm2d):
                    module[i] = fuse_conv_bn_eval(module[i], module[i + 1])
                    module[i + 1] = nn.Identity()
    return model


class Restorer:
    """A model on a device, ready to restore photos of any size.

    >>> restorer = load("unet-512")                                    # doctest: +SKIP
    >>> restorer.restore(Image.open("blurred.jpg")).save("clear.png")  # doctest: +SKIP
    """

    def __init__(self, name: str, model: nn.Module, device: torch.device):
        self.name, self.spec, self.device = name, MODELS[name], device
        self.precision = choose_precision(device)
        self.core = CORE
        model = fold_batch_norm(model.eval()).requires_grad_(False)
        self.model = model.to(device, memory_format=torch.channels_last)

    def __repr__(self) -> str:
        return f"Restorer({self.name} on {self.device}, {str(self.precision).split('.')[-1]})"

    def restore(
        self,
        photo: Photo | Image.Image | np.ndarray,
        progress: Callable[[float], None] = lambda share: None,
    ) -> Photo | Image.Image | np.ndarray:
        """Restore a photo; the result has the same type, mode and size.

        `photo` is a `Photo`, a PIL image of any mode, or a uint8 or uint16 array [H, W], [H, W, 3]
        or [H, W, 4] (the fourth channel, alpha, is kept as it is). Grey photos stay grey.
        `progress` is called with the share done, 0 to 1. Raises TypeError or ValueError.
        """
        if isinstance(photo, Photo):
            return self._restore_photo(photo, progress)
        if isinstance(photo, Image.Image):
            return self._restore_image(photo, progress)
        if not isinstance(photo, np.ndarray) or photo.dtype not in (np.uint8, np.uint16):
            kind = getattr(photo, "dtype", type(photo).__name__)
            raise TypeError(f"Expected a PIL image or a uint8 or uint16 array, got {kind}.")
        if photo.ndim not in (2, 3) or photo.shape[2:] not in ((), (3,), (4,)) or not photo.size:
            raise ValueError(
                f"Expected an array [H, W], [H, W, 3] or [H, W, 4], got {list(photo.shape)}."
            )
        if photo.shape[2:] == (4,):
            whole = self._restore_photo(Photo(photo[..., :3], photo[..., 3]), progress)
            return np.dstack([whole.colours, whole.alpha])
        return self._restore_pixels(photo, progress)

    def _restore_photo(self, photo: Photo, progress: Callable[[float], None]) -> Photo:
        """Alpha stays as it is, and so do the colours that it hides."""
        restored = self._restore_pixels(photo.opaque_colours(), progress)
        if photo.alpha is not None:
            hidden = photo.alpha == 0
            restored[hidden] = photo.colours[hidden]
        return photo.with_colours(restored)

    def _restore_image(self, image: Image.Image, progress: Callable[[float], None]) -> Image.Image:
        restored = self._restore_photo(Photo.from_image(image), progress).to_image()
        if image.mode == "P":
            restored = restored.quantize(256, method=Image.Quantize.FASTOCTREE)
        elif restored.mode != image.mode:
            restored = restored.convert(image.mode)
        restored.info = dict(image.info)
        return restored

    def _restore_pixels(self, pixels: np.ndarray, progress: Callable[[float], None]) -> np.ndarray:
        """uint8 or uint16 [H, W] or [H, W, 3] -> the same."""
        grey = pixels.ndim == 2 or bool(
            (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
        )
        source = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, -1)
        tensor = torch.tensor(source).permute(2, 0, 1)
        scale = 255 if pixels.dtype == np.uint8 else 65535
        while True:
            try:
                restored = self._restore_tiles(tensor, scale, grey, progress)
                break
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                if self.core // 2 < SMALLEST_CORE:
                    self.core = CORE  # there may be room for the next photo
                    raise MemoryError(
                        f"{self.name} does not fit into the memory of {self.device}. Close other "
                        "programs, choose a smaller model, or restore on the CPU."
                    ) from None
                self.core //= 2
        result = restored.permute(1, 2, 0).numpy()
        return np.ascontiguousarray(result[..., 0] if pixels.ndim == 2 else result)

    @torch.inference_mode()
    def _restore_tiles(
        self, photo: Tensor, scale: int, grey: bool, progress: Callable[[float], None]
    ) -> Tensor:
        """[3, H, W] in 0..scale -> the same, one tile at a time."""
        restored = torch.empty_like(photo)
        plan = list(
            tiling.tiles(*photo.shape[1:], self.core, self.spec.context, self.spec.multiple)
        )
        for done, (row, column) in enumerate(plan):
            progress(done / len(plan))
            tile = tiling.read(photo, row, column).to(self.device).float() / scale
            rows = slice(row.start - row.low, row.stop - row.low)
            columns = slice(column.start - column.low, column.stop - column.low)
            output = self._run(tile[None])[0, :, rows, columns]
            if grey:
                output = output.mean(0, keepdim=True).expand_as(output)
            levels = (output.clamp(0, 1) * scale).round().cpu().numpy()
            restored[:, row.start : row.stop, column.start : column.stop] = torch.from_numpy(
                levels.astype(np.uint8 if scale == 255 else np.uint16)
            )
        progress(1.0)
        return restored

    def _run(self, x: Tensor) -> Tensor:
        """The network on [B, 3, H, W] in [0, 1], sides already multiples: fp32 in, fp32 out."""
        x = x.contiguous(memory_format=torch.channels_last)
        fast = self.precision != torch.float32
        with torch.autocast(self.device.type, self.precision, enabled=fast):
            return self.model(x).float()


def load(name: str = "unet-512", weights: str | None = None, device: str = "auto") -> Restorer:
    """A Restorer with the trained weights of one of `MODELS`.

    `weights` is None (bundled), a folder, or "org/repo[@revision]" on the Hugging Face Hub.
    Raises WeightsError or DeviceError, each with a sentence that says what to do.
    """
    return Restorer(name, load_model(name, weights), choose_device(device))
