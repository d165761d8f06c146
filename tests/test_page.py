"""The page, as a person meets it in a real browser."""

import base64
import io
from urllib.parse import urlparse

import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image

from restore import MODELS
from restore.photo import decode

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BLURRED, CLEAR = EXAMPLES / "cat-study.png", EXAMPLES / "cat.jpg"
WAIT = 60_000


@pytest.fixture
def page(browser, page_url):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.hosts = set()
    page.on("request", lambda request: page.hosts.add(urlparse(request.url).hostname))
    page.goto(page_url)
    page.wait_for_selector("#photo input[type=file]", state="attached")
    yield page
    context.close()


def halves(page, where: str = "restore") -> tuple[np.ndarray, np.ndarray]:
    """Before and after as they lie under the slider, once both are there."""
    page.wait_for_function(
        f"document.querySelectorAll('#{where}-slider img').length >= 2 && "
        f"[...document.querySelectorAll('#{where}-slider img')].every(i => i.naturalWidth)"
    )
    sources = page.eval_on_selector_all(f"#{where}-slider img", "list => list.map(i => i.src)")
    arrays = [np.asarray(Image.open(io.BytesIO(page.request.get(url).body()))) for url in sources]
    return arrays[0], arrays[1]


def table(page, where: str = "restore") -> dict[str, list[str]]:
    """The table of scores: name of the row -> PSNR, SSIM, sharpness."""
    rows: dict[str, list[str]] = {}
    for cell in page.locator(f"#{where}-scores [role=gridcell]").all():
        rows.setdefault(cell.get_attribute("data-row"), []).append(cell.inner_text().strip())
    return {row[0]: row[1:] for row in rows.values()}


def wait_for_scores(page, where: str, row: str) -> dict[str, list[str]]:
    """The table, once it has the row."""
    cell(page, where, row).wait_for()
    return table(page, where)


def cell(page, where: str, text: str):
    return page.locator(f"#{where}-scores [role=gridcell]").get_by_text(text, exact=True)


def give(page, where: str, path) -> None:
    page.set_input_files(f"#{where} input[type=file]", str(path))


def test_drop_a_photo_and_see_two_different_halves(page):
    data = base64.b64encode(BLURRED.read_bytes()).decode()
    transfer = page.evaluate_handle(
        """data => {
            const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "cat.png", {type: "image/png"}));
            return transfer;
        }""",
        data,
    )
    page.dispatch_event("#photo button:has(input[type=file])", "drop", {"dataTransfer": transfer})
    before, after = halves(page)
    assert np.array_equal(before, decode(BLURRED).levels()), "before must be the photo, lossless"
    assert before.shape == after.shape
    assert 1 < np.abs(before.astype(int) - after).mean() < 20
    scores = wait_for_scores(page, "restore", "after")
    assert scores["before"][:2] == ["–", "–"], "no score without a reference"
    assert float(scores["after"][2]) > float(scores["before"][2]), "sharper"
    assert page.hosts == {"127.0.0.1"}, "the page asks no other host"


def test_a_reference_brings_scores_and_another_model_others(page):
    page.get_by_text("Have the clear original?").click()
    give(page, "reference", CLEAR)
    give(page, "photo", BLURRED)
    cell(page, "restore", "33.11").wait_for()
    first = wait_for_scores(page, "restore", "after")
    assert float(first["after"][0]) > float(first["before"][0]) + 1
    assert float(first["after"][1]) > float(first["before"][1])
    page.get_by_label("cnn").first.check()
    cell(page, "restore", first["after"][0]).wait_for(state="detached")
    cell(page, "restore", "after").wait_for()
    second = table(page)
    assert second["before"] == first["before"]
    assert float(second["after"][0]) - float(second["before"][0]) > 0
    assert float(second["after"][0]) < float(first["after"][0]), "the CNN must not beat the U-Net"


def test_example_is_restored_with_scores_and_can_be_downloaded(page):
    page.locator("button.gallery-item").first.click()
    scores = wait_for_scores(page, "restore", "after")
    assert float(scores["after"][0]) > float(scores["before"][0])
    with page.expect_download() as started:
        page.get_by_role("button", name="Download the result").click()
    assert started.value.suggested_filename == "astronaut-gaussian-unet-512.png"
    assert decode(started.value.path()).size == decode(EXAMPLES / "astronaut.jpg").size


def test_compare_shows_every_model_with_scores(page):
    page.get_by_role("tab", name="Compare").click()
    give(page, "compare-photo", BLURRED)
    page.get_by_text("Clear reference (optional)").click()
    give(page, "compare-reference", CLEAR)
    page.get_by_role("button", name="Compare").click()
    scores = wait_for_scores(page, "compare", "gan")
    assert list(scores) == ["input", *MODELS]
    decibels = {name: float(row[0]) for name, row in scores.items()}
    assert all(decibels[name] > decibels["input"] for name in MODELS)
    page.wait_for_function("document.querySelectorAll('#compare-results img').length >= 5")


def test_laboratory_distorts_and_restores(page):
    page.get_by_role("tab", name="Laboratory").click()
    give(page, "clear", EXAMPLES / "coffee.jpg")
    page.get_by_role("button", name="Distort and restore").click()
    scores = wait_for_scores(page, "laboratory", "after")
    assert float(scores["before"][0]) < 40
    assert float(scores["after"][0]) > float(scores["before"][0]) + 0.5


def test_a_file_that_is_no_photo_gets_a_sentence(page, tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("these are notes")
    give(page, "photo", path)
    page.get_by_text("notes.png: it is not a photo").wait_for()
    give_again = EXAMPLES / "coffee-defocus.png"
    page.locator("#photo").get_by_label("Remove Image").click()
    give(page, "photo", give_again)
    before, _ = halves(page)
    assert np.array_equal(before, decode(give_again).levels()), "and the next photo is served"


def test_a_reference_of_another_size_is_not_compared_but_the_photo_restored(page):
    page.get_by_text("Have the clear original?").click()
    give(page, "reference", EXAMPLES / "coffee.jpg")
    give(page, "photo", BLURRED)
    page.get_by_text("need two of the same size").first.wait_for()
    assert wait_for_scores(page, "restore", "after")["after"][0] == "–"


def test_buttons_without_a_photo_say_so(page):
    page.get_by_role("tab", name="Laboratory").click()
    page.get_by_role("button", name="Distort and restore").click()
    page.get_by_text("There is no clear photo yet").wait_for()


@pytest.mark.parametrize("tab", ["Restore", "Compare", "Laboratory"])
def test_nothing_sticks_out_on_a_phone(browser, page_url, tab):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, color_scheme="dark"
    )
    page = context.new_page()
    page.goto(page_url)
    page.get_by_role("tab", name=tab).click()
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
