"""Photos in and out of files: orientation, alpha, bit depth, profile and metadata survive."""

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 100_000_000
"""A photo with more pixels is refused."""
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
}
Metadata = Literal["keep", "no-location", "strip"]
"""EXIF, XMP and dpi: all kept, kept without where the photo was taken, or all left out."""


class PhotoError(Exception):
    """A photo cannot be read or written; the message is one sentence that names it."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo in memory: upright, colours and alpha apart, with what its file says about it.

    `colours` is uint8 or uint16, [H, W] for grey or [H, W, 3] for RGB, in the space of the ICC
    `profile`, or in sRGB where there is none. `alpha` is None or [H, W] of the same dtype, not
    multiplied into the colours. `format` is the file's own, such as "JPEG", whatever its name says.
    `notes` are sentences for the person who gave the photo.
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
        levels = self.colours
        if levels.dtype == np.uint16:
            levels = (levels / 257).round().astype(np.uint8)
        return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, -1)

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
        """Take a PIL image of any mode, as it lies; its profile, EXIF, XMP and dpi come along."""
        info = image.info
        if image.mode.startswith("I;16") and not image.has_transparency_data:
            image = image if image.mode == "I;16" else image.convert("I").convert("I;16")
        elif image.has_transparency_data:
            image = image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
        elif image.mode not in ("L", "RGB"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        colours, alpha = np.array(image), None
        if image.mode in ("LA", "RGBA"):
            colours, alpha = colours[..., :-1].copy(), colours[..., -1].copy()
            colours = colours[..., 0] if image.mode == "LA" else colours
        kept = {
            "profile": info.get("icc_profile"),
            **{key: info.get(key) for key in ("exif", "xmp", "dpi")},
        }
        return cls(colours, alpha, image.format or "PNG", **kept)

    def to_image(self) -> Image.Image:
        """A PIL image of mode L, LA, RGB, RGBA or I;16, its values as they are."""
        image = Image.fromarray(self.colours)
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        return image


def decode(path: str | os.PathLike) -> Photo:
    """Read a photo: upright and fully loaded; of an animation, the first frame.

    Raises PhotoError.
    """
    name = Path(path).name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                opened.load()
                image = ImageOps.exif_transpose(opened)
                if image.getexif():
                    image.info["exif"] = image.getexif().tobytes()
                if image.mode == "CMYK":
                    image.info.pop("icc_profile", None)
                return replace(Photo.from_image(image), format=opened.format)
    except FileNotFoundError:
        raise PhotoError(f"{name}: there is no such file.") from None
    except PermissionError:
        raise PhotoError(f"{name}: it may not be read; check its permissions.") from None
    except IsADirectoryError:
        raise PhotoError(f"{name}: this is a folder, not a photo.") from None
    except UnidentifiedImageError:
        reason = "it is empty" if os.path.getsize(path) == 0 else "it is not a photo"
        raise PhotoError(
            f"{name}: {reason}; use JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF."
        ) from None
    except Image.DecompressionBombError:
        raise PhotoError(
            f"{name}: it has more than {MAX_PIXELS // 1_000_000} megapixels; scale it down first."
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PhotoError(f"{name}: it is damaged or cut off ({error}).") from None


def encode(
    photo: Photo, path: str | os.PathLike, metadata: Metadata = "keep", overwrite: bool = False
) -> None:
    """Write a photo in the format that the suffix of `path` names, whole or not at all.

    The ICC profile is always kept, for colours depend on it; EXIF, XMP and dpi as `metadata` says.
    JPEG is written at quality 95 without chroma subsampling. Raises PhotoError.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(SUFFIXES)
        raise PhotoError(f"{path.name}: a photo cannot be written as {path.suffix!r}; use {known}.")
    if path.exists() and not overwrite:
        raise PhotoError(f"{path.name}: it exists already and is left as it is.")
    options = {
        "JPEG": {"quality": 95, "subsampling": 0},
        "WEBP": {"lossless": True},
        "PNG": {"compress_level": 1},
        "TIFF": {"compression": "tiff_deflate"},
    }.get(kind, {})
    info = {"icc_profile": photo.profile}
    if metadata != "strip":
        info |= {"exif": photo.exif, "xmp": photo.xmp, "dpi": photo.dpi}
    info = {key: value for key, value in info.items() if value is not None}
    image = photo.to_image()
    if kind == "JPEG" and image.mode not in ("L", "RGB"):
        image = Image.fromarray(photo.levels())
    partial = path.with_name(f".{path.name}.part")
    try:
        image.save(partial, kind, **options, **info)
        partial.replace(path)
    except (OSError, ValueError) as error:
        partial.unlink(missing_ok=True)
        raise PhotoError(f"{path.name}: it cannot be written ({error}).") from None
