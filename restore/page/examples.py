"""The example photos: eight of the study's eleven subjects, and one blurred for real."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from PIL import Image

from .texts import t

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "examples"
THUMBNAIL = (220, 160)


@dataclass(frozen=True)
class Example:
    """A blurred photo; its clear original, where there is one, is called as it is up to the "-"."""

    file: str
    caption: str

    def files(self) -> tuple[Path, Path | None]:
        """(blurred, clear or None)"""
        blurred = FOLDER / self.file
        clear = blurred.with_name(self.file.split("-")[0] + ".jpg")
        return blurred, clear if clear.exists() else None


EXAMPLES = [
    Example("cat-study.png", "Cat: the study's blur"),
    Example("astronaut-gaussian.png", "Human: Gaussian"),
    Example("coffee-defocus.png", "Food: defocus"),
    Example("wren-motion.png", "Nature: motion, noise"),
    Example("rocket-gaussian.png", "Science: Gaussian, JPEG"),
    Example("coins-gaussian.png", "History: Gaussian"),
    Example("hopper-gaussian.png", "Vintage: Gaussian, noise"),
    Example("camera-gaussian.png", "B&W: Gaussian"),
    Example("clock-real.png", "Clock: blurred for real"),
]


CLEAR = [clear for example in EXAMPLES if (clear := example.files()[1])]
"""The clear originals."""


def examples_gallery() -> gr.Gallery:
    gr.Markdown(t("restore_examples"), elem_classes="note")
    return _gallery({FOLDER / one.file: one.caption for one in EXAMPLES}, elem_id="examples")


def clear_gallery() -> gr.Gallery:
    gr.Markdown(t("laboratory_examples"), elem_classes="note")
    return _gallery(
        {path: path.stem.capitalize() for path in CLEAR}, elem_id="clear-examples", columns=3
    )


def _gallery(files: dict[Path, str], elem_id: str, columns: int = 4) -> gr.Gallery:
    shown = []
    for path, caption in files.items():
        with Image.open(path) as image:
            image.thumbnail(THUMBNAIL)
            shown.append((image.convert("RGB"), caption))
    return gr.Gallery(
        shown,
        format="jpeg",
        show_label=False,
        elem_id=elem_id,
        elem_classes="examples",
        columns=columns,
        height="auto",
        object_fit="cover",
        allow_preview=False,
        interactive=False,
        buttons=[],
    )
