"""A photo in memory."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from PIL import Image

from . import colour

SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".avif": "AVIF",
    ".heic": "HEIC",
    ".heif": "HEIC",
}


class PhotoError(Exception):
    """A photo cannot be read or written; the message is one sentence that names it."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo in memory: upright, colours and alpha apart, with what its file says about it.

    `colours` is uint8 or uint16, [H, W] for grey or [H, W, 3] for RGB: the file's own values, in
    the space of the ICC `profile`, or in sRGB where there is none. So nothing is lost of a wide
    gamut, and a photo that nobody restored comes out as it came in. `alpha` is None or [H, W] of
    the same dtype, not multiplied into the colours. `format` is the file's own, such as "JPEG",
    whatever its name says. `notes` are sentences for the person who gave the photo.
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    format: str = "PNG"
    notes: tuple[str, ...] = ()
    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.colours.shape[1], self.colours.shape[0]

    def levels(self) -> np.ndarray:
        """The colours as uint8 [H, W, 3] in sRGB, for showing and scoring; alpha is left aside."""
        levels = colour.to_srgb(eight_bit(self.colours), self.profile)
        return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, -1)

    def opaque_colours(self) -> np.ndarray:
        """The colours, where nothing can be seen those of the nearest pixel that can.

        What hides under full transparency would otherwise bleed into what shows.
        """
        if self.alpha is None or self.alpha.all() or not self.alpha.any():
            return self.colours
        from scipy import ndimage

        nearest = ndimage.distance_transform_edt(
            self.alpha == 0, return_distances=False, return_indices=True
        )
        return self.colours[tuple(nearest)]

    def with_colours(self, colours: np.ndarray) -> Self:
        """The same photo with other colours of the same shape and dtype. Raises ValueError."""
        if colours.shape != self.colours.shape or colours.dtype != self.colours.dtype:
            raise ValueError(
                f"Expected {self.colours.dtype} {list(self.colours.shape)}, "
                f"got {colours.dtype} {list(colours.shape)}."
            )
        return replace(self, colours=colours)

    @classmethod
    def from_image(cls, image: Image.Image) -> Self:
        """The pixels of a PIL image of any mode, as they lie, and its ICC profile.

        "I" counts as 16-bit grey, as it comes out of 16-bit PNG.
        """
        profile = image.info.get("icc_profile")
        if image.mode == "CMYK":
            image, profile = colour.cmyk_to_srgb(image, profile), None
        elif image.mode.startswith("I"):
            image = image if image.mode == "I;16" else image.convert("I").convert("I;16")
        elif image.mode in ("La", "RGBa"):
            image = image.convert(image.mode.upper())
        elif image.has_transparency_data:
            image = image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
        elif image.mode not in ("L", "RGB"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        colours, alpha = split(np.atleast_3d(np.array(image)))
        fits = profile and colour.space(profile) == ("RGB" if colours.ndim == 3 else "GRAY")
        return cls(colours, alpha, profile=profile if fits else None)

    def to_image(self) -> Image.Image:
        """A PIL image of mode L, LA, RGB, RGBA or I;16; other 16-bit photos are cut to 8 bits."""
        if self.colours.dtype == np.uint16 and self.colours.ndim == 2 and self.alpha is None:
            return Image.fromarray(self.colours)
        image = Image.fromarray(eight_bit(self.colours))
        if self.alpha is not None:
            image.putalpha(Image.fromarray(eight_bit(self.alpha)))
        return image


def eight_bit(values: np.ndarray) -> np.ndarray:
    if values.dtype == np.uint8:
        return values
    levels = np.empty(values.shape, np.uint8)
    for row, rounded in zip(values, levels, strict=True):  # one by one, to spare memory
        rounded[...] = (row + np.uint32(128)) // 257
    return levels


def split(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """[H, W, 1 to 4] -> colours [H, W] or [H, W, 3] and alpha."""
    channels = samples.shape[2]
    colours = samples[..., 0] if channels < 3 else samples[..., :3]
    alpha = None if channels % 2 else np.ascontiguousarray(samples[..., -1])
    return np.ascontiguousarray(colours), alpha
