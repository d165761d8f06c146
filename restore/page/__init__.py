"""The page: what a visitor sees, and the endpoints that programs call.

Only this package and app.py know gradio.
"""

import os

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
import torch

from ..restorer import choose_device
from .compare_tab import compare_tab
from .laboratory_tab import laboratory_tab
from .restore_tab import restore_tab
from .work import fallback_notice

LAUNCH = {
    "theme": gr.themes.Soft(font=["system-ui", "sans-serif"]),
    "css": ".note { font-size: var(--text-sm); opacity: 0.75 }",
    "run_history": False,
    "max_file_size": "100mb",
    "footer_links": ["api"],
}
"""How the page wants to be launched, wherever it listens."""


def build() -> gr.Blocks:
    """The page. Its three endpoints are /restore, /compare and /distort."""
    device = choose_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    work = {"preprocess": False, "concurrency_limit": 1, "concurrency_id": "models"}
    with gr.Blocks(title="Restore blurred photos", delete_cache=(600, 3600)) as page:
        gr.Markdown(
            f"# Restore blurred photos\nRuns on **{name}**. Your photos are deleted after an hour."
        )
        notice = gr.Markdown(visible=False, elem_id="notice")
        page.load(fallback_notice, None, notice, api_visibility="private", queue=False)
        with gr.Tab("Restore"):
            restore_tab(work)
        with gr.Tab("Compare"):
            compare_tab(work)
        with gr.Tab("Laboratory"):
            laboratory_tab(work)
    return page.queue(max_size=8, api_open=False)
