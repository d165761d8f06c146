"""From photo to photo: tiles, working size, and every conversion between photo and tensor."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from . import tiling
from .engine import Engine, choose_device, free_memory, is_out_of_memory
from .models import MODELS
from .photo import Photo
from .steady import steady
from .weights import load_model
from .working_size import WAYS, Scale, choose_scale, enlarge, shrink

LARGEST_TILE = 2304**2
"""What a tile reads at most, in pixels; beyond it more memory is of little use."""
SMALLEST_TILE = 128**2
SHARE = 0.6
"""Of the memory that is free, this much may go into one tile."""
TILE_BYTES = 1_800_000_000
"""A tile on the CPU takes no more, so that 48 megapixels are restored within 3 GB."""
QUIET: Callable[[float], None] = lambda share: None  # noqa: E731
STEADIED = "One blur over the whole photo, as of camera shake, was found and taken out."
NOT_STEADIED = (
    "No blur over the whole photo, as of camera shake, was found: it is restored as by auto."
)


class Restorer:
    """A model on a device, ready to restore photos of any size, by several threads at a time.

    >>> restorer = load("unet-512")                                    # doctest: +SKIP
    >>> restorer.restore(Image.open("blurred.jpg")).save("clear.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        device: torch.device,
        precision: torch.dtype | None = None,
    ):
        self.name, self.spec, self.device = name, MODELS[name], device
        self.engine = Engine(model, device, precision)
        self.tile = LARGEST_TILE
        """What a tile may read at most, in pixels; halved for good when memory runs out."""

    def __repr__(self) -> str:
        return f"Restorer({self.name} on {self.device}, {str(self.precision).split('.')[-1]})"

    @property
    def precision(self) -> torch.dtype:
        """In what the network computes: bf16 or fp32."""
        return self.engine.precision

    def restore(
        self,
        photo: Photo | Image.Image | np.ndarray,
        progress: Callable[[float], None] = QUIET,
        scale: Scale = "auto",
    ) -> Photo | Image.Image | np.ndarray:
        """Restore a photo; the result has the same type, mode and size.

        `photo` is a `Photo`, a PIL image of any mode, or a uint8 or uint16 array [H, W], [H, W, 3]
        or [H, W, 4] (the fourth channel, alpha, is kept as it is). Grey photos stay grey.
        `progress` is called with the share done, 0 to 1; what it raises ends the work and comes
        through. `scale` is the working size: at 0.5 or 0.25 the network sees the photo so much
        smaller and corrects what is visible there, which helps where the blur is wider than it can
        see; "auto" takes what `choose_scale` says. "shake" does as "auto" and then as `steady`; a
        `Photo` says in its notes whether shake was found. Raises TypeError, ValueError, MemoryError
        or, with "shake", WeightsError.
        """
        if scale not in WAYS.values():
            raise ValueError(f'The scale is "auto", 1, 0.5, 0.25 or "shake", not {scale!r}.')
        if isinstance(photo, Photo):
            return self._restore_photo(photo, progress, scale)
        if isinstance(photo, Image.Image):
            return self._restore_image(photo, progress, scale)
        if not isinstance(photo, np.ndarray) or photo.dtype not in (np.uint8, np.uint16):
            kind = getattr(photo, "dtype", type(photo).__name__)
            raise TypeError(f"Expected a PIL image or a uint8 or uint16 array, got {kind}.")
        if photo.ndim not in (2, 3) or photo.shape[2:] not in ((), (3,), (4,)) or not photo.size:
            raise ValueError(
                f"Expected an array [H, W], [H, W, 3] or [H, W, 4], got {list(photo.shape)}."
            )
        if photo.shape[2:] == (4,):
            whole = self._restore_photo(Photo(photo[..., :3], photo[..., 3]), progress, scale)
            return np.dstack([whole.colours, whole.alpha])
        return self._restore_pixels(photo, progress, scale)[0]

    def steady(
        self, photo: Photo, restored: Photo, progress: Callable[[float], None] = QUIET
    ) -> Photo:
        """Take camera shake, one blur over the whole photo, out of a photo restored by "auto".

        Where none is found the result is `restored`; notes say which. Raises WeightsError.
        """
        found, note = self._steady(photo.opaque_colours(), restored.colours, progress)
        return replace(self._shown(photo, found), notes=(*photo.notes, note))

    @staticmethod
    def _steady(
        pixels: np.ndarray, restored: np.ndarray, progress: Callable[[float], None]
    ) -> tuple[np.ndarray, str]:
        found = steady(pixels, restored, progress)
        progress(1.0)
        return (restored, NOT_STEADIED) if found is None else (found, STEADIED)

    def _restore_photo(
        self, photo: Photo, progress: Callable[[float], None], scale: Scale
    ) -> Photo:
        restored, notes = self._restore_pixels(photo.opaque_colours(), progress, scale)
        return replace(self._shown(photo, restored), notes=(*photo.notes, *notes))

    @staticmethod
    def _shown(photo: Photo, restored: np.ndarray) -> Photo:
        """Alpha stays as it is, and so do the colours that it hides."""
        if photo.alpha is not None:
            hidden = photo.alpha == 0
            restored = restored.copy()  # it may be kept elsewhere
            restored[hidden] = photo.colours[hidden]
        return photo.with_colours(restored)

    def _restore_image(
        self, image: Image.Image, progress: Callable[[float], None], scale: Scale
    ) -> Image.Image:
        restored = self._restore_photo(Photo.from_image(image), progress, scale).to_image()
        if image.mode == "P":
            restored = restored.quantize(256, method=Image.Quantize.FASTOCTREE)
        elif restored.mode != image.mode:
            restored = restored.convert(image.mode)
        restored.info = dict(image.info)
        return restored

    def _restore_pixels(
        self, pixels: np.ndarray, progress: Callable[[float], None], scale: Scale
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """uint8 or uint16 [H, W] or [H, W, 3] -> the same, and what there is to say of it."""
        if scale == "shake":
            restored, _ = self._restore_pixels(pixels, lambda share: progress(share / 2), "auto")
            found, note = self._steady(pixels, restored, lambda share: progress((1 + share) / 2))
            return found, (note,)
        scale = choose_scale(pixels) if scale == "auto" else scale
        if scale < 1:
            small = shrink(pixels, scale)
            restored = self._restore_full(small, progress)
            return enlarge(pixels, small, restored), ()
        return self._restore_full(pixels, progress), ()

    def _restore_full(self, pixels: np.ndarray, progress: Callable[[float], None]) -> np.ndarray:
        """At full size, with tiles as large as memory allows."""
        area = min(self.tile, self._fitting_tile())
        while True:
            plan = self.plan(*pixels.shape[:2], area)
            try:
                return self._restore_tiles(pixels, plan, progress)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            area = max((r.high - r.low) * (c.high - c.low) for r, c in plan) // 2
            if area < SMALLEST_TILE:
                self.tile = LARGEST_TILE  # there may be room for the next photo
                raise MemoryError(
                    f"{self.name} does not fit into the memory of {self.device}. Close other "
                    "programs, choose a smaller model, or restore on the CPU."
                )
            self.tile = area

    def plan(
        self, height: int, width: int, area: int | None = None
    ) -> list[tuple[tiling.Span, tiling.Span]]:
        """The tiles of a photo of this size, none reading more than `area` pixels if it can be."""
        area = area or min(self.tile, self._fitting_tile())
        return tiling.tiles(height, width, area, self.spec.context, self.spec.multiple)

    def _fitting_tile(self) -> int:
        """How many pixels a tile may read for its activations to fit into the memory now free."""
        room = SHARE * free_memory(self.device)
        if self.device.type != "cuda":
            room = min(room, TILE_BYTES)
        return max(SMALLEST_TILE, int(room / (self.spec.alive * self.precision.itemsize)))

    @torch.inference_mode()
    def _restore_tiles(
        self,
        pixels: np.ndarray,
        plan: list[tuple[tiling.Span, tiling.Span]],
        progress: Callable[[float], None],
    ) -> np.ndarray:
        """One tile at a time; photo and result are each held once, in their own dtype."""
        grey = pixels.ndim == 2 or bool(
            (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
        )
        photo = torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())
        photo = photo.expand(3, *photo.shape) if photo.ndim == 2 else photo.permute(2, 0, 1)
        restored = np.empty(pixels.shape, pixels.dtype)
        for done, (row, column) in enumerate(plan):
            progress(done / len(plan))
            levels = self._restore_tile(tiling.read(photo, row, column), grey)
            inside = levels[row.inside, column.inside]
            part = restored[row.kept, column.kept]
            part[...] = inside if pixels.ndim == 3 else inside[..., 0]
        progress(1.0)
        return restored

    def _restore_tile(self, tile: Tensor, grey: bool) -> np.ndarray:
        """uint8 or uint16 [3, H, W] -> the same as [H, W, 3]."""
        top = 255 if tile.dtype == torch.uint8 else 65535
        output = self.engine(tile.to(self.device).float().div_(top)[None])[0]
        if grey:
            output = output.mean(0, keepdim=True)
        levels = output.clamp_(0, 1).mul_(top).round_().expand(3, -1, -1).permute(1, 2, 0)
        if top == 255:
            return levels.to(torch.uint8).cpu().numpy()
        return levels.cpu().numpy().astype(np.uint16)


def load(name: str = "unet-512", weights: str | None = None, device: str = "auto") -> Restorer:
    """A Restorer with the trained weights of one of `MODELS`.

    `weights` is None (bundled), a folder, or "org/repo[@revision]" on the Hugging Face Hub.
    Raises WeightsError or DeviceError, each with a sentence that says what to do.
    """
    return Restorer(name, load_model(name, weights), choose_device(device))
