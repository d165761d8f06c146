"""Components that more than one tab shows."""

from collections.abc import Iterable

import gradio as gr

from .. import MODELS
from ..working_size import WAYS
from .texts import about, t, translated

DEFAULT_MODEL = "unet-512"
COLOURS = dict(zip(MODELS, ("#0072b2", "#d55e00", "#009e73", "#cc79a7"), strict=True))
"""Of the models in plots, told apart by the colour-blind too (Okabe and Ito)."""
SCORES = ["", "PSNR", "SSIM", "Sharpness"]


def picture(label: str, **options) -> gr.Image:
    return gr.Image(
        type="filepath",
        image_mode=None,
        label=label,
        **{"height": 280, "buttons": ["fullscreen"], **options},
    )


def came_along(photo: gr.Image, reference: gr.Image) -> gr.Checkbox:
    """Whether the reference was set with the photo: then it goes when another one is uploaded."""
    along = gr.Checkbox(False, visible=False)
    here = {"fn": None, "api_visibility": "private"}
    forget = "(reference, along) => [along ? null : reference, false]"
    photo.upload(inputs=[reference, along], outputs=[reference, along], js=forget, **here)
    reference.upload(outputs=along, js="() => false", **here)
    return along


def pick_model(**options) -> gr.Radio:
    radio = gr.Radio(
        list(MODELS), value=DEFAULT_MODEL, label=t("model"), info=about(DEFAULT_MODEL), **options
    )
    radio.change(
        lambda name: gr.Radio(info=about(name)),
        radio,
        radio,
        api_visibility="private",
        queue=False,
    )
    return radio


def pick_scale(where: str) -> gr.Radio:
    """The way to go about the photo; its values are the keys of `restore.working_size.WAYS`."""
    words = {"auto": t("scale_auto"), "shake": t("scale_shake")}
    return gr.Radio(
        [(words.get(way, f"{way} %"), way) for way in WAYS],
        value="auto",
        label=t("scale"),
        show_label=False,
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
    )


def download_button() -> gr.DownloadButton:
    return gr.DownloadButton(t("download"), interactive=False, variant="primary")


def colours(models: Iterable[str]) -> dict[str, str]:
    """For LinePlot(color_map=...): it draws no model that was not among them when it began anew."""
    present = set(models)
    return {name: colour for name, colour in COLOURS.items() if name in present}


def progress_line() -> gr.HTML:
    """Where the progress of a run is shown (show_progress_on), with no room taken otherwise."""
    return gr.HTML(elem_classes="status")


def headed(headers: list[str], rows: list[list[str]], **metadata: object) -> dict:
    """The value of a table, its heads in the visitor's language."""
    return {"headers": [translated(head) for head in headers], "data": rows, **metadata}


def score_table(where: str, headers: list[str] = SCORES) -> gr.Dataframe:
    """Scores; without a value it is not shown, so the heads may be English until it has one."""
    table = gr.Dataframe(
        headers=headers,
        label=t("scores"),
        interactive=False,
        elem_id=f"{where}-scores",
        buttons=[],
    )
    gr.Markdown(t("scores_note"), elem_classes="note")
    return table
