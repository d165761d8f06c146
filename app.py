"""The page: lays it out, binds events, launches. All the work is done in `restore`."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import numpy as np
import torch
import typer

from restore import MODELS, Restorer, load
from restore.distort import DISTORTIONS, distort
from restore.metrics import SMALLEST, psnr, sharpness, ssim
from restore.photo import Photo, PhotoError, decode, encode
from restore.restorer import DeviceError, choose_device
from restore.weights import WeightsError

try:
    import spaces

    on_gpu = spaces.GPU  # ZeroGPU lends a GPU to what is marked so
except ImportError:

    def on_gpu(function):
        return function


EXAMPLES = Path(__file__).parent / "assets" / "examples"
DEFAULT_MODEL = "unet-512"
BUTTONS = ["download", "fullscreen"]
SCORES = ["", "PSNR", "SSIM", "Sharpness"]
SCORES_NOTE = (
    "PSNR (dB) and SSIM compare with the clear original and need one. Sharpness, 0 to 1, needs "
    "none: it says how sharp a photo looks, not how good it is."
)
WEIGHTS: list[str | None] = [None]
"""Where the weights come from: set once at start, never by a visitor."""

Upload = dict | None
"""What a picture component hands over unprocessed: {"path": ..., "orig_name": ...}."""


@lru_cache(maxsize=len(MODELS))
def restorer(name: str) -> Restorer:
    return load(name, WEIGHTS[0])


@contextmanager
def sentences() -> Iterator[None]:
    """Show every failure that a visitor can mend as a sentence on the page."""
    try:
        yield
    except (PhotoError, WeightsError, DeviceError, ValueError, MemoryError) as error:
        raise gr.Error(str(error), duration=None, title="This did not work") from None


def opened(upload: Upload, what: str) -> Photo:
    if not upload or not upload.get("path"):
        raise PhotoError(f"There is no {what} yet: drop, paste or pick one first.")
    try:
        return decode(upload["path"])
    except PhotoError as error:
        name = Path(upload["path"]).name
        raise PhotoError(str(error).replace(name, upload.get("orig_name") or name, 1)) from None


def stem(upload: Upload) -> str:
    """The photo's own name, without anything that a file name should not have."""
    name = Path(upload.get("orig_name") or upload["path"]).stem
    return re.sub(r"[^\w.() -]", "_", name)[:80] or "photo"


def scores(label: str, photo: np.ndarray, reference: np.ndarray | None) -> list[str]:
    """One row: PSNR and SSIM where there is a reference, and sharpness, which needs none."""
    small = min(photo.shape[:2]) < SMALLEST
    sharp = "too small" if small else f"{sharpness(photo):.3f}"
    if reference is None:
        return [label, "–", "–", sharp]
    decibels = f"{psnr(photo, reference):.2f}"
    return [label, decibels, "too small" if small else f"{ssim(photo, reference):.4f}", sharp]


def comparable(reference: Upload, photo: Photo) -> np.ndarray | None:
    """The clear reference, or None where there is none of the photo's size."""
    if not reference:
        return None
    clear = opened(reference, "clear reference")
    if clear.size == photo.size:
        return clear.levels()
    gr.Warning(
        f"The photo is {photo.size[0]} x {photo.size[1]} pixels and its clear reference "
        f"{clear.size[0]} x {clear.size[1]}. PSNR and SSIM need two of the same size, so there are "
        "none.",
        title="Not compared",
    )
    return None


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
        rows = [scores("before", before.levels(), clear), scores("after", after.levels(), clear)]
        yield paths, rows, paths[1]  # all of it again: a program reads the last answer only


def restore_if_any(
    photo: Upload, model: str, reference: Upload = None, progress: gr.Progress = gr.Progress()
) -> Iterator[tuple]:
    """What a changed photo or setting calls: taking the photo away is no mistake."""
    if photo:
        yield from restore_photo(photo, model, reference, progress)
    else:
        yield None, None, gr.DownloadButton(value=None, interactive=False)


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
            rows.append(scores(name, result.levels(), clear))
            yield shown, rows
        yield shown, rows


def distort_photo(photo: Upload, kind: str, strength: float, seed: int = 0) -> Iterator[str]:
    """Distort a clear photo.

    Args:
        photo: the clear photo, of any size.
        kind: study, gaussian, defocus, motion, noise or jpeg.
        strength: how much, in the unit of that kind.
        seed: settles what is random, such as the noise or the direction of a motion.

    Returns:
        the distorted photo as PNG, 8-bit RGB.
    """
    with sentences(), tempfile.TemporaryDirectory() as folder:
        clear = torch.from_numpy(opened(photo, "clear photo").levels().copy())
        x = clear.permute(2, 0, 1)[None].float() / 255
        levels = distort(x, kind, strength, int(seed))[0].permute(1, 2, 0).mul(255).round().byte()
        path = Path(folder, f"{stem(photo)}-{kind}.png")
        encode(Photo(levels.numpy()), path)
        yield str(path)


def picture(label: str, **options) -> gr.Image:
    return gr.Image(
        type="filepath", image_mode=None, label=label, height=280, buttons=BUTTONS, **options
    )


def describe(model: str) -> str:
    return f"{MODELS[model].sentence} For: {MODELS[model].blur}."


def strength_for(kind: str) -> gr.Slider:
    spec = DISTORTIONS[kind]
    step = 1 if spec.high > 10 or kind == "study" else 0.1
    return gr.Slider(spec.low, spec.high, spec.default, step=step, label=f"Strength: {spec.unit}")


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


def laboratory_tab(work: dict) -> None:
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            clear = picture("A clear photo", elem_id="clear")
            kind = gr.Dropdown(
                [(spec.label, name) for name, spec in DISTORTIONS.items()],
                value="gaussian",
                label="Distortion",
            )
            strength = strength_for("gaussian")
            seed = gr.Number(0, label="Seed", precision=0, minimum=0)
            model = pick_model()
            go = gr.Button("Distort and restore", variant="primary")
        with gr.Column(scale=3, min_width=320):
            view = result_view("laboratory")
            distorted = picture("Distorted", interactive=False, elem_id="distorted")
    kind.change(strength_for, kind, strength, api_visibility="private", queue=False)
    go.click(
        distort_photo, [clear, kind, strength, seed], distorted, api_name="distort", **work
    ).success(
        restore_photo,
        [distorted, model, clear],
        view,
        api_visibility="private",
        show_progress_on=view[0],
        **work,
    )


def build() -> gr.Blocks:
    """The page. Its three endpoints are /restore, /compare and /distort."""
    device = choose_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    work = {"preprocess": False, "concurrency_limit": 1, "concurrency_id": "models"}
    with gr.Blocks(title="Restore blurred photos", delete_cache=(600, 3600)) as page:
        gr.Markdown(
            f"# Restore blurred photos\nRuns on **{name}**. Your photos are deleted after an hour."
        )
        with gr.Tab("Restore"):
            restore_tab(work)
        with gr.Tab("Compare"):
            compare_tab(work)
        with gr.Tab("Laboratory"):
            laboratory_tab(work)
    return page.queue(max_size=8)


def main(
    weights: Annotated[
        str | None,
        typer.Option(envvar="RESTORE_WEIGHTS", help="Folder or Hub repo ORG/REPO[@REVISION]."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    share: Annotated[bool, typer.Option(help="Also open a public link through Gradio.")] = False,
) -> None:
    """Open the page in a browser at the address that is printed."""
    WEIGHTS[0] = weights
    try:
        restorer(DEFAULT_MODEL)
    except WeightsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    build().launch(
        server_name=host,
        server_port=port,
        share=share,
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"]),
        css=".note { font-size: var(--text-sm); opacity: 0.75 }",
        run_history=False,
        max_file_size="100mb",
        footer_links=["api"],
    )


if __name__ == "__main__":
    typer.run(main)
