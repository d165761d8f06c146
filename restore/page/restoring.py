"""Restoring one photo, for the page and for programs: pair, scores, file, and what to say of it."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import gradio as gr
import numpy as np
from PIL import Image

from ..photo import Metadata, Photo, encode
from ..restorer import STEADIED
from ..working_size import Scale
from .parts import SCORES, headed
from .results import RUNS, Restored, Stopped, kept, loaded, restored
from .texts import t, translated
from .words import VERDICTS, verdict
from .work import (
    Upload,
    comparable,
    in_bands,
    opened,
    scores,
    sentence_of,
    sentences,
    sharpness_of,
    stem,
    suffix,
    working_size,
)

T = TypeVar("T")
PREVIEW_OVER, PREVIEW_SIDE = 2_000_000, 800
"""A photo of more pixels is shown at this longer side first, in pixels."""


class Shown(NamedTuple):
    """Which result is on the page."""

    path: str
    """Of the photo."""
    model: str
    scale: str
    """The working size that was asked for."""
    size: Scale | None
    """The one that it has; None: it is a preview."""


def wish(photo: Upload, model: str, reference: Upload, scale: str) -> tuple:
    """What a run is for, to tell it from another of the same visitor."""
    return (photo or {}).get("path"), model, (reference or {}).get("path"), scale


def blend(before: np.ndarray, after: np.ndarray, percent: float) -> np.ndarray:
    """0 per cent: as before, 100: as restored; both of one shape and dtype, as is the result."""
    if percent >= 100:
        return after
    mixed = np.empty_like(before)
    for one, other, to in in_bands(before, after, mixed):
        to[...] = (one + (other.astype(np.float32) - one) * (percent / 100)).round()
    return mixed


def preview(photo: Photo, side: int = PREVIEW_SIDE) -> Photo:
    """The photo with a longer side of at most `side` pixels, 8-bit RGB."""
    image = Image.fromarray(photo.levels())
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return Photo.from_image(image)


def written(photo: Photo, path: Path, metadata: Metadata = "keep") -> Path:
    encode(photo, path, metadata)
    return path


def steps(
    photo: Upload,
    model: str,
    reference: Upload,
    scale: str,
    at: float,
    progress: gr.Progress,
    request: gr.Request | None,
) -> Iterator[tuple]:
    """Pair, scores, download, what there is to say of the result and of the file, as they come.

    And the working size of the result that is shown; None: it is a preview.
    """
    run = RUNS.run(request, "restore", wish(photo, model, reference, scale), at)
    with sentences(), tempfile.TemporaryDirectory() as folder, run as unwanted:
        before = opened(photo)
        clear = comparable(reference, before)
        name = stem(photo)
        tell = progress_in_words(progress)
        size = working_size(scale)
        try:
            loaded(model, tell, unwanted)
            large = before.size[0] * before.size[1] > PREVIEW_OVER
            if at and large and not kept(before, model, size):  # no program looks on
                small = preview(before)
                rough = small.with_colours(restored(small, model, tell, unwanted).colours)
                quick = tuple(
                    written(one, Path(folder, f"{name}{kind}-preview.png"))
                    for one, kind in ((small, ""), (rough, f"-{model}"))
                )
                none = gr.DownloadButton(value=None, interactive=False)
                yield quick, headed(SCORES, []), none, t("restore_preview"), "", None
            source = written(before, Path(folder, f"{name}.png"))
            outcomes = judged(before, model, tell, unwanted, size)
            for turn, (result, sharp) in enumerate(as_far_as_it_goes(outcomes)):
                after = before.with_colours(result.colours)
                shown, file = Path(folder, f"shown {turn}"), Path(folder, f"download {turn}")
                shown.mkdir()
                file.mkdir()
                halves = source, written(after, shown / f"{name}-{model}.png")
                file /= f"{name}-{model}{suffix(photo, before)}"
                download = gr.DownloadButton(value=written(after, file), interactive=True)
                notes = "\n\n".join(map(translated, (*before.notes, *result.notes)))
                if size == "auto" and result.scale != "shake" and result.scale < 1:
                    notes = t("scale_chosen") + f" {100 * result.scale:.0f} %\n\n{notes}"
                words = VERDICTS[verdict(*sharp, model)]
                yield halves, gr.skip(), download, words, notes, result.scale
                rows = score_rows(before, after, clear, *sharp)
                # programs read the last one only
                yield halves, rows, file, gr.skip(), gr.skip(), result.scale
        except Stopped:
            yield (gr.skip(),) * 6


def judged(
    photo: Photo,
    model: str,
    tell: Callable[[float, str], None],
    unwanted: Callable[[], bool],
    size: Scale,
) -> Iterator[tuple[Restored, tuple[float | None, float | None]]]:
    """What the model makes of the photo; by auto, if there was any, without camera shake too.

    Each with the sharpness of the photo and its own. While others wait, shake is looked for only
    where it is asked for, or taken from what is kept. Raises what `restored` does.
    """
    result = restored(photo, model, tell, unwanted, size)
    sharp = sharpness_of_both(photo, result)
    yield result, sharp
    if size == "auto" and (RUNS.alone() or kept(photo, model, "shake")):
        steadied = restored(photo, model, tell, unwanted, "shake")
        if STEADIED in steadied.notes:
            yield steadied, (sharp[0], _sharpness(photo, steadied))


def as_far_as_it_goes(outcomes: Iterator[T]) -> Iterator[T]:
    """All that come; what fails after the first is a warning, for what is shown stays."""
    yield next(outcomes)
    try:
        yield from outcomes
    except Stopped:
        raise
    except Exception as error:
        gr.Warning(translated(sentence_of(error)))


def sharpness_of_both(photo: Photo, result: Restored) -> tuple[float | None, float | None]:
    """Of the photo and of its result."""
    return sharpness_of(photo.levels()), _sharpness(photo, result)


def _sharpness(photo: Photo, result: Restored) -> float | None:
    return sharpness_of(photo.with_colours(result.colours).levels())


def score_rows(
    before: Photo,
    after: Photo,
    clear: np.ndarray | None,
    sharp_before: float | None = None,
    sharp_after: float | None = None,
) -> dict:
    """The table of both; their `sharpness_of` need not be measured again where it is known."""
    rows = [
        scores("before", before.levels(), clear, sharp_before),
        scores("after", after.levels(), clear, sharp_after),
    ]
    return headed(SCORES, rows)


def progress_in_words(progress: gr.Progress):
    return lambda share, text: progress(share, desc=translated(text))


def restore_photo(
    photo: Upload,
    model: str,
    reference: Upload = None,
    scale: str = "auto",
    progress: gr.Progress = gr.Progress(),
    request: gr.Request = None,
) -> Iterator[tuple]:
    """Restore a blurred photo: soft focus, defocus, slight motion, noise, JPEG.

    Args:
        photo: the blurred photo, of any size up to 100 megapixels.
        model: unet-512 is the usual one, unet-1024 better and slower; cnn and gan are baselines.
        reference: the same photo, clear and of the same size, to measure PSNR and SSIM against.
        scale: the working size in per cent, 100, 50 or 25, or auto; smaller for wider blur.
            Or shake, which takes out one blur over the whole photo, if there is one, as auto does
            while nobody else waits.

    Returns:
        the pair (before, after) as PNG
        a table of PSNR (dB), SSIM and sharpness, before and after
        the result in the photo's own format, with its metadata
    """
    for pair, rows, download, *_ in steps(photo, model, reference, scale, 0, progress, request):
        yield pair, rows, download


def is_shown(shown: Shown | None, photo: Upload) -> bool:
    """Whether what is on the page is of that photo, not of one that was there before."""
    return bool(photo and shown) and shown.path == photo["path"]


def adjusted(photo: Upload, shown: Shown | None, strength: float) -> tuple[Photo, Photo] | None:
    """The photo and its result at that strength, or None where no result is shown and kept."""
    if not is_shown(shown, photo) or not shown.size:
        return None
    before = opened(photo)
    if not (result := kept(before, shown.model, shown.size)):
        return None
    return before, before.with_colours(blend(before.colours, result.colours, strength))
