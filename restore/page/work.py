"""What all parts of the page work with: uploads, models, scores, and failures as sentences."""

import errno
import html
import logging
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

import gradio as gr
import numpy as np

from .. import MODELS, Restorer, load
from ..engine import DeviceError, is_out_of_memory
from ..metrics import BAND, SMALLEST, psnr, sharpness, ssim
from ..photo import SUFFIXES, Photo, PhotoError, decode
from ..weights import WeightsError, is_local, locate, read_config
from ..working_size import WAYS, Scale
from .guard import DISK_FULL, origin
from .texts import translated

WEIGHTS: list[str | None] = [None]
"""Where the weights come from: set once at start, never by a visitor."""

FALLBACKS: dict[str, str] = {}
"""Models whose bundled weights serve in place of those of the Hub -> why."""
PACE: dict[str, float] = {}
"""Pixels per second of the last run of each model: what the time left is estimated by."""

Upload = dict | None
"""What a picture component hands over unprocessed: {"path": ..., "orig_name": ...}."""


log = logging.getLogger("restore.page")


LOADED: dict[str, Restorer] = {}
"""The models that are ready to restore."""
_LOADING = {name: threading.Lock() for name in MODELS}


def restorer(name: str) -> Restorer:
    """The model of that name, loaded once and warmed, so that the first photo is not the slow one.

    Where the Hub does not give its weights, the bundled ones serve, and page and log say so.
    Raises WeightsError or DeviceError.
    """
    with _LOADING.get(name) or nullcontext():  # two visitors may be the first at the same time
        if name not in LOADED:
            LOADED[name] = _load(name)
        return LOADED[name]


def _load(name: str) -> Restorer:
    try:
        loaded = load(name, WEIGHTS[0])
    except WeightsError as error:
        if name not in MODELS or is_local(WEIGHTS[0]):
            raise
        log.warning("%s The weights that came with the program serve instead.", error)
        FALLBACKS[name] = str(error)
        loaded = load(name)
    probe = np.zeros((128, 128, 3), np.uint8)
    for _ in range(2):  # the first run prepares what later ones find prepared
        started = time.perf_counter()
        loaded.restore(probe)
    PACE[name] = probe.size / 3 / (time.perf_counter() - started)
    return loaded


@lru_cache(maxsize=len(MODELS))
def fingerprint(name: str) -> str:
    """The SHA-256 of the weights in use. Raises WeightsError."""
    return read_config(locate(name, None if name in FALLBACKS else WEIGHTS[0])).get("sha256", "")


def fallback_notice() -> dict:
    """The banner about weights that are not those asked for; invisible while there are none."""
    if not FALLBACKS:
        return gr.update(visible=False)
    names, reason = ", ".join(FALLBACKS), html.escape(next(iter(FALLBACKS.values())))
    words = translated(
        f"{names}: the weights that came with the program serve here, not those asked for."
    )
    return gr.update(visible=True, value=f"⚠️ **{words}** {reason}")


def sentence_of(error: Exception) -> str:
    """What a visitor is told of a failure, in English; the log learns no names and no contents."""
    ours = (PhotoError, WeightsError, DeviceError, ValueError, MemoryError)
    if isinstance(error, ours) and str(error):
        return str(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return DISK_FULL
    if is_out_of_memory(error):
        return "The server ran out of memory. Please try a smaller photo."
    log.error("%s in %s", type(error).__name__, origin(error))
    return "This did not work, and the fault is not yours. Please try again."


@contextmanager
def sentences() -> Iterator[None]:
    """Show every failure as a sentence on the page."""
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:
        sentence = sentence_of(error)
    else:
        return
    raise gr.Error(
        html.escape(translated(sentence), quote=False),
        duration=None,
        title=translated("This did not work"),
        print_exception=False,
    )


def working_size(percent: str) -> Scale:
    """As `Restorer.restore` takes it. Raises ValueError for what is not offered."""
    if percent not in WAYS:
        sizes = ", ".join(WAYS)
        raise ValueError(f"There is no working size {percent!r}. Choose one of: {sizes}.")
    return WAYS[percent]


def opened(upload: Upload) -> Photo:
    if not upload or not upload.get("path"):
        raise PhotoError("There is no photo yet: drop, paste or pick one first.")
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


def in_bands(*arrays: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Views of a few rows of each at a time; [H, W, ...] of one height.

    What is computed from large photos is held for these rows only.
    """
    height, width = arrays[0].shape[:2]
    step = max(BAND // max(width, 1), 1)
    for top in range(0, height, step):
        yield tuple(array[top : top + step] for array in arrays)


def sharpness_of(photo: np.ndarray) -> float | None:
    """As `metrics.sharpness`, but None where the photo is too small for it."""
    return None if min(photo.shape[:2]) < SMALLEST else sharpness(photo)


def scores(
    label: str, photo: np.ndarray, reference: np.ndarray | None, sharp: float | None = None
) -> list[str]:
    """One row: PSNR and SSIM where there is a reference, and sharpness, which needs none.

    `sharp` is `sharpness_of` the photo where it is known already.
    """
    label = translated(label)
    small = translated("too small") if min(photo.shape[:2]) < SMALLEST else ""
    sharp = small or f"{sharp or sharpness(photo):.3f}"
    if reference is None:
        return [label, "–", "–", sharp]
    return [label, f"{psnr(photo, reference):.2f}", small or f"{ssim(photo, reference):.4f}", sharp]


def comparable(reference: Upload, photo: Photo) -> np.ndarray | None:
    """The levels of the clear reference, or None where there is none of the photo's size.

    What is wrong with it is said as a warning: the photo can be restored all the same.
    """
    if not reference:
        return None
    try:
        clear = opened(reference)
    except PhotoError as error:
        gr.Warning(translated(str(error)))
        return None
    if clear.size == photo.size:
        return clear.levels()
    (width, height), (other_width, other_height) = photo.size, clear.size
    gr.Warning(
        translated(
            f"The photo is {width} x {height} pixels and its clear reference {other_width} x "
            f"{other_height}. PSNR and SSIM need two of the same size, so there are none."
        )
    )
    return None
