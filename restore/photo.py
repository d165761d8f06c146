"""Photos in and out of files: orientation, alpha, profile and metadata survive."""

import os
import warnings
from pathlib import Path

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
MODES = ("L", "LA", "RGB", "RGBA", "I;16")
METADATA = ("exif", "xmp", "dpi")


class PhotoError(Exception):
    """A photo cannot be read or written; the message is one sentence that names it."""


def decode(path: str | os.PathLike) -> Image.Image:
    """Read a photo: upright, of mode L, LA, RGB, RGBA or I;16, fully loaded.

    Its ICC profile, EXIF, XMP and dpi lie in `.info`, for `encode`. Of an animation it is the first
    frame. Raises PhotoError.
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
                return _normalise(image)
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


def _normalise(image: Image.Image) -> Image.Image:
    """One of MODES, with the transparency of a palette or of a key colour as an alpha channel."""
    info = {key: image.info[key] for key in ("icc_profile", *METADATA) if key in image.info}
    if image.getexif():
        info["exif"] = image.getexif().tobytes()
    if image.mode == "CMYK":
        info.pop("icc_profile", None)
    if image.mode.startswith("I;16") and not image.has_transparency_data:
        image = image if image.mode == "I;16" else image.convert("I").convert("I;16")
    elif image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
    elif image.mode not in MODES:
        image = image.convert("L" if image.mode == "1" else "RGB")
    elif image.mode in MODES:
        image = image.copy()
    image.info = info
    return image


def encode(
    image: Image.Image, path: str | os.PathLike, keep_metadata: bool = True, overwrite: bool = False
) -> None:
    """Write a photo in the format that the suffix of `path` names, whole or not at all.

    The ICC profile is always kept, for colours depend on it; EXIF, XMP and dpi on wish. JPEG is
    written at quality 95 without chroma subsampling. Raises PhotoError.
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
    kept = ("icc_profile", *METADATA) if keep_metadata else ("icc_profile",)
    info = {key: image.info[key] for key in kept if key in image.info}
    if kind == "JPEG" and image.mode not in ("L", "RGB"):
        bare = Image.fromarray(pixels(image))
    else:
        bare = image.copy()
    bare.info = {}
    partial = path.with_name(f".{path.name}.part")
    try:
        bare.save(partial, kind, **options, **info)
        partial.replace(path)
    except (OSError, ValueError) as error:
        partial.unlink(missing_ok=True)
        raise PhotoError(f"{path.name}: it cannot be written ({error}).") from None


def pixels(image: Image.Image) -> np.ndarray:
    """The colours of a photo as uint8 [H, W, 3], whatever its mode; alpha is left aside."""
    if image.mode == "I;16":
        image = Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    return np.asarray(image.convert("RGB"))


def find_photos(folder: Path) -> list[Path]:
    """The photos in a folder and in the folders below it, by suffix, sorted; not hidden files."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()
    )
