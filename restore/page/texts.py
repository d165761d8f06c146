"""The words of the page in five languages, in one place: the folder texts/.

`texts/LANGUAGE.json` has a text for each key, and Gradio's own i18n swaps them in the browser.
What it reaches, as measured with Gradio 6.31 in Chromium: labels, infos, placeholders, the names of
tabs and accordions, buttons (download and upload too), the choices of Radio, CheckboxGroup and
Dropdown, the label of a Dataset, Markdown and HTML, and all of these as outputs of an event too.
What it does not reach: gr.Error, gr.Warning and gr.Info; the texts of gr.Progress; headers and
cells of a Dataframe; titles of a plot; captions of a Gallery; alt texts and whatever our own HTML
or JS adds. These are written in English where they arise, in the library too, and `translated` on
their way out, by the language that the visitor's browser asks for: `texts/sentences/LANGUAGE.json`
has the translation of each, under the English words, with {0}, {1}, ... for what differs from one
time to the next. What it does not know stays English, as all does for programs, which ask for none.

In one string Gradio swaps only one key: `t("k") + " (px)"` is right, two keys in a row are not.
The browser reads a text as an ICU message: braces and angle brackets would be taken for syntax, so
no text has them; numbers and names are joined to a text by `+`, or stand in a component of their
own. A key is written with underscores, and begins with the name of its tab.
"""

import json
import re
from pathlib import Path

import gradio as gr
from gradio.context import LocalContext
from gradio.i18n import I18nData

from .. import MODELS

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = ("en", "zh-CN", "hi", "es", "de")
"""As Gradio names them; the first is what the others fall back to."""
LONGEST = 1000
"""Characters: what is longer is no sentence of ours, and matching it could take long."""


def _read(path: Path) -> dict[str, str]:
    return json.loads(path.read_text("utf-8"))


TEXTS = {language: _read(FOLDER / f"{language}.json") for language in LANGUAGES}
SENTENCES = {
    language: _read(FOLDER / "sentences" / f"{language}.json") for language in LANGUAGES[1:]
}
"""Language -> English sentence -> the sentence in that language."""


def _pattern(sentence: str) -> re.Pattern:
    return re.compile(re.sub(r"\\\{\d\\\}", "(.+?)", re.escape(sentence)), re.DOTALL)


PATTERNS = [
    (_pattern(sentence), sentence)
    for sentence in sorted(SENTENCES[LANGUAGES[1]], key=len, reverse=True)
]
"""The longest first: it says most of what a sentence must be like to be meant."""


def language(accepted: str | None) -> str:
    """The one of LANGUAGES that Accept-Language puts first, else English: so does Gradio."""
    first = re.split("[,;]", accepted or "")[0].strip().lower()
    for wanted in (first, first.split("-")[0]):
        for name in LANGUAGES:
            if name.lower() == wanted:
                return name
    return LANGUAGES[0]


def spoken() -> str:
    """The language of the visitor whose event is being handled."""
    request = LocalContext.request.get(None)
    return language(request and request.headers.get("accept-language"))


def translated(sentence: str, accepted: str | None = None) -> str:
    """An English sentence of ours in the visitor's language.

    The visitor is the one whose event is being handled; outside of events, `accepted` is the header
    Accept-Language.
    """
    known = SENTENCES.get(language(accepted) if accepted else spoken())
    if not known or len(sentence) > LONGEST:
        return sentence
    for pattern, english in PATTERNS:
        if found := pattern.fullmatch(sentence):
            return known[english].format(*found.groups())
    return sentence


def _about(model: str, name: str) -> str:
    """Two sentences about a model, in the language of that name."""
    spec = MODELS[model]
    return f"{translated(spec.sentence, name)} {translated(f'For: {spec.blur}.', name)}"


I18N = gr.I18n(
    **{
        name: texts | {f"model_{model}": _about(model, name) for model in MODELS}
        for name, texts in TEXTS.items()
    }
)
"""For launch(i18n=...)."""


def t(key: str) -> I18nData:
    """The text of that key in the visitor's language. Raises KeyError for a key without a text."""
    if key not in TEXTS["en"]:
        raise KeyError(f"texts/en.json has no text {key!r}")
    return I18N(key)


def about(model: str) -> I18nData:
    """What a model is and which blur it is for, in the visitor's language."""
    return I18N(f"model_{model}")
