"""Colour spaces: which one an ICC profile describes, and from it to sRGB."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SRGB = ImageCms.createProfile("sRGB")
INTENT = ImageCms.Intent.PERCEPTUAL
"""What browsers and image viewers use."""
MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
LARGEST = 4_000_000
"""Bytes of a profile; a longer one counts as broken."""


@lru_cache(maxsize=16)
def space(profile: bytes) -> str:
    """The colour space of an ICC profile: "RGB", "GRAY" or "CMYK"; "" if it cannot be used."""
    try:
        name = _read(profile).profile.xcolor_space.strip()
        _convert(Image.new(MODES[name], (1, 1)), profile)
    except Exception:  # Pillow names no narrower one for profiles that are broken
        return ""
    return name


def to_srgb(levels: np.ndarray, profile: bytes | None) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3] in the space of `profile` -> uint8 of the same shape in sRGB.

    Without a profile the colours are sRGB already.
    """
    if profile is None or _is_srgb(profile):
        return levels
    converted = np.asarray(_convert(Image.fromarray(levels), profile))
    return converted if levels.ndim == 3 else converted[..., 0]


def cmyk_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A PIL image of mode CMYK -> RGB; without a profile for CMYK by the plain formula."""
    if profile and space(profile) == "CMYK":
        return _convert(image, profile)
    return image.convert("RGB")


def _read(profile: bytes) -> ImageCms.ImageCmsProfile:
    if len(profile) > LARGEST:
        raise ValueError
    return ImageCms.ImageCmsProfile(io.BytesIO(profile))


def _convert(image: Image.Image, profile: bytes) -> Image.Image:
    return ImageCms.profileToProfile(image, _read(profile), SRGB, INTENT, outputMode="RGB")


@lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Whether the conversion would do nothing but round: 1 level at most, on a grid of colours."""
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    if space(profile) == "GRAY":
        grid = np.arange(256, dtype=np.uint8)[None]
    converted = np.asarray(_convert(Image.fromarray(grid), profile)).astype(int)
    return bool(abs(converted - (grid if grid.ndim == 3 else grid[..., None])).max() <= 1)
