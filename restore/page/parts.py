"""Components that more than one tab shows."""

import gradio as gr

from .. import MODELS
from ..working_size import PERCENT
from .texts import t

DEFAULT_MODEL = "unet-512"
SCORES = ["", "PSNR", "SSIM", "Sharpness"]


def picture(label: str, **options) -> gr.Image:
    return gr.Image(
        type="filepath",
        image_mode=None,
        label=label,
        **{"height": 280, "buttons": ["fullscreen"], **options},
    )


def describe(model: str) -> str:
    return f"{MODELS[model].sentence} For: {MODELS[model].blur}."


def pick_model(**options) -> gr.Radio:
    radio = gr.Radio(
        list(MODELS), value=DEFAULT_MODEL, label=t("model"), info=describe(DEFAULT_MODEL), **options
    )
    radio.change(
        lambda name: gr.Radio(info=describe(name)),
        radio,
        radio,
        api_visibility="private",
        queue=False,
    )
    return radio


def pick_scale(where: str) -> gr.Radio:
    """The working size; its values are the keys of `restore.working_size.PERCENT`."""
    return gr.Radio(
        [(t("scale_auto"), "auto"), *((f"{size} %", size) for size in PERCENT if size != "auto")],
        value="auto",
        label=t("scale"),
        info=t("scale_info"),
        elem_id=f"{where}-scale",
    )


def pick_metadata(where: str) -> gr.Radio:
    return gr.Radio(
        [
            (t("metadata_keep"), "keep"),
            (t("metadata_no_location"), "no-location"),
            (t("metadata_strip"), "strip"),
        ],
        value="keep",
        label=t("metadata"),
        elem_id=f"{where}-metadata",
        scale=3,
    )


def download_button() -> gr.DownloadButton:
    return gr.DownloadButton(t("download"), interactive=False, variant="primary")


def progress_line() -> gr.HTML:
    """Where the progress of a run is shown (show_progress_on), with no room taken otherwise."""
    return gr.HTML(elem_classes="status")


def score_table(where: str, headers: list[str] = SCORES) -> gr.Dataframe:
    table = gr.Dataframe(
        headers=headers,
        label=t("scores"),
        interactive=False,
        elem_id=f"{where}-scores",
        buttons=[],
    )
    gr.Markdown(t("scores_note"), elem_classes="note")
    return table
