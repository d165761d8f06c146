"""The page: what a visitor sees, and the endpoints that programs call.

Only this package and app.py know gradio.
"""

import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import torch

from ..engine import choose_device
from . import viewer
from .batch_tab import batch_tab
from .blocks import Page
from .compare_tab import compare_tab
from .guard import LARGEST_FILE
from .kept import LIFETIME
from .laboratory_tab import laboratory_tab
from .restore_tab import restore_tab
from .results import RUNS
from .study_tab import study_tab
from .texts import I18N, t
from .work import fallback_notice

THEME = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
LEGIBLE = {
    "color_accent": "*primary_600",
    "block_label_text_color": "*primary_700",
    "block_title_text_color": "*primary_700",
    "block_info_text_color": "*neutral_600",
    "body_text_color_subdued": "*neutral_600",
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_hover": "*primary_700",
    "button_primary_background_fill_hover_dark": "*primary_700",
    "button_secondary_background_fill_hover_dark": "*primary_700",
    "checkbox_label_background_fill_selected": "*primary_600",
    "checkbox_border_color": "*neutral_500",
    "input_border_width": "1px",
    "input_border_color": "*neutral_300",
    "button_secondary_border_color": "*neutral_300",
}
"""Where the theme's words are fainter than WCAG's 4.5 : 1, or an edge is not to be seen."""

LAUNCH = {
    "theme": THEME.set(**LEGIBLE),
    "css_paths": Path(__file__).with_name("style.css"),
    "head": viewer.head(),
    "run_history": False,
    "max_file_size": LARGEST_FILE,
    "footer_links": ["api"],
    "i18n": I18N,
}
"""How the page wants to be launched, wherever it listens."""


def build() -> gr.Blocks:
    """The page. Its three endpoints are /restore, /compare and /distort."""
    device = choose_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    work = {"preprocess": False, "concurrency_id": "models"}
    work["concurrency_limit"] = 2  # one computes; one reads, writes, or gives way
    with Page(title="Restore blurred photos", delete_cache=(600, LIFETIME)) as page:
        gr.Markdown(t("page_title"))
        gr.Markdown(t("page_note") + f" **{name}**.")
        notice = gr.Markdown(visible=False, elem_id="notice")
        page.load(fallback_notice, None, notice, api_visibility="private", queue=False)
        with gr.Tabs() as tabs:
            with gr.Tab(t("restore_tab")):
                given = restore_tab(work, page)
            with gr.Tab(t("compare_tab")) as compare:
                compare_tab(work, compare, given)
            with gr.Tab(t("laboratory_tab"), id="laboratory"):
                laboratory_tab(work, page, tabs)
            with gr.Tab(t("batch_tab")):
                batch_tab(work)
            with gr.Tab(t("study_tab")) as study:
                study_tab(study)
        page.unload(RUNS.leave)
    return page.queue(max_size=8, api_open=False)
