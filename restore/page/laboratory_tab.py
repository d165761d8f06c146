"""The tab Laboratory and the endpoint /distort."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import numpy as np
import torch
from pandas import DataFrame

from .. import MODELS
from ..distort import DISTORTIONS, check_setting, distort, draw_kernel
from ..metrics import psnr
from ..models import count_parameters
from ..photo import Photo
from ..weights import WeightsError
from .examples import CLEAR, clear_gallery
from .parts import pick_model, picture, score_table
from .restore_tab import preview, progress_in_words, written
from .results import RUNS, Stopped, restored
from .setting import COPY_LINK, NAMES, Setting, from_query
from .texts import t
from .viewer import SideBySide
from .work import Upload, opened, scores, sentences, stem

SIDE = 512
"""Longer side of the photo that the laboratory works on, in pixels: two cores keep up with it."""
CROP, STRENGTHS = 128, 7
"""Side of the crop that the curves are measured on, in pixels, and points per curve."""
DRAWN = 168
"""Side of the drawn kernel, in pixels, or a little less."""
KINDS = {
    "study": (t("kind_study"), t("strength_study")),
    "gaussian": (t("kind_gaussian"), t("strength_gaussian")),
    "defocus": (t("kind_defocus"), t("strength_defocus")),
    "motion": (t("kind_motion"), t("strength_motion")),
    "shake": (t("kind_shake"), t("strength_shake")),
    "noise": (t("kind_noise"), t("strength_noise")),
    "jpeg": (t("kind_jpeg"), t("strength_jpeg")),
}
"""Each distortion's name, and its strength with the unit."""
RANDOM = ("shake", "noise")
"""What the seed matters for, once a motion has its angle."""


def distorted(levels: np.ndarray, kind: str, strength: float, seed: int, angle: float | None):
    """uint8 [H, W, 3] -> the same. Raises ValueError."""
    x = torch.tensor(levels).permute(2, 0, 1)[None] / 255
    soft = distort(x, kind, strength, seed, angle)[0].permute(1, 2, 0)
    return soft.mul(255).round().byte().contiguous().numpy()


def distort_photo(
    photo: Upload, kind: str, strength: float, seed: int = 0, angle: float | None = None
) -> Iterator[str]:
    """Distort a clear photo.

    Args:
        photo: the clear photo, of any size.
        kind: study, gaussian, defocus, motion, shake, noise or jpeg.
        strength: how much, in the unit of that kind.
        seed: settles what is random, such as the noise or the path of a shake.
        angle: of a motion, in degrees above the horizontal, 0 to 180; left out, it is random.

    Returns:
        the distorted photo as PNG, 8-bit RGB.
    """
    with sentences(), tempfile.TemporaryDirectory() as folder:
        check_setting(kind, strength, seed, angle)
        levels = opened(photo, "clear photo").levels()
        path = Path(folder, f"{stem(photo)}-{kind}.png")
        yield str(written(Photo(distorted(levels, kind, strength, seed, angle)), path))


def distort_whole(photo: Upload, kind: str, strength: float, seed: int, angle: float):
    for path in distort_photo(photo, kind, strength, seed, angle):
        yield gr.File(path, visible=True)


def drawn_kernel(setting: Setting) -> np.ndarray | None:
    """The kernel as a picture, its largest value white: uint8 [H, W], or None."""
    kernel = draw_kernel(setting.kind, setting.strength, setting.seed, setting.angle)
    if kernel is None:
        return None
    levels = (kernel[0] / kernel.max() * 255).round().byte().numpy()
    return np.kron(levels, np.ones((max(1, DRAWN // len(levels)),) * 2, np.uint8))


def explore(
    photo: Upload,
    kind: str,
    strength: float,
    angle: float,
    seed: int,
    model: str,
    progress: gr.Progress = gr.Progress(),
    request: gr.Request = None,
) -> Iterator[tuple]:
    """Distorted, restored and clear; scores; kernel: as far as they are ready."""
    if not photo:
        yield None, None, None, gr.Column(visible=False), ""
        return
    setting = Setting(kind, strength, angle, seed, model)
    run = RUNS.run(request, "laboratory", (photo["path"], setting))
    with sentences(), tempfile.TemporaryDirectory() as folder, run as unwanted:
        check_setting(kind, strength, seed, angle)
        whole = opened(photo, "clear photo")
        small = preview(whole, SIDE)
        clear = small.levels()
        soft = distorted(clear, kind, strength, seed, angle)
        name = stem(photo)
        first = written(Photo(soft), Path(folder, f"{name}-{kind}.png")), "distorted"
        last = written(Photo(clear), Path(folder, f"{name}.png")), "clear"

        def shown(middle: Path, caption: str) -> list[tuple[Path, str]]:
            return [first, (middle, caption), last]

        kernel = drawn_kernel(setting)
        drawing = None if kernel is None else written(Photo(kernel), Path(folder, "kernel.png"))
        box = gr.Column(visible=kernel is not None)
        rows = [scores("distorted", soft, clear), ["restored", *["…"] * 3]]
        yield shown(first[0], "restoring …"), rows, drawing, box, t("laboratory_restoring")
        try:
            result = restored(Photo(soft), model, progress_in_words(progress), unwanted)
        except Stopped:
            return
        after = result.colours
        file = written(Photo(after), Path(folder, f"{name}-{kind}-{model}.png"))
        rows[1] = scores("restored", after, clear)
        gain = psnr(after, clear) - psnr(soft, clear)
        facts = f"{gain:+.2f} dB, " if np.isfinite(gain) else ""
        facts += f"{result.seconds:.1f} s, {small.size[0]} x {small.size[1]} px. "
        note = t("laboratory_small") if small.size != whole.size else ""
        yield shown(file, f"restored by {model}"), rows, gr.skip(), gr.skip(), facts + note


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
        levels = preview(opened(photo, "clear photo"), SIDE).levels()
        top, left = (max(0, (extent - CROP) // 2) for extent in levels.shape[:2])
        clear = np.ascontiguousarray(levels[top : top + CROP, left : left + CROP])
        points: list[tuple[str, float, float]] = []
        jobs = [(model, strength) for model in sorted(MODELS, key=size) for strength in strengths]
        for done, (model, strength) in enumerate(jobs):
            progress((done, len(jobs)), f"{model} at {strength:g}")
            soft = distorted(clear, kind, strength, seed, angle)
            try:
                after = restored(Photo(soft), model, unwanted=unwanted).colours
            except Stopped:
                return
            except WeightsError as error:
                gr.Warning(f"{model}: {error}")
                continue
            gain = psnr(after, clear) - psnr(soft, clear)
            if np.isfinite(gain):  # a strength of 0 leaves the photo as it is: infinite PSNR
                points.append((model, strength, round(gain, 3)))
            yield curves(points, DISTORTIONS[kind].unit)


def ladder(kind: str) -> list[float]:
    """Strengths from the lowest to the highest; the study's blur comes in whole times."""
    check_setting(kind, DISTORTIONS[kind].default if kind in DISTORTIONS else 0)
    spec = DISTORTIONS[kind]
    count = int(spec.high - spec.low) + 1 if kind == "study" else STRENGTHS
    return [round(float(strength), 1) for strength in np.linspace(spec.low, spec.high, count)]


def size(model: str) -> int:
    """Its parameters: small models first, so that the plot fills early."""
    with torch.device("meta"):
        return count_parameters(MODELS[model].build())


def curves(points: list[tuple[str, float, float]], unit: str) -> gr.LinePlot:
    table = DataFrame(points, columns=["model", "strength", "gain"])
    return gr.LinePlot(table, x_title=unit, visible=True)


def controls(
    kind: str, strength: float | None = None, angle: float | None = None, seed: int | None = None
) -> tuple:
    """The sliders that belong to a distortion; a value that is None stays, or is the usual one."""
    spec = DISTORTIONS[kind]

    def at(value: float | None) -> dict:
        return {} if value is None else {"value": value}

    return (
        gr.Slider(
            spec.low,
            spec.high,
            spec.default if strength is None else strength,
            step=1 if spec.high > 10 or kind == "study" else 0.1,
            label=KINDS[kind][1],
        ),
        gr.Slider(visible=kind == "motion", **at(angle)),
        gr.Number(visible=kind in RANDOM, **at(seed)),
    )


def open_link(request: gr.Request) -> tuple:
    """What a link brings: tab, photo, and the setting. Without one, all stays as it is."""
    query = dict(request.query_params)
    if not query.keys() & set(NAMES):
        return (gr.skip(),) * 7
    setting, sentence = from_query(query)
    if sentence:
        gr.Warning(sentence, title="Not all of the link is valid")
    sliders = controls(setting.kind, setting.strength, setting.angle, setting.seed)
    return gr.Tabs(selected="laboratory"), CLEAR[0], setting.kind, *sliders, setting.model


def want(photo: Upload, kind, strength, angle, seed, model, request: gr.Request) -> None:
    setting = Setting(kind, strength, angle, seed, model)
    RUNS.want(request, "laboratory", ((photo or {}).get("path"), setting))


def want_curves(request: gr.Request) -> None:
    RUNS.want(request, "curves", "curves")


def stop_run(request: gr.Request) -> None:
    RUNS.want(request, "laboratory", "nothing")
    RUNS.want(request, "curves", "nothing")


def chosen(event: gr.SelectData) -> Path:
    return CLEAR[event.index]


def laboratory_tab(work: dict, page: gr.Blocks, tabs: gr.Tabs) -> None:
    private = {"api_visibility": "private"}
    at_once = {**private, "queue": False, "show_progress": "hidden"}
    gr.Markdown(t("laboratory_intro"))
    with gr.Row(elem_classes="result-first"):
        with gr.Column(scale=2, min_width=320, elem_classes="givens"):
            clear = picture(
                t("laboratory_photo"),
                elem_id="clear",
                height=220,
                placeholder=t("laboratory_drop"),
                sources=["upload", "clipboard", "webcam"],
            )
            with gr.Column(elem_classes="settings"):
                kind = gr.Dropdown(
                    [(KINDS[name][0], name) for name in DISTORTIONS],
                    value=Setting.kind,
                    label=t("laboratory_kind"),
                    elem_id="laboratory-kind",
                )
                strength, angle, seed = (
                    gr.Slider(
                        DISTORTIONS[Setting.kind].low,
                        DISTORTIONS[Setting.kind].high,
                        Setting.strength,
                        step=0.1,
                        label=KINDS[Setting.kind][1],
                        elem_id="laboratory-strength",
                    ),
                    gr.Slider(
                        0,
                        180,
                        0,
                        step=1,
                        label=t("laboratory_angle"),
                        visible=False,
                        elem_id="laboratory-angle",
                    ),
                    gr.Number(
                        0,
                        label=t("laboratory_seed"),
                        precision=0,
                        minimum=0,
                        visible=False,
                        elem_id="laboratory-seed",
                    ),
                )
                model = pick_model()
                with gr.Row():
                    link = gr.Button(t("laboratory_link"), scale=2)
                    stop = gr.Button(t("stop"), scale=1)
                address = gr.Textbox(
                    label=t("laboratory_link_label"),
                    visible=False,
                    interactive=False,
                    buttons=["copy"],
                    elem_id="laboratory-link",
                )
            examples = clear_gallery()
        with gr.Column(scale=5, min_width=320, elem_classes="outcome"):
            view = SideBySide(elem_id="laboratory-view", group="laboratory")
            status = gr.Markdown(elem_id="laboratory-status", elem_classes="note", min_height=48)
            with gr.Row():
                with gr.Column(scale=3, min_width=280):
                    table = score_table("laboratory")
                with gr.Column(scale=1, min_width=180, visible=False) as kernel:
                    gr.Markdown(t("laboratory_kernel"), elem_classes="note")
                    drawing = gr.Image(
                        label=t("laboratory_kernel"),
                        show_label=False,
                        elem_id="laboratory-kernel",
                        height=200,
                        interactive=False,
                        buttons=[],
                    )
            with gr.Row():
                draw = gr.Button(t("laboratory_curves"))
                whole = gr.Button(t("laboratory_whole"))
            plot = gr.LinePlot(
                x="strength",
                y="gain",
                color="model",
                y_title="gain (dB)",
                title=t("laboratory_plot"),
                height=280,
                visible=False,
                elem_id="laboratory-plot",
            )
            file = gr.File(label=t("laboratory_file"), visible=False, interactive=False)
    values = [kind, strength, angle, seed, model]
    call = {
        "inputs": [clear, *values],
        "outputs": [view, table, drawing, kernel, status],
        "show_progress_on": status,
        "trigger_mode": "always_last",
        **private,
        **work,
    }
    told = {"inputs": [clear, *values], "preprocess": False, **at_once}
    moved = [clear.change, strength.input, angle.input, seed.input, model.input]
    gr.on(moved, want, trigger_mode="always_last", **told)
    run = gr.on(moved, explore, **call)
    adjusted = kind.input(controls, kind, [strength, angle, seed], **at_once)
    rerun = adjusted.then(want, **told).then(explore, **call)
    any_angle = gr.Number(None, visible=False)
    given = [clear, kind, strength, seed]
    gr.on([], distort_photo, [*given, any_angle], file, api_name="distort", **work)
    whole.click(distort_whole, [*given, angle], file, **private, **work)
    curve = draw.click(want_curves, **at_once).then(
        gain_curves, [clear, kind, angle, seed], plot, show_progress_on=status, **private, **work
    )
    clear.clear(
        lambda: (gr.LinePlot(visible=False), gr.File(visible=False)), None, [plot, file], **at_once
    )
    stop.click(stop_run, cancels=[run, rerun, curve], **at_once)
    link.click(None, values, address, js=COPY_LINK, **private)
    link.click(lambda: gr.Textbox(visible=True), None, address, **at_once)
    examples.select(chosen, None, clear, **at_once)
    page.load(open_link, None, [tabs, clear, *values], **at_once)
