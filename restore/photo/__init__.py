"""Photos in and out of files: orientation, alpha, bit depth, profile and metadata survive."""

from .reading import MAX_PIXELS, decode, find_photos
from .value import SUFFIXES, Photo, PhotoError
from .writing import Metadata, encode

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Metadata",
    "Photo",
    "PhotoError",
    "decode",
    "encode",
    "find_photos",
]
