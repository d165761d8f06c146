"""The words of the page: each key and each sentence has its text, and the browser can show it."""

import ast
import re
from pathlib import Path

import pytest

from restore import MODELS
from restore.distort import DISTORTIONS
from restore.page import examples, guard, parts, texts, viewer
from restore.page.batch_tab import HEADERS
from restore.page.compare_tab import COLUMNS
from restore.page.study_tab import CURVES, SUITES

SOURCES = sorted(set(Path(texts.__file__).parent.glob("*.py")) - {Path(texts.__file__)})
USED = {key for path in SOURCES for key in re.findall(r'\bt\("(\w+)"\)', path.read_text("utf-8"))}


def test_every_text_is_used_and_every_key_has_a_text():
    assert set(texts.TEXTS["en"]) == USED


def test_an_unknown_key_is_an_error():
    with pytest.raises(KeyError, match="no_such_text"):
        texts.t("no_such_text")


@pytest.mark.parametrize("language", texts.LANGUAGES[1:])
def test_every_language_says_all_of_it_with_the_same_figures(language):
    english, other = texts.TEXTS["en"], texts.TEXTS[language]
    assert set(other) == set(english)
    for key, text in english.items():
        assert shape(other[key]) == shape(text), f"{key}: {other[key]}"


def shape(text: str) -> tuple:
    """What a translation must keep: figures, lines, columns of a table, the mark of a heading."""
    figures = sorted(re.findall(r"\d+", text))
    return figures, text.count("\n"), text.count("|"), re.match("#*", text).group()


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_no_text_has_what_the_browser_takes_for_syntax(language):
    for key, text in texts.TEXTS[language].items():
        assert text.strip(), key
        assert not set(text) & set("{}<>"), f"{key}: {text}"


LIBRARY = Path(texts.__file__).parents[1]
SAYING = {"PhotoError", "_RefusedError", "BatchError", "translated", "notes.append"}
"""What is called with a sentence that may reach a visitor."""
SPEAKING_TO_PROGRAMS = {"tools.py"}
LISTED = [
    *viewer.GRADIO,
    guard.DISK_FULL,
    guard.NOT_HERE,
    guard.WRONG_CALL,
    *HEADERS,
    *COLUMNS,
    *parts.SCORES[1:],
    *SUITES.values(),
    *(title for _, title in CURVES.values()),
    *(one.caption for one in examples.EXAMPLES),
    *(path.stem.capitalize() for path in examples.CLEAR),
    *(spec.sentence for spec in MODELS.values()),
    *(f"For: {spec.blur}." for spec in MODELS.values()),
    *(spec.unit for spec in DISTORTIONS.values()),
    "before",
    "after",
    "waiting for another photo",
    "restoring with x, x left",
]


def english(node: ast.expr) -> str:
    """The words of a string, with x where it differs from one time to the next."""
    if isinstance(node, ast.JoinedStr):
        return "".join(english(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "x"


def said() -> set[str]:
    """The sentences that the page and the reading of photos say, as the code has them."""
    found = set()
    page = [path for path in SOURCES if path.name not in SPEAKING_TO_PROGRAMS]
    for path in [*page, LIBRARY / "distort.py", *(LIBRARY / "photo").glob("*.py")]:
        saying = SAYING if path.parent.name == "photo" else SAYING | {"ValueError"}
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in saying and node.args:
                start = "x: " if ast.unparse(node.func) == "_RefusedError" else ""
                found.add(start + english(node.args[0]))
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "error":
                found.add(english(node.value))
    return {words for words in found if re.search("[a-z]", words.replace("x", ""))}


@pytest.mark.parametrize("language", texts.LANGUAGES[1:])
def test_whatever_the_page_says_it_says_in_every_language(language):
    sentences = said() | set(LISTED)
    assert len(sentences) > 70
    names = {"SSIM", "PSNR", "Hopper", "px (sigma)"}  # the same in some languages
    english = [one for one in sentences if texts.translated(one, language) == one]
    assert set(english) <= names


def holes(sentence: str) -> list[str]:
    return sorted(re.findall(r"\{\d\}", sentence))


@pytest.mark.parametrize("language", texts.LANGUAGES[1:])
def test_translated_sentences_keep_the_name_in_front(language):
    assert texts.SENTENCES[language].keys() == texts.SENTENCES[texts.LANGUAGES[1]].keys()
    for sentence, other in texts.SENTENCES[language].items():
        assert set(holes(other)) <= set(holes(sentence)), other
        assert other.startswith("{0}: ") or not sentence.startswith("{0}: it "), other


def test_a_sentence_is_translated_with_what_stands_in_it():
    sentence = "a{0}: b.png: it is not a photo; use JPEG or PNG."
    assert texts.translated(sentence, "de-AT,en;q=0.8") == (
        "a{0}: b.png: Es ist kein Foto; möglich sind JPEG or PNG."
    )
    assert texts.translated(sentence, "fr,de") == sentence, "as Gradio: the first language or none"
    assert texts.translated(sentence) == sentence, "a program asks for no language"
    assert texts.translated("We never said this.", "de") == "We never said this."


def test_every_model_is_described_in_every_language():
    for language, known in texts.I18N.translations.items():
        about = {known[f"model_{name}"] for name in MODELS}
        assert len(about) == len(MODELS), language
