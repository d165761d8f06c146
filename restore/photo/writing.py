"""From photo to file, whole or not at all."""

import errno
import io
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from . import colour, deep
from .metadata import exif_without_location, xmp_without_location
from .value import SUFFIXES, Photo, PhotoError, eight_bit

LONGEST_SIDE = {"JPEG": 65_535, "WEBP": 16_383, "GIF": 65_535, "AVIF": 65_536, "HEIC": 16_384}
"""In pixels, where the format has a limit that a photo of MAX_PIXELS can pass."""
Metadata = Literal["keep", "no-location", "strip"]
"""EXIF, XMP and dpi: all kept, kept without where the photo was taken, or all left out."""


def encode(
    photo: Photo, path: str | os.PathLike, metadata: Metadata = "keep", overwrite: bool = False
) -> None:
    """Write a photo in the format that the suffix of `path` names, whole or not at all.

    The ICC profile is always kept, for colours depend on it; EXIF, XMP and dpi as `metadata` says.
    PNG, TIFF, WebP and BMP lose nothing that they can hold; JPEG is written at quality 95, AVIF and
    HEIC at 90, all without chroma subsampling. What a format cannot hold is turned into what it
    can: 16 bits into 8, transparency into white, colours into sRGB, EXIF and XMP are left out.
    Raises PhotoError.
    """
    path = Path(path)
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(SUFFIXES)
        raise PhotoError(f"{path.name}: a photo cannot be written as {path.suffix!r}; use {known}.")
    if max(photo.size) > LONGEST_SIDE.get(kind, max(photo.size)):
        limit = f"{LONGEST_SIDE[kind]:,} pixels"
        raise PhotoError(f"{path.name}: {kind} holds no side over {limit}; write PNG or TIFF.")
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        if not overwrite and path.exists():
            raise FileExistsError
        data = _bytes(photo, kind, metadata)
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _name(partial, path, overwrite)
    except FileExistsError:
        raise PhotoError(_there_already(path)) from None
    except ImportError:
        raise PhotoError(
            f"{path.name}: writing HEIC needs pillow-heif: pip install pillow-heif, or write JPEG."
        ) from None
    except OSError as error:
        raise PhotoError(f"{path.name}: it cannot be written: {_reason(error)}.") from None
    except MemoryError:
        raise PhotoError(
            f"{path.name}: it cannot be written: memory ran out; close other programs."
        ) from None
    except Exception:  # Pillow's writers raise whatever breaks in them
        raise PhotoError(
            f"{path.name}: {kind} cannot hold its EXIF or XMP; write PNG or strip the metadata."
        ) from None
    finally:
        with suppress(OSError):
            partial.unlink()


def _there_already(path: Path) -> str:
    return f"{path.name}: it exists already and is left as it is; overwrite or rename it."


def _name(partial: Path, path: Path, overwrite: bool) -> None:
    """Give the whole file its final name, in one step, over no file that came meanwhile."""
    if not overwrite:
        try:
            os.link(partial, path)
            return
        except FileExistsError:
            raise
        except OSError:  # no hard links on this disk
            if path.exists():
                raise FileExistsError from None
    partial.replace(path)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full; make room"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "its folder may not be written; choose another"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "its folder does not exist; make it first"
    return f"{error.strerror or 'the encoder failed'}; choose another format or folder"


def _bytes(photo: Photo, kind: str, metadata: Metadata) -> bytes:
    exif, xmp, dpi = photo.exif, photo.xmp, photo.dpi
    if metadata == "strip":
        exif = xmp = dpi = None
    elif metadata == "no-location":
        exif, xmp = exif_without_location(exif), xmp_without_location(xmp)
    buffer = io.BytesIO()
    if kind in ("PNG", "TIFF"):
        write = deep.write_png if kind == "PNG" else deep.write_tiff
        write(buffer, _samples(photo), photo.profile, exif, xmp, dpi)
        return buffer.getvalue()
    image, profile = _eight_bit_image(photo, kind)
    known = {"icc_profile": profile, "exif": exif, "xmp": xmp, "dpi": dpi}
    known = {key: value for key, value in known.items() if value}
    if kind == "HEIC":
        import pillow_heif

        known.pop("dpi", None)
        quality = 90 if photo.alpha is None else -1  # lossless, or alpha would lose too
        opened = pillow_heif.from_pillow(image)
        if photo.colours.dtype == np.uint16 and photo.colours.ndim == 3:  # becomes 10 bits
            mode = "RGB;16" if photo.alpha is None else "RGBA;16"
            opened = pillow_heif.from_bytes(mode, photo.size, _samples(photo).tobytes())
        opened.save(buffer, quality=quality, chroma=444, **known)
    else:
        options = {
            "JPEG": {"quality": 95, "subsampling": 0},
            "WEBP": {"lossless": True, "exact": True, "quality": 20},  # 20: how hard it tries
            "AVIF": {"quality": 90, "subsampling": "4:4:4", "speed": 8},
        }.get(kind, {})
        image.save(buffer, kind, **options, **known)
    return buffer.getvalue()


def _samples(photo: Photo) -> np.ndarray:
    """The colours and alpha as [H, W, 1 to 4]."""
    colours = np.atleast_3d(photo.colours)
    return colours if photo.alpha is None else np.dstack([colours, photo.alpha])


def _eight_bit_image(photo: Photo, kind: str) -> tuple[Image.Image, bytes | None]:
    """What `kind` can hold of the photo, and the profile for it."""
    colours, profile = eight_bit(photo.colours), photo.profile
    if kind in ("BMP", "GIF") or (colours.ndim == 2 and kind != "JPEG"):
        colours, profile = colour.to_srgb(colours, profile), None
    if photo.alpha is None:
        return Image.fromarray(colours), profile
    alpha = eight_bit(photo.alpha)
    if kind in ("JPEG", "BMP"):
        share = (alpha if colours.ndim == 2 else alpha[..., None]) / np.float32(255)
        colours = (255 + (colours - np.float32(255)) * share).round().astype(np.uint8)
        return Image.fromarray(colours), profile
    image = Image.fromarray(colours)
    if kind == "GIF":  # one of 256 colours says that nothing is there
        image = image.convert("RGB").quantize(255)
        image.paste(255, mask=Image.fromarray(alpha < 128))
        image.info["transparency"] = 255
        return image, None
    image.putalpha(Image.fromarray(alpha))
    return image.convert("RGBA"), profile
