"""The words of the page: each key has its text, and the browser can show it."""

import re
from pathlib import Path

import pytest

from restore.page import texts

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
