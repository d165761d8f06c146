"""The tab Laboratory and the endpoint /distort."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import torch

from ..distort import DISTORTIONS, distort
from ..photo import Photo, encode
from .parts import pick_model, picture, result_view
from .restore_tab import restore_photo
from .work import Upload, opened, sentences, stem


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


def strength_for(kind: str) -> gr.Slider:
    spec = DISTORTIONS[kind]
    step = 1 if spec.high > 10 or kind == "study" else 0.1
    return gr.Slider(spec.low, spec.high, spec.default, step=step, label=f"Strength: {spec.unit}")


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
