"""What all parts of the page work with: uploads, models, scores, and failures as sentences."""

import html
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from .. import MODELS, Restorer, load
from ..metrics import SMALLEST, psnr, sharpness, ssim
from ..photo import PhotoError, decode, pixels
from ..restorer import DeviceError
from ..weights import WeightsError, is_local
from .guard import origin

try:
    import spaces

    on_gpu = spaces.GPU  # ZeroGPU lends a GPU to what is marked so
except ImportError:

    def on_gpu(function):
        return function


WEIGHTS: list[str | None] = [None]
"""Where the weights come from: set once at start, never by a visitor."""

FALLBACKS: dict[str, str] = {}
"""Models whose bundled weights serve in place of those of the Hub -> why."""

Upload = dict | None
"""What a picture component hands over unprocessed: {"path": ..., "orig_name": ...}."""


log = logging.getLogger("restore.page")


@lru_cache(maxsize=len(MODELS))
def restorer(name: str) -> Restorer:
    """The model of that name, loaded once.

    Where the Hub does not give its weights, the bundled ones serve, and page and log say so.
    Raises WeightsError or DeviceError.
    """
    try:
        loaded = load(name, WEIGHTS[0])
    except WeightsError as error:
        if name not in MODELS or is_local(WEIGHTS[0]):
            raise
        log.warning("%s The weights that came with the program serve instead.", error)
        FALLBACKS[name] = str(error)
        loaded = load(name)
    return loaded


def fallback_notice() -> dict:
    """The banner about weights that are not those asked for; invisible while there are none."""
    if not FALLBACKS:
        return gr.update(visible=False)
    names, reason = ", ".join(FALLBACKS), html.escape(next(iter(FALLBACKS.values())))
    return gr.update(
        visible=True,
        value=f"⚠️ **{names}: the weights that came with the program serve here, not those "
        f"asked for.** {reason}",
    )


@contextmanager
def sentences() -> Iterator[None]:
    """Show every failure as a sentence on the page; the log learns no names and no contents."""
    try:
        yield
    except (PhotoError, WeightsError, DeviceError, ValueError, MemoryError) as error:
        sentence = str(error) or "The server ran out of memory. Please try a smaller photo."
    except gr.Error:
        raise
    except Exception as error:
        log.error("%s in %s", type(error).__name__, origin(error))
        sentence = "This did not work, and the fault is not yours. Please try again."
        if isinstance(error, RuntimeError) and "allocate memory" in str(error):
            sentence = "The server ran out of memory. Please try a smaller photo."
    else:
        return
    raise gr.Error(
        html.escape(sentence, quote=False),
        duration=None,
        title="This did not work",
        print_exception=False,
    )


def opened(upload: Upload, what: str) -> Image.Image:
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


def scores(label: str, photo: np.ndarray, reference: np.ndarray | None) -> list[str]:
    """One row: PSNR and SSIM where there is a reference, and sharpness, which needs none."""
    small = min(photo.shape[:2]) < SMALLEST
    sharp = "too small" if small else f"{sharpness(photo):.3f}"
    if reference is None:
        return [label, "–", "–", sharp]
    decibels = f"{psnr(photo, reference):.2f}"
    return [label, decibels, "too small" if small else f"{ssim(photo, reference):.4f}", sharp]


def comparable(reference: Upload, photo: Image.Image) -> np.ndarray | None:
    """The clear reference, or None where there is none of the photo's size."""
    if not reference:
        return None
    clear = opened(reference, "clear reference")
    if clear.size == photo.size:
        return pixels(clear)
    gr.Warning(
        f"The photo is {photo.width} x {photo.height} pixels and its clear reference {clear.width} "
        f"x {clear.height}. PSNR and SSIM need two of the same size, so there are none.",
        title="Not compared",
    )
    return None
