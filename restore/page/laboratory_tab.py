"""The tab Laboratory: sliders, links, and what answers them."""

from pathlib import Path

import gradio as gr
from gradio.components.gallery import GalleryData
from pandas import DataFrame

from ..distort import DISTORTIONS
from .examples import CLEAR, clear_gallery
from .laboratory import UNFINISHED, distort_photo, explore, gain_curves
from .parts import pick_model, picture, progress_line, score_table
from .results import RUNS
from .setting import COPY_LINK, NAMES, Setting, from_query, whole_seed
from .texts import t, translated
from .viewer import SideBySide
from .work import Upload

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
DATED = "(...given) => [...given.slice(0, -1), Date.now()]"


def distort_whole(
    photo: Upload,
    kind: str,
    strength: float,
    seed: int,
    angle: float,
    progress: gr.Progress = gr.Progress(),
):
    for path in distort_photo(photo, kind, strength, seed, angle, progress):
        yield gr.File(path, visible=True)


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
        gr.Warning(translated(sentence))
    sliders = controls(setting.kind, setting.strength, setting.angle, setting.seed)
    return gr.Tabs(selected="laboratory"), CLEAR[0], setting.kind, *sliders, setting.model


def want(photo: Upload, kind, strength, angle, seed, model, at: float, request: gr.Request) -> None:
    setting = Setting(kind, strength, angle, seed, model)
    RUNS.want(request, "laboratory", ((photo or {}).get("path"), setting), at)


def want_curves(at: float, request: gr.Request) -> None:
    RUNS.want(request, "curves", "curves", at)


def forget_curves(at: float, request: gr.Request) -> tuple:
    """They are of another photo or setting."""
    RUNS.stop(request, "curves", at)
    return gr.LinePlot(visible=False), gr.Markdown(visible=False)


def stop_run(view: GalleryData | None, table: DataFrame, at: float, request: gr.Request) -> tuple:
    """What was not finished is not left there as if it still ran."""
    RUNS.stop(request, "curves", at)
    if not RUNS.stop(request, "laboratory", at):
        return (gr.skip(),) * 3
    if view is None:
        return gr.skip(), gr.skip(), t("restore_stopped")
    if not table.isin([UNFINISHED]).any(axis=None):
        return gr.skip(), gr.skip(), t("restore_stopped_before")
    first, _, last = view.root
    whole = [(one.image.path, one.caption) for one in (first, last)]
    return whole, table.iloc[:1], t("restore_stopped")


def put_right(kind: str, strength, angle, seed, model: str) -> tuple:
    """The setting that is shown, which may not be what stands in the fields; room for a link."""
    setting = Setting(kind, strength, angle, seed, model).nearest()
    return setting.strength, setting.angle, setting.seed, gr.Textbox(visible=True)


def chosen(event: gr.SelectData) -> Path:
    return CLEAR[event.index]


def laboratory_tab(work: dict, page: gr.Blocks, tabs: gr.Tabs) -> None:
    private = {"api_visibility": "private"}
    at_once = {**private, "queue": False, "show_progress": "hidden"}
    gr.Markdown(t("laboratory_intro"))
    with gr.Row(elem_id="laboratory", elem_classes="result-first"):
        with gr.Column(scale=2, min_width=320, elem_classes="givens"):
            clear = picture(
                t("laboratory_photo"),
                elem_id="clear",
                elem_classes="takes-photos",
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
                    info=t("laboratory_link_info"),
                    visible=False,
                    interactive=False,
                    buttons=["copy"],
                    elem_id="laboratory-link",
                )
        with gr.Column(scale=5, min_width=320, elem_classes="outcome"):
            view = SideBySide(elem_id="laboratory-view", group="laboratory")
            progress = progress_line()
            status = gr.Markdown(elem_id="laboratory-status", elem_classes="note")
            with gr.Column(elem_classes=["when-done", "details"]):
                with gr.Row():
                    with gr.Column(scale=3, min_width=280):
                        table = score_table("laboratory")
                    with gr.Column(scale=1, min_width=180, visible=False) as kernel:
                        gr.Markdown(t("laboratory_kernel"), elem_classes="note")
                        drawing = gr.HTML(elem_id="laboratory-kernel")
                with gr.Row():
                    draw = gr.Button(t("laboratory_curves"))
                    whole = gr.Button(t("laboratory_whole"))
                words = gr.Markdown(t("laboratory_plot"), visible=False, elem_classes="note")
                plot = gr.LinePlot(
                    x="strength",
                    y="gain",
                    color="model",
                    height=280,
                    visible=False,
                    elem_id="laboratory-plot",
                )
                file = gr.File(label=t("laboratory_file"), visible=False, interactive=False)
            examples = clear_gallery(page)
    values = [kind, strength, angle, seed, model]
    at = gr.Number(visible=False)
    now = {"inputs": at, "js": "() => Date.now()"}
    dated = {
        "inputs": [clear, *values, at],
        "js": DATED,
    }
    call = {
        "outputs": [view, table, drawing, kernel, status],
        "show_progress_on": progress,
        "trigger_mode": "always_last",
        **dated,
        **private,
        **work,
    }
    told = {"preprocess": False, **dated, **at_once}
    moved = [clear.change, strength.input, angle.input, seed.input, model.input]
    gr.on(moved, want, trigger_mode="always_last", **told)
    run = gr.on(moved, explore, **call)
    adjusted = kind.input(controls, kind, [strength, angle, seed], **at_once)
    rerun = adjusted.then(want, **told).then(explore, **call)
    any_angle = gr.Number(None, visible=False)
    given = [clear, kind, strength, seed]
    gr.on([], distort_photo, [*given, any_angle], file, api_name="distort", **work)
    distorting = whole.click(
        distort_whole, [*given, angle], file, show_progress_on=progress, **private, **work
    )
    curve = draw.click(want_curves, **now, **at_once).then(
        gain_curves, [clear, kind, angle, seed], plot, show_progress_on=progress, **private, **work
    )
    gr.on([seed.blur, seed.submit], whole_seed, seed, seed, **at_once)
    others = [clear.input, examples.select, kind.input, angle.input, seed.input]
    gr.on(others, forget_curves, outputs=[plot, words], **now, **at_once)
    hidden = {"outputs": file, "cancels": distorting, **at_once}
    gr.on([*others, strength.input], lambda: gr.File(visible=False), **hidden)
    plot.change(lambda: gr.Markdown(visible=True), None, words, **at_once)
    stop.click(None, cancels=[run, rerun, curve, distorting], **private)
    stop.click(stop_run, [view, table, at], [view, table, status], js=DATED, **at_once)
    link.click(put_right, values, [*values[1:4], address], **at_once).then(
        None, values, address, js=COPY_LINK, **private
    )
    examples.select(chosen, None, clear, **at_once)
    examples.select(None, js="() => { document.querySelector('#clear').scrollIntoView() }")
    page.load(open_link, None, [tabs, clear, *values], show_progress="hidden", **private)
