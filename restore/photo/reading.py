"""From file to photo, whatever the file is."""

import os
import stat
import warnings
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from . import colour, deep
from .metadata import exif_of_tiff, tidy_dpi, tidy_exif, tidy_xmp
from .value import SUFFIXES, Photo, PhotoError, split

warnings.filterwarnings("ignore", module=r"PIL\.")  # once for all: not safe to do in each thread

MAX_PIXELS = 100_000_000
"""A photo with more pixels is refused."""
OTHER_BITS = "its kind of pixels is not known; save it with 8 or 16 bits per colour."
KNOWN = "JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF or HEIC"
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def decode(path: str | os.PathLike) -> Photo:
    """Read a photo: upright and fully loaded; of an animation, the first frame.

    CMYK and Lab become sRGB, palettes RGB, black and white 8-bit grey. EXIF, XMP and dpi come
    along, without the preview and what else describes the old file. Raises PhotoError.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "no ordinary file"
            raise PhotoError(f"{path.name}: this is {what}, not a photo; name a photo.")
        with path.open("rb") as file:
            photo = _read(file)
    except FileNotFoundError:
        raise PhotoError(f"{path.name}: there is no such file; check its name.") from None
    except PermissionError:
        raise PhotoError(f"{path.name}: it may not be read; check its permissions.") from None
    except UnidentifiedImageError:
        raise PhotoError(f"{path.name}: it is not a photo; use {KNOWN}.") from None
    except Image.DecompressionBombError:
        raise PhotoError(
            f"{path.name}: it has more than {MAX_PIXELS // 1_000_000} megapixels; scale it down "
            "first."
        ) from None
    except MemoryError:
        raise PhotoError(
            f"{path.name}: it does not fit into memory; close other programs or scale it down."
        ) from None
    except _RefusedError as reason:
        raise PhotoError(f"{path.name}: {reason}") from None
    except PhotoError:
        raise
    except Exception:  # Pillow's readers raise whatever breaks in them
        raise PhotoError(
            f"{path.name}: it is damaged or cut off; fetch or save it once more."
        ) from None
    kind = SUFFIXES.get(path.suffix.lower(), photo.format)
    if kind != photo.format:
        photo = replace(photo, notes=(*photo.notes, f"It is {photo.format}, not {kind}."))
    return photo


class _RefusedError(Exception):
    """Why a file is no photo for us, without its name."""


def _check(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Image.DecompressionBombError
    if width < 1 or height < 1:
        raise ValueError


def _read(file: BinaryIO) -> Photo:
    head = file.read(64)
    file.seek(0)
    if not head:
        raise _RefusedError("it is empty; fetch or save it once more.")
    if head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS and b"avif" not in head:
        return _read_heic(file)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        directory = TiffImagePlugin.ImageFileDirectory_v2(head[: 16 if b"+" in head[:4] else 8])
        first = directory.next
        file.seek(first)
        directory.load(file)
        is_plain = set(directory.get(339, (1,))) == {1} and directory.get(277, 1) <= 5
        if is_plain and set(directory.get(258, (1,))) == {16} and directory.get(262) in (0, 1, 2):
            return _read_deep_tiff(file, directory, first)
        file.seek(0)
    return _read_with_pillow(file)


def _read_with_pillow(file: BinaryIO) -> Photo:
    try:
        opened = Image.open(file, formats=("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"))
    except UnidentifiedImageError:
        file.seek(0)
        if file.read(4)[:2] in (b"II", b"MM"):
            raise _RefusedError(OTHER_BITS) from None
        raise
    with opened:
        _check(*opened.size)
        notes = []
        is_png = opened.format == "PNG"
        is_deep = is_png and opened.tile and str(opened.tile[0][3]).endswith(";16B")
        opened.load()
        info, mode = dict(opened.info), opened.mode
        if mode in ("I", "F"):
            raise _RefusedError(OTHER_BITS)
        if is_deep or (is_png and mode != "P" and "transparency" in info):
            file.seek(0)
            image = deep.read_png(file.read())
        else:
            image = opened
        if mode in ("CMYK", "LAB"):
            notes.append("Its colours are converted to sRGB.")
        if opened.format == "AVIF" and _is_deep_avif(file):
            notes.append("Its 10 or 12 bits per colour are read as 8.")
        exif = opened.getexif()
        if opened.format == "JPEG" and not info.get("jfif_unit") and 0x011A not in exif:
            info.pop("dpi", None)  # Pillow's own guess
        photo = _finish(image, opened.format, info, exif, exif.get(0x0112, 1), notes)
        return replace(photo, notes=(*photo.notes, *_further(opened)))


def _is_deep_avif(file: BinaryIO) -> bool:
    """By the flag high_bitdepth in the box av1C."""
    file.seek(0)
    head = file.read(4096)
    at = head.find(b"av1C") + 6
    return 6 <= at < len(head) and bool(head[at] & 0x40)


def _further(opened: Image.Image) -> tuple[str, ...]:
    """What is said of a file that holds more than one picture."""
    if opened.format == "TIFF":
        return ("It has several pages: only the first is used.",) if opened.tag_v2.next else ()
    try:
        animated = opened.format != "MPO" and getattr(opened, "is_animated", False)
    except Exception:  # whatever breaks in the second frame, the first is whole
        animated = False
    return ("Animated: only the first frame is used.",) if animated else ()


def _read_deep_tiff(
    file: BinaryIO, directory: TiffImagePlugin.ImageFileDirectory_v2, first: int
) -> Photo:
    _check(directory[256], directory[257])
    file.seek(0)
    samples = deep.read_tiff(file, MAX_PIXELS)
    exif = Image.Exif()
    file.seek(0)
    head = file.read(4)
    exif.endian, exif.bigtiff = "<" if head[:1] == b"I" else ">", b"+" in head
    exif.load_from_fp(file, first)
    inch = {2: 1, 3: 2.54}.get(directory.get(296, 2), 0)
    x, y = (float(directory.get(tag, 0)) * inch for tag in (282, 283))
    info = {"icc_profile": directory.get(34675), "xmp": directory.get(700), "dpi": (x, y)}
    notes = ["It has several pages: only the first is used."] if directory.next else []
    return _finish(samples, "TIFF", info, exif, directory.get(274, 1), notes)


def _read_heic(file: BinaryIO) -> Photo:
    try:
        import pillow_heif
    except ImportError:
        raise _RefusedError(
            "reading HEIC needs pillow-heif: pip install pillow-heif, or save it as JPEG."
        ) from None
    opened = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
    _check(*opened.size)
    samples = np.atleast_3d(np.asarray(opened))
    if samples.dtype == np.uint16:
        samples = samples | samples >> opened.info.get("bit_depth", 10)  # so that white is 65535
    exif = Image.Exif()
    exif.load(opened.info.get("exif") or b"")
    notes = ["It holds several pictures: only the main one is used."] if len(opened) > 1 else []
    return _finish(samples, "HEIC", opened.info, exif, 1, notes)


def _finish(
    image: Image.Image | np.ndarray,
    kind: str,
    info: dict,
    exif: Image.Exif,
    orientation: object,
    notes: list[str],
) -> Photo:
    """Turn the pixels upright and add what belongs to them."""
    if isinstance(image, Image.Image):
        photo = Photo.from_image(image)
    else:
        colours, alpha = split(image)
        is_own = colour.space(info.get("icc_profile") or b"") == ("RGB", "GRAY")[colours.ndim == 2]
        photo = Photo(colours, alpha, profile=info.get("icc_profile") if is_own else None)
    if info.get("icc_profile") and not photo.profile and "CMYK" not in getattr(image, "mode", ""):
        notes.append("Its colour profile is not for its pixels and is left out.")
    colours = _upright(photo.colours, orientation)
    alpha = None if photo.alpha is None else _upright(photo.alpha, orientation)
    exif_bytes, is_damaged = None, bool(info.get("exif")) and not len(exif)
    try:
        said = exif_of_tiff(exif) if kind == "TIFF" or not info.get("exif") else info["exif"]
        exif_bytes = tidy_exif(said, (colours.shape[1], colours.shape[0])) if len(exif) else None
    except Exception:  # Pillow raises whatever breaks in it
        is_damaged = True
    if is_damaged:
        notes.append("Its EXIF is damaged and left out.")
    return Photo(
        colours,
        alpha,
        "JPEG" if kind == "MPO" else kind,
        tuple(notes),
        photo.profile,
        exif_bytes,
        tidy_xmp(info.get("xmp")),
        tidy_dpi(info.get("dpi")),
    )


def _upright(pixels: np.ndarray, orientation: object) -> np.ndarray:
    """Undo an EXIF orientation, 1 to 8; anything else counts as 1."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
