"""What all parts of the page work with: uploads, models, scores, and failures as sentences."""

import re
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np

from .. import MODELS, Restorer, load
from ..metrics import SMALLEST, psnr, sharpness, ssim
from ..photo import SUFFIXES, Photo, PhotoError, decode
from ..restorer import DeviceError
from ..weights import WeightsError, locate, read_config

WEIGHTS: list[str | None] = [None]
"""Where the weights come from: set once at start, never by a visitor."""

PACE: dict[str, float] = {}
"""Pixels per second of the last run of each model: what the time left is estimated by."""

Upload = dict | None
"""What a picture component hands over unprocessed: {"path": ..., "orig_name": ...}."""


@lru_cache(maxsize=len(MODELS))
def restorer(name: str) -> Restorer:
    """The model of that name, loaded once and warmed, so that the first photo is not the slow one.

    Raises WeightsError or DeviceError.
    """
    loaded = load(name, WEIGHTS[0])
    probe = np.zeros((128, 128, 3), np.uint8)
    for _ in range(2):  # the first run prepares what later ones find prepared
        started = time.perf_counter()
        loaded.restore(probe)
    PACE[name] = probe.size / 3 / (time.perf_counter() - started)
    return loaded


def is_loaded(name: str) -> bool:
    return name in PACE


@lru_cache(maxsize=len(MODELS))
def fingerprint(name: str) -> str:
    """The SHA-256 of the weights in use. Raises WeightsError."""
    return read_config(locate(name, WEIGHTS[0])).get("sha256", "")


FAILED = "This did not work"


@contextmanager
def sentences() -> Iterator[None]:
    """Show every failure as a sentence on the page."""
    try:
        yield
    except (PhotoError, WeightsError, DeviceError, ValueError, MemoryError) as error:
        raise gr.Error(str(error), duration=None, title=FAILED) from None
    except gr.Error:
        raise
    except Exception as error:
        traceback.print_exc()
        raise gr.Error(
            "Something went wrong on our side, not with your photo. Try again, or another model.",
            duration=None,
            title=FAILED,
        ) from error


def opened(upload: Upload, what: str) -> Photo:
    if not upload or not upload.get("path"):
        raise PhotoError(f"There is no {what} yet: drop, paste or pick one first.")
    try:
        return decode(upload["path"])
    except PhotoError as error:
        name = Path(upload["path"]).name
        raise PhotoError(str(error).replace(name, upload.get("orig_name") or name, 1)) from None


def stem(upload: Upload) -> str:
    """The photo's own name, without anything that a file name should not have."""
    name = Path(upload.get("orig_name") or upload["path"]).stem
    return re.sub(r"[^\w.() -]", "_", name)[:80] or "photo"


def suffix(upload: Upload, photo: Photo) -> str:
    """The ending of the photo's own name where it is true, else the one of its format."""
    own = Path(upload.get("orig_name") or upload["path"]).suffix.lower()
    if SUFFIXES.get(own) == photo.format:
        return own
    return next((end for end, kind in SUFFIXES.items() if kind == photo.format), ".png")


def scores(label: str, photo: np.ndarray, reference: np.ndarray | None) -> list[str]:
    """One row: PSNR and SSIM where there is a reference, and sharpness, which needs none."""
    small = min(photo.shape[:2]) < SMALLEST
    sharp = "too small" if small else f"{sharpness(photo):.3f}"
    if reference is None:
        return [label, "–", "–", sharp]
    decibels = f"{psnr(photo, reference):.2f}"
    return [label, decibels, "too small" if small else f"{ssim(photo, reference):.4f}", sharp]


def comparable(reference: Upload, photo: Photo) -> np.ndarray | None:
    """The levels of the clear reference, or None where there is none of the photo's size."""
    if not reference:
        return None
    clear = opened(reference, "clear reference")
    if clear.size == photo.size:
        return clear.levels()
    (width, height), (other_width, other_height) = photo.size, clear.size
    gr.Warning(
        f"The photo is {width} x {height} pixels and its clear reference {other_width} x "
        f"{other_height}. PSNR and SSIM need two of the same size, so there are none.",
        title="Not compared",
    )
    return None
