"""Restore blurred photos.

from restore import load
clear = load("unet-512").restore(photo)   # a PIL image or an array -> the same type, mode and size
"""

from .models import MODELS
from .restorer import Restorer, load

__all__ = ["MODELS", "Restorer", "load"]
