"""The example photos: the study's eleven subjects, and one blurred for real."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import gradio as gr
from gradio.i18n import I18nData
from PIL import Image

from .texts import LANGUAGES, spoken, t, translated

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
    Example("dog-gaussian.png", "Dog: Gaussian"),
    Example("car-defocus.png", "Car: defocus, JPEG"),
    Example("astronaut-gaussian.png", "Human: Gaussian"),
    Example("coffee-defocus.png", "Food: defocus"),
    Example("wren-motion.png", "Nature: motion, noise"),
    Example("rocket-gaussian.png", "Science: Gaussian, JPEG"),
    Example("coins-gaussian.png", "History: Gaussian"),
    Example("boats-shake.png", "Culture: camera shake"),
    Example("hopper-gaussian.png", "Vintage: Gaussian, noise"),
    Example("camera-gaussian.png", "B&W: Gaussian"),
    Example("clock-real.png", "Clock: blurred for real"),
]


CLEAR = [clear for example in EXAMPLES if (clear := example.files()[1])]
"""The clear originals."""


def examples_gallery(page: gr.Blocks) -> gr.Gallery:
    captions = {FOLDER / one.file: one.caption for one in EXAMPLES}
    return _gallery(page, captions, t("restore_examples"), "examples")


def clear_gallery(page: gr.Blocks) -> gr.Gallery:
    captions = {path: path.stem.capitalize() for path in CLEAR}
    return _gallery(page, captions, t("laboratory_examples"), "clear-examples")


@cache
def _thumbnail(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.thumbnail(THUMBNAIL)
        return image.convert("RGB")


def _shown(files: dict[Path, str]) -> list[tuple[Image.Image, str]]:
    return [(_thumbnail(path), translated(caption)) for path, caption in files.items()]


def _gallery(page: gr.Blocks, files: dict[Path, str], words: I18nData, elem_id: str) -> gr.Gallery:
    with gr.Column(elem_classes="examples-box"):
        gr.Markdown(words, elem_classes="note")
        gallery = gr.Gallery(
            _shown(files),
            format="jpeg",
            show_label=False,
            elem_id=elem_id,
            elem_classes="examples",
            columns=4,
            height="auto",
            object_fit="cover",
            allow_preview=False,
            interactive=False,
            buttons=[],
        )

    def in_own_language() -> list | dict:  # the browser swaps no captions
        return gr.skip() if spoken() == LANGUAGES[0] else _shown(files)

    hidden = {"show_progress": "hidden", "api_visibility": "private", "queue": False}
    page.load(in_own_language, None, gallery, **hidden)
    return gallery
