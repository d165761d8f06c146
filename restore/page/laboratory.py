"""What the laboratory computes: distortions, scores, kernels and curves; the endpoint /distort."""

import base64
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import torch
from pandas import DataFrame
from PIL import Image

from .. import MODELS
from ..distort import DISTORTIONS, check_setting, distort, draw_kernel, find
from ..metrics import psnr
from ..models import count_parameters
from ..photo import Photo
from .parts import SCORES, colours, headed
from .restoring import preview, progress_in_words, written
from .results import RUNS, Stopped, kept, meanwhile, restored, time_words, tried
from .setting import Setting
from .texts import t, translated
from .work import LOADED, PACE, Upload, opened, scores, sentences, stem

SIDE = 512
"""Longer side of the photo that the laboratory works on, in pixels: two cores keep up with it."""
CROP, STRENGTHS = 128, 7
"""Side of the crop that the curves are measured on, in pixels, and points per curve."""
UNFINISHED = "…"
"""Stands for a score that is still to come."""
UNSEEN = 45
"""PSNR in dB from which a distortion is not seen: there is nothing to gain, and much to lose."""


def distorted(levels: np.ndarray, kind: str, strength: float, seed: int, angle: float | None):
    """uint8 [H, W, 3] -> the same. Raises ValueError."""
    x = torch.tensor(levels).permute(2, 0, 1)[None] / 255
    soft = distort(x, kind, strength, seed, angle)[0].permute(1, 2, 0)
    return soft.mul(255).round().byte().contiguous().numpy()


def distort_photo(
    photo: Upload,
    kind: str,
    strength: float,
    seed: int = 0,
    angle: float | None = None,
    progress: gr.Progress = gr.Progress(),
) -> Iterator[str]:
    """Distort a clear photo on purpose, to see later what a model brings back.

    Args:
        photo: the clear photo, of any size up to 100 megapixels.
        kind: study, gaussian, defocus, motion, shake, noise or jpeg.
        strength: sigma, radius, length or extent in pixels; noise: levels of 255; jpeg: quality.
        seed: settles what is random, such as the noise or the path of a shake.
        angle: of a motion, in degrees above the horizontal, 0 to 180; left out, it is random.

    Returns:
        the distorted photo as PNG, 8-bit RGB
    """
    with sentences(), tempfile.TemporaryDirectory() as folder:
        check_setting(kind, strength, seed, angle)
        levels = opened(photo).levels()
        path = Path(folder, f"{stem(photo)}-{kind}.png")

        def distort_all(levels: np.ndarray, path: Path) -> Path:
            return written(Photo(distorted(levels, kind, strength, seed, angle)), path)

        def tell(share: float, left: str) -> None:
            progress(share, desc=translated(f"distorting, {left} left"))

        started, part = time.perf_counter(), np.ascontiguousarray(levels[:CROP, :CROP])
        distort_all(part, Path(folder, "part.png"))
        seconds = (time.perf_counter() - started) * levels.size / part.size
        yield str(meanwhile(lambda: distort_all(levels, path), seconds, tell))


def drawn_kernel(setting: Setting) -> str:
    """The kernel as a picture with its largest value white, as HTML; "" where there is none."""
    kernel = draw_kernel(setting.kind, setting.strength, setting.seed, setting.angle)
    if kernel is None:
        return ""
    file = io.BytesIO()
    levels = (kernel[0] / kernel.max() * 255).round().byte().numpy()
    Image.fromarray(levels).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    side = len(levels)
    words = translated(f"Kernel, {side} pixels wide")
    return f'<img class="kernel" alt="{words}" src="data:image/png;base64,{data}">'


def explore(
    photo: Upload,
    kind: str,
    strength: float,
    angle: float,
    seed: int,
    model: str,
    at: float = 0,
    progress: gr.Progress = gr.Progress(),
    request: gr.Request = None,
) -> Iterator[tuple]:
    """Distorted, restored and clear; scores; kernel: as far as they are ready."""
    if not photo:
        yield None, None, "", gr.Column(visible=False), ""
        return
    given = Setting(kind, strength, angle, seed, model)
    run = RUNS.run(request, "laboratory", (photo["path"], given), at)
    with sentences(), tempfile.TemporaryDirectory() as folder, run as unwanted:
        setting = given.nearest()
        whole = opened(photo)
        small = preview(whole, SIDE)
        clear = small.levels()
        soft = distorted(clear, kind, setting.strength, setting.seed, setting.angle)
        name = stem(photo)
        first = written(Photo(soft), Path(folder, f"{name}-{kind}.png")), translated("distorted")
        last = written(Photo(clear), Path(folder, f"{name}.png")), translated("clear")

        def shown(middle: Path, caption: str) -> list[tuple[Path, str]]:
            return [first, (middle, caption), last]

        kernel = drawn_kernel(setting)
        box = gr.Column(visible=bool(kernel))
        rows = [scores("distorted", soft, clear), [translated("restored"), *[UNFINISHED] * 3]]
        if model not in LOADED or not kept(Photo(soft), model):
            words = translated("restoring …")
            table = headed(SCORES, rows)
            yield shown(first[0], words), table, kernel, box, t("laboratory_restoring")
        try:
            result = restored(Photo(soft), model, progress_in_words(progress), unwanted)
        except Stopped:
            yield (gr.skip(),) * 5  # or Gradio shows the last answer again, over what came since
            return
        except Exception:  # what failed must not look as if it still ran
            yield [first, last], headed(SCORES, rows[:1]), kernel, box, ""
            raise
        after = result.colours
        file = written(Photo(after), Path(folder, f"{name}-{kind}-{model}.png"))
        rows[1] = scores("restored", after, clear)
        gain = psnr(after, clear) - psnr(soft, clear)
        facts = f"{gain:+z.2f} dB, " if np.isfinite(gain) else ""
        facts += f"{result.seconds:.2f} s, {small.size[0]} x {small.size[1]} px. "
        note = t("laboratory_small") if small.size != whole.size else ""
        words = translated(f"restored by {model}")
        yield shown(file, words), headed(SCORES, rows), kernel, box, facts + note


def gain_curves(
    photo: Upload,
    kind: str,
    angle: float,
    seed: int,
    progress: gr.Progress = gr.Progress(),
    request: gr.Request = None,
) -> Iterator[gr.LinePlot]:
    """What each model gains in dB over the distorted crop, at one strength after the other."""
    with sentences(), RUNS.run(request, "curves", "curves") as unwanted:
        strengths = ladder(kind)
        levels = preview(opened(photo), SIDE).levels()
        top, left = (max(0, (extent - CROP) // 2) for extent in levels.shape[:2])
        clear = np.ascontiguousarray(levels[top : top + CROP, left : left + CROP])
        points: list[tuple[str, float, float]] = []
        jobs = [(model, strength) for model in sorted(MODELS, key=size) for strength in strengths]
        failed: set[str] = set()
        for done, (model, strength) in enumerate(jobs):
            if model in failed:
                continue
            left = time_left([model for model, _ in jobs[done:]])
            progress(done / len(jobs), translated(f"measuring {model}, {left} left"))
            soft = distorted(clear, kind, strength, seed, angle)
            try:
                result = tried(Photo(soft), model, unwanted=unwanted)
            except Stopped:
                yield gr.skip()  # likewise
                return
            if result is None:
                failed.add(model)
                continue
            before = psnr(soft, clear)
            if before < UNSEEN:
                points.append((model, strength, round(psnr(result.colours, clear) - before, 3)))
            yield curves(points, DISTORTIONS[kind].unit)


def time_left(models: list[str]) -> str:
    """For one crop with each of them; what has not run yet counts as the slowest that has."""
    slowest = min(PACE.values(), default=CROP * CROP)
    seconds = sum(CROP * CROP / PACE.get(model, slowest) for model in models)
    return time_words(max(seconds, 1))


def ladder(kind: str) -> list[float]:
    """Strengths from the lowest to the highest; the study's blur comes in whole times."""
    spec = find(kind)
    count = int(spec.high - spec.low) + 1 if kind == "study" else STRENGTHS
    return [round(float(strength), 1) for strength in np.linspace(spec.low, spec.high, count)]


def size(model: str) -> int:
    """Its parameters: small models first, so that the plot fills early."""
    with torch.device("meta"):
        return count_parameters(MODELS[model].build())


def curves(points: list[tuple[str, float, float]], unit: str) -> gr.LinePlot:
    table = DataFrame(points, columns=["model", "strength", "gain"])
    gain = translated("Gain (dB)")
    words = {"x_title": translated(unit), "y_title": gain, "title": gain}
    words["color_title"] = translated("Model")
    return gr.LinePlot(table, color_map=colours(table["model"]), visible=True, **words)
