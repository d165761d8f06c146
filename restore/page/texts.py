"""The words of the page, in one place: texts/en.json, and the same keys in further languages.

Gradio's own i18n swaps them in the browser, by the browser's language, English where there is none.
What it reaches, as measured with Gradio 6.31 in Chromium: labels, infos, placeholders, the names of
tabs and accordions, buttons (download and upload too), the choices of Radio, CheckboxGroup and
Dropdown, the label of a Dataset, Markdown and HTML, and all of these as outputs of an event too.
What it does not reach, and so stays English: gr.Error, gr.Warning and gr.Info; the texts of
gr.Progress; headers and cells of a Dataframe; the sample labels of a Dataset; axis titles of a
plot; captions of a Gallery; alt texts and whatever our own HTML or JS adds.

In one string only one key is swapped: `t("k") + " (px)"` is right, two keys in a row are not.
The browser reads a text as an ICU message: braces and angle brackets would be taken for syntax, so
no text has them; numbers and names are joined to a text by `+`, or stand in a component of their
own. A key is written with underscores, and begins with the name of its tab.
"""

import json
from pathlib import Path

import gradio as gr
from gradio.i18n import I18nData

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = ("en", "zh-CN", "hi", "es", "de")
"""As Gradio names them; the first is what the others fall back to."""

TEXTS = {
    language: json.loads((FOLDER / f"{language}.json").read_text("utf-8")) for language in LANGUAGES
}
I18N = gr.I18n(**TEXTS)
"""For launch(i18n=...)."""


def t(key: str) -> I18nData:
    """The text of that key in the visitor's language. Raises KeyError for a key without a text."""
    if key not in TEXTS["en"]:
        raise KeyError(f"texts/en.json has no text {key!r}")
    return I18N(key)
