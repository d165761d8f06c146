"""The viewers: before and after under a divider, and several photos that zoom and pan in step.

gr.ImageSlider and gr.Gallery have no captions on the halves, no keyboard, no alt text, no zoom to
pixels and none in step. So the element <photo-viewer> (viewer.js) shows the same values instead.
"""

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components.gallery import GalleryData, GalleryImage
from gradio.components.imageslider import SliderData
from gradio.data_classes import ImageData

from .texts import TEXTS, t, translated

TEXT_OF = {
    "before": t("viewer_before"),
    "after": t("viewer_after"),
    "fit": t("viewer_fit"),
    "lens": t("viewer_lens"),
    "fullscreen": t("viewer_fullscreen"),
    "divider": t("viewer_divider"),
    "view": t("viewer_view"),
    "keys": t("viewer_keys"),
    "empty": t("viewer_empty"),
}
"""Gradio swaps no text inside our own elements; so they get all languages and choose."""

GRADIO = (
    "File upload",
    "Upload file",
    "Click to upload or drop files",
    "Capture from camera",
    "Paste from clipboard",
    "Click to Access Webcam",
    "grant webcam access",
    "capture photo",
    "select input source",
    "select source",
    "Remove Image",
    "Fullscreen",
    "Exit fullscreen mode",
    "Clear",
    "Remove this file",
    "Copy",
    "Close",
    "More tabs",
    "Empty value",
    "Table actions",
    "Reset to default value",
    "number input for {0}",
    "range slider for {0}",
    "Thumbnail {0} of {1}",
    "detailed view of selected image",
    "Use via API or MCP",
    "Gradio footer navigation",
    "processing |",
    "queue: {0}/{1} |",
)
"""What Gradio's own buttons, fields and progress say, in English only."""

SCRIPTS = ("viewer.js", "gestures.js", "zone.js", "wording.js")


def said(language: str) -> dict[str, str | dict[str, str]]:
    """What stands in Gradio's own toasts and names of buttons, which it swaps no text in either."""
    return {
        "failed": translated("This did not work", language),
        "note": translated("Please note", language),
        "close": translated("Close", language),
        "too_large": translated(
            "This file is larger than 100 MB. Please scale the photo down.", language
        ),
        "no_photo": translated("This is not a photo.", language),
        "lost": translated("The server does not answer. Trying again …", language),
        "gradio": {name: translated(name, language) for name in GRADIO},
        "busy": translated("Too many visitors at once. Please try again in a minute.", language),
    }


def head() -> str:
    """What the page's <head> needs: viewers, photos given anywhere, and the words."""
    texts = {
        language: said(language) | {name: there[data.key] for name, data in TEXT_OF.items()}
        for language, there in TEXTS.items()
    }
    scripts = "".join(Path(__file__).with_name(name).read_text("utf-8") for name in SCRIPTS)
    return (
        f"<script>(() => {{\nconst RESTORE_TEXTS = {json.dumps(texts)};\n{scripts}}})();</script>"
    )


SHOW = """
const viewer = element.querySelector("photo-viewer");
viewer.show(props.value);
watch("value", () => viewer.show(props.value));
"""


class _Viewer(gr.HTML):
    """A photo-viewer; those of the same `group` zoom and pan in step."""

    def __init__(self, value: Any = None, *, group: str = "", **options: Any):
        super().__init__(
            value,
            html_template=f'<photo-viewer group="{group}"></photo-viewer>',
            js_on_load=SHOW,
            apply_default_css=False,
            **options,
        )

    def api_info(self) -> dict[str, Any]:
        return self.data_model.model_json_schema()

    def api_info_as_output(self) -> dict[str, Any]:
        return self.api_info()

    def get_block_name(self) -> str:
        return "html"


def _file(path: Path | str | None) -> ImageData | None:
    return path and ImageData(path=str(path), orig_name=Path(path).name)


class BeforeAfter(_Viewer):
    """Shows a pair of files (before, after) under one divider."""

    data_model = SliderData

    def postprocess(self, value: tuple[Path, Path] | None) -> SliderData | None:
        return value and SliderData(root=(_file(value[0]), _file(value[1])))


class SideBySide(_Viewer):
    """Shows a list of (file, caption)."""

    data_model = GalleryData

    def postprocess(self, value: list[tuple[Path, str]] | None) -> GalleryData | None:
        return value and GalleryData(
            root=[GalleryImage(image=_file(path), caption=caption) for path, caption in value]
        )
