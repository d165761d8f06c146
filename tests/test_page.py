"""The page as a whole, in a real browser."""

import pytest
from conftest import WAIT

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
