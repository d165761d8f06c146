"""The tab Compare and the endpoint /compare."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from .. import MODELS
from ..photo import encode, pixels
from ..weights import WeightsError
from .parts import BUTTONS, picture, score_table
from .work import Upload, comparable, on_gpu, opened, restorer, scores, sentences, stem


@on_gpu
def compare_models(
    photo: Upload,
    models: list[str],
    reference: Upload = None,
    progress: gr.Progress = gr.Progress(),
) -> Iterator[tuple]:
    """Restore one photo with several models, to see them side by side.

    Args:
        photo: the blurred photo, of any size.
        models: any of unet-512, unet-1024, cnn and gan.
        reference: the same photo, clear, to measure PSNR and SSIM against; optional.

    Returns:
        the photo and one result per model, as they become ready; a table of scores.
    """
    with sentences(), tempfile.TemporaryDirectory() as folder:
        before = opened(photo, "photo")
        clear = comparable(reference, before)
        if not models:
            raise ValueError("Tick at least one model to compare.")
        shown, rows = [], []
        for done, name in enumerate(["input", *models]):
            progress((done, len(models) + 1), name)
            try:
                result = before if name == "input" else restorer(name).restore(before)
            except (WeightsError, MemoryError) as error:
                gr.Warning(f"{name}: {error}")
                rows.append([name, "failed", "failed", "failed"])
                continue
            path = Path(folder, f"{stem(photo)}-{name}.png")
            encode(result, path)
            shown.append((path, name))
            rows.append(scores(name, pixels(result), clear))
            yield shown, rows
        yield shown, rows


def compare_tab(work: dict) -> None:
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            photo = picture("Photo", elem_id="compare-photo")
            with gr.Accordion("Clear reference (optional)", open=False):
                reference = picture("Clear reference, same size", elem_id="compare-reference")
            models = gr.CheckboxGroup(list(MODELS), value=list(MODELS), label="Models")
            with gr.Row():
                go = gr.Button("Compare", variant="primary", scale=3)
                stop = gr.Button("Stop", scale=1)
        with gr.Column(scale=3, min_width=320):
            gallery = gr.Gallery(
                elem_id="compare-results",
                label="Results",
                columns=2,
                height="auto",
                object_fit="contain",
                format="png",
                buttons=BUTTONS,
            )
            table = score_table("compare")
    run = go.click(
        compare_models,
        [photo, models, reference],
        [gallery, table],
        api_name="compare",
        show_progress_on=gallery,
        **work,
    )
    stop.click(None, cancels=run, api_visibility="private")
