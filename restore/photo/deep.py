"""PNG and TIFF in and out of arrays, 16-bit colour too, which Pillow cuts to 8 bits."""

import logging
import struct
import zlib
from itertools import accumulate
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin

from .metadata import raw_values

# What it has to say of a broken file, decode says in a sentence.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

STRIP = 1 << 18
"""Pixels in a strip of a TIFF, about."""


def read_png(data: bytes) -> np.ndarray:
    """A PNG without palette -> uint8 or uint16 [H, W, 1 to 4]; a transparent colour becomes alpha.

    Only what the pixels need is handed on: texts and profiles can be bombs.
    """
    import imagecodecs

    needed, at = [data[:8]], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] in (b"IHDR", b"tRNS", b"IDAT", b"IEND"):
            needed.append(data[at : at + 12 + length])
        at += 12 + length
    return np.atleast_3d(imagecodecs.png_decode(b"".join(needed)))


def read_tiff(file: BinaryIO, largest: int) -> np.ndarray:
    """The first page of a TIFF of 16-bit grey or RGB, with or without alpha -> uint16 [H, W, C].

    Raises ValueError if a tile has more than `largest` pixels.
    """
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        if (page.tilewidth or 0) * (page.tilelength or 0) > largest:
            raise ValueError("a tile is too large")
        array = np.atleast_3d(page.asarray(maxworkers=1))
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
            array = np.moveaxis(array, 0, -1)
        colours = 3 if page.photometric == tifffile.PHOTOMETRIC.RGB else 1
        if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
            array = np.concatenate([65535 - array[..., :1], array[..., 1:]], -1)
        extra = page.extrasamples[0] if page.extrasamples else tifffile.EXTRASAMPLE.UNASSALPHA
        if extra == tifffile.EXTRASAMPLE.UNSPECIFIED:
            return array[..., :colours]
        array = array[..., : colours + 1]
        if extra == tifffile.EXTRASAMPLE.ASSOCALPHA:
            alpha = array[..., colours:].astype(np.float32) / 65535
            divided = array[..., :colours] / np.maximum(alpha, 1 / 65535)
            array = np.concatenate(
                [divided.round().clip(0, 65535).astype(np.uint16), array[..., colours:]], -1
            )
    return array


def write_png(
    file: BinaryIO,
    samples: np.ndarray,
    profile: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> None:
    """uint8 or uint16 [H, W, 1 to 4] -> a PNG of 8 or 16 bits; the last of 2 or 4 is alpha.

    Written here, for Pillow knows no 16-bit colour, and with every row less the one above it and
    libdeflate it takes a third of imagecodecs' time and a tenth less room.
    """
    import imagecodecs

    height, width, channels = samples.shape
    values = np.ascontiguousarray(samples, samples.dtype.newbyteorder(">"))
    values = values.view(np.uint8).reshape(height, -1)
    rows = np.empty((height, 1 + values.shape[1]), np.uint8)
    rows[:, 0] = 2  # the filter "up"
    rows[0, 1:] = values[0]
    np.subtract(values[1:], values[:-1], out=rows[1:, 1:])
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    bits = 8 * samples.dtype.itemsize
    file.write(b"\x89PNG\r\n\x1a\n")
    file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)))
    if profile:
        file.write(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)))
    if dpi:
        file.write(_chunk(b"pHYs", struct.pack(">IIB", *(round(x / 0.0254) for x in dpi), 1)))
    if exif:
        file.write(_chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if xmp:
        file.write(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    file.write(_chunk(b"IDAT", imagecodecs.deflate_encode(rows, level=1)))
    file.write(_chunk(b"IEND", b""))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_tiff(
    file: BinaryIO,
    samples: np.ndarray,
    profile: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> None:
    """uint8 or uint16 [H, W, 1 to 4] -> a TIFF; the last of 2 or 4 channels is alpha.

    Written here, for Pillow knows no 16-bit colour and tifffile no EXIF.
    """
    height, width, channels = samples.shape
    rows = max(1, min(height, STRIP // width))
    strips = [_deflate(samples[top : top + rows]) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if exif:
        parsed = Image.Exif()
        parsed.load(exif)
        for tag, value in raw_values(parsed).items():
            tags[tag] = value
    tags[256], tags[257] = width, height
    tags[258] = (samples.dtype.itemsize * 8,) * channels
    tags[259], tags[317] = 8, 2  # deflate, each value less the one left of it
    tags[262] = 2 if channels >= 3 else 1
    tags[273] = tuple(accumulate([0, *sizes[:-1]]))
    tags[277], tags[278], tags[279], tags[284] = channels, rows, tuple(sizes), 1
    if channels in (2, 4):
        tags[338] = 2  # alpha, not multiplied into the colours
    if profile:
        tags[34675] = profile
    if xmp:
        tags[700] = xmp
    if dpi:
        tags[282], tags[283], tags[296] = *dpi, 2
    tags.save(file)
    file.writelines(strips)


def _deflate(strip: np.ndarray) -> bytes:
    differences = strip.copy()
    differences[:, 1:] -= strip[:, :-1]
    return zlib.compress(differences.astype(strip.dtype.newbyteorder("<")).tobytes(), 1)
