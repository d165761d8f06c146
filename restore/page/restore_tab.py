"""The tab Restore and the endpoint /restore."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from ..photo import encode, pixels
from .parts import pick_model, picture, result_view
from .work import Upload, comparable, on_gpu, opened, restorer, scores, sentences, stem

EXAMPLES = Path(__file__).resolve().parents[2] / "assets" / "examples"


@on_gpu
def restore_photo(
    photo: Upload, model: str, reference: Upload = None, progress: gr.Progress = gr.Progress()
) -> Iterator[tuple]:
    """Restore a blurred photo.

    Args:
        photo: the blurred photo, of any size.
        model: unet-512, unet-1024, cnn or gan.
        reference: the same photo, clear, to measure PSNR and SSIM against; optional.

    Returns:
        the pair (before, after) as PNG, the table of scores, the result for download.
    """
    with sentences(), tempfile.TemporaryDirectory() as folder:
        before = opened(photo, "photo")
        clear = comparable(reference, before)
        progress(0, f"loading {model}")
        after = restorer(model).restore(before, lambda share: progress(share, "restoring"))
        paths = Path(folder, f"{stem(photo)}.png"), Path(folder, f"{stem(photo)}-{model}.png")
        encode(before, paths[0])
        encode(after, paths[1])
        yield paths, gr.skip(), gr.DownloadButton(value=paths[1], interactive=True)
        rows = [scores("before", pixels(before), clear), scores("after", pixels(after), clear)]
        yield paths, rows, paths[1]  # all of it again: a program reads the last answer only


def restore_if_any(
    photo: Upload, model: str, reference: Upload = None, progress: gr.Progress = gr.Progress()
) -> Iterator[tuple]:
    """What a changed photo or setting calls: taking the photo away is no mistake."""
    if photo:
        yield from restore_photo(photo, model, reference, progress)
    else:
        yield None, None, gr.DownloadButton(value=None, interactive=False)


def restore_tab(work: dict) -> None:
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            photo = picture("Photo", elem_id="photo")
            model = pick_model()
            with gr.Accordion("Have the clear original? Measure PSNR and SSIM", open=False):
                reference = picture("Clear reference, same size", elem_id="reference")
            with gr.Row():
                again = gr.Button("Restore", variant="primary", scale=3)
                stop = gr.Button("Stop", scale=1)
            blurred = sorted(EXAMPLES.glob("*.png"))
            examples = gr.Dataset(
                components=[photo],
                samples=[[str(path)] for path in blurred],
                type="index",
                label="Examples, blurred by us, each with its clear original",
            )
        with gr.Column(scale=3, min_width=320):
            view = result_view("restore")
    call = {
        "inputs": [photo, model, reference],
        "outputs": view,
        "show_progress_on": view[0],
        **work,
    }
    changes = [photo.change, reference.change, model.change]
    runs = [
        again.click(restore_photo, api_name="restore", **call),
        gr.on(
            changes, restore_if_any, api_visibility="private", trigger_mode="always_last", **call
        ),
    ]
    stop.click(None, cancels=runs, api_visibility="private")
    photo.clear(lambda: None, None, reference, api_visibility="private", queue=False)
    examples.click(
        lambda index: (blurred[index], clear_original(blurred[index])),
        examples,
        [photo, reference],
        api_visibility="private",
        queue=False,
    )


def clear_original(blurred: Path) -> Path:
    """cat-study.png -> cat.jpg"""
    return blurred.with_name(blurred.name.split("-")[0] + ".jpg")
