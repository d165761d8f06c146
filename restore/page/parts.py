"""Components that more than one tab shows."""

import gradio as gr

from .. import MODELS

DEFAULT_MODEL = "unet-512"
BUTTONS = ["download", "fullscreen"]
SCORES = ["", "PSNR", "SSIM", "Sharpness"]
SCORES_NOTE = (
    "PSNR (dB) and SSIM compare with the clear original and need one. Sharpness, 0 to 1, needs "
    "none: it says how sharp a photo looks, not how good it is."
)


def picture(label: str, **options) -> gr.Image:
    return gr.Image(
        type="filepath", image_mode=None, label=label, height=280, buttons=BUTTONS, **options
    )


def describe(model: str) -> str:
    return f"{MODELS[model].sentence} For: {MODELS[model].blur}."


def pick_model() -> gr.Radio:
    radio = gr.Radio(list(MODELS), value=DEFAULT_MODEL, label="Model", info=describe(DEFAULT_MODEL))
    radio.change(
        lambda name: gr.Radio(info=describe(name)),
        radio,
        radio,
        api_visibility="private",
        queue=False,
    )
    return radio


def result_view(where: str) -> tuple[gr.ImageSlider, gr.Dataframe, gr.DownloadButton]:
    slider = gr.ImageSlider(
        label="Before | after", format="png", max_height=620, elem_id=f"{where}-slider"
    )
    table = score_table(where)
    download = gr.DownloadButton("Download the result (PNG)", interactive=False)
    return slider, table, download


def score_table(where: str) -> gr.Dataframe:
    table = gr.Dataframe(
        headers=SCORES, label="Scores", interactive=False, elem_id=f"{where}-scores"
    )
    gr.Markdown(SCORES_NOTE, elem_classes="note")
    return table
