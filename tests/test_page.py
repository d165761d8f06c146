"""The page as a whole, in a real browser."""

import httpx
import pytest
from conftest import WAIT
from steps import cut_off, drop, give, serious, wait_for_scores

from restore.page.guard import LARGEST_FILE
from restore.page.texts import LANGUAGES
from restore.page.viewer import GRADIO

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
        if tab.inner_text() == "Study":
            page.locator("#study-table td").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab.inner_text()
        assert serious(page) == [], tab.inner_text()
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
    page.locator("#examples").get_by_role("button", name="Katze: Unschärfe der Studie").wait_for()
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
    page.locator(".toast-title").get_by_text("Das hat nicht geklappt").wait_for()
    page.goto(page_url + "?kind=magic")
    page.get_by_text("Der Link verlangt, was es nicht gibt").wait_for()
    page.locator(".toast-title").get_by_text("Hinweis").wait_for()
    page.get_by_label("Schließen").wait_for()
    context.close()


def test_no_button_of_gradio_s_has_its_english_name_in_german(browser, page_url, cat):
    context = browser.new_context(locale="de-DE", permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(page_url)
    english = {name.split("{")[0].strip() for name in GRADIO}
    page.locator("#restore-model").get_by_label("cnn").check()
    page.locator("#photo").get_by_label("Mit der Kamera aufnehmen").click()
    page.get_by_text("Hier klicken, um die Kamera einzuschalten").click()
    page.locator("#photo").get_by_title("Foto aufnehmen").wait_for()
    page.locator("#photo").get_by_label("Datei hochladen").locator("visible=true").click()
    give(page, "photo", cat.blurred)
    wait_for_scores(page, "restore", "nachher")
    page.locator("#photo").get_by_label("Bild entfernen").wait_for()
    drop(page, "h1", cat.clear)
    page.wait_for_function("document.querySelector('#photo img')?.src.includes('cat-clear')")
    page.get_by_role("tab", name="Stapel").click()
    page.get_by_label("Klicken oder Dateien ablegen").wait_for()
    give(page, "batch-files", cat.blurred)
    page.locator("#batch-files").get_by_label("cat.png").wait_for()
    for tab in page.locator("[role=tablist] button[role=tab]").all():
        tab.click()
        names = page.eval_on_selector_all(
            "[aria-label], [title], footer button",
            """list => list.filter(one => one.checkVisibility())
                .map(one => one.ariaLabel || one.title || one.innerText.trim())""",
        )
        assert [name for name in names if any(name.startswith(one) for one in english)] == []
    context.close()


def test_what_is_too_large_gets_a_sentence_before_it_travels(browser, page_url, tmp_path):
    """Gradio has English words for it, and shows as raw JSON what the guard says."""
    context = browser.new_context(locale="de-AT")
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(page_url)
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    huge = tmp_path / "huge.png"
    with huge.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    give(page, "photo", huge)
    page.get_by_text("Diese Datei ist größer als 100 MB.").wait_for()
    assert not [url for url in sent if "/upload?" in url]
    (tmp_path / "notes.txt").write_text("these are notes")
    drop(page, "h1", tmp_path / "notes.txt")
    page.get_by_text("Das ist kein Foto.").wait_for()
    context.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('{"detail": "Das sind mehr als 500 MB auf einmal."}', "Das sind mehr als 500 MB"),
        (
            "File size exceeded maximum allowed size of 1 bytes.",
            "Diese Datei ist größer als 100 MB",
        ),
    ],
)
def test_a_refused_upload_gets_a_sentence(browser, page_url, cat, answer, words):
    context = browser.new_context(locale="de-AT")
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.route("**/upload*", lambda route: route.fulfill(status=413, body=answer))
    page.goto(page_url)
    give(page, "photo", cat.blurred)
    page.get_by_text(words).wait_for()
    assert "HTTP" not in page.locator(".toast-body").inner_text()
    context.close()


def test_a_server_that_is_gone_gets_a_sentence(browser, page_url, cat):
    context = browser.new_context(locale="de-AT")
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(page_url)
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    wait_for_scores(page, "restore", "nachher")
    page.route("**/gradio_api/**", lambda route: route.abort())
    page.locator("#restore-model").get_by_label("gan").check()
    page.get_by_text("Der Server antwortet nicht.").wait_for()
    context.close()


def test_gradio_refuses_a_file_that_is_too_large_whoever_sends_it(page_url):
    answer = httpx.post(
        f"{page_url}gradio_api/upload", files={"files": ("huge.png", bytes(LARGEST_FILE + 1))}
    )
    assert answer.status_code == 413


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_table_is_cut_off_on_a_phone(visit, language):
    page = visit(390, 844, touch=True, locale=language)
    page.get_by_role("tab").last.click()
    page.locator("#study-suites td").first.wait_for()
    for name in ("study-table", "study-suites"):
        assert cut_off(page, f"#{name}, #{name} *") == []
    page.context.close()
