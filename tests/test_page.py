"""The page as a whole, in a real browser."""

import pytest
from conftest import WAIT
from steps import give, wait_for_scores

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_no_tab_sticks_out_on_a_phone_and_none_asks_another_host(visit):
    page = visit(390, 844, dark=True, touch=True)
    for at in range(page.locator("[role=tablist] button[role=tab]").count()):
        tab = page.locator("[role=tablist] button[role=tab]").nth(at)
        tab.click(timeout=WAIT)
        page.wait_for_function(
            "at => document.querySelectorAll('[role=tablist] button[role=tab]')[at]"
            ".getAttribute('aria-selected') === 'true'",
            arg=at,
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab.inner_text()
    assert page.hosts == {"127.0.0.1"}
    page.context.close()


def test_a_browser_in_an_unknown_language_gets_english_words_in_the_viewer(browser, page_url):
    context = browser.new_context(locale="xx-XX")
    page = context.new_page()
    page.goto(page_url)
    page.locator("photo-viewer button").get_by_text("Fit").first.wait_for(state="attached")
    context.close()


def test_what_the_server_says_is_in_the_visitor_s_language_too(browser, page_url, cat, tmp_path):
    """Errors, heads and rows of tables, captions: Gradio swaps none of them in the browser."""
    context = browser.new_context(locale="de-AT")
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(page_url)
    page.locator("#examples").get_by_text("Katze: Unschärfe der Studie").wait_for()
    page.get_by_text("ein Viertel der Rechenzeit").first.wait_for()
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    scores = wait_for_scores(page, "restore", "nachher")
    assert set(scores) == {"vorher", "nachher"}
    heads = page.locator("#restore-scores [role=columnheader]").all_inner_texts()
    assert heads[-1].split()[0] == "Schärfe"
    (tmp_path / "notes.png").write_text("these are notes")
    give(page, "photo", tmp_path / "notes.png")
    page.get_by_text("notes.png: Es ist kein Foto; möglich sind JPEG").wait_for()
    context.close()
