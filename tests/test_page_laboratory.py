"""The tab Laboratory, as a person meets it in a real browser."""

import io
import time
from contextlib import suppress

import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image
from playwright.sync_api import TimeoutError
from steps import serious

from restore.distort import DISTORTIONS
from restore.metrics import psnr
from restore.page import laboratory
from restore.page.laboratory_tab import KINDS
from restore.page.parts import COLOURS
from restore.page.texts import TEXTS
from restore.photo import decode

CAT = EXAMPLES / "cat.jpg"
LINK = "?kind=motion&strength=15&angle=30&seed=3&model=cnn"


def table(page) -> dict[str, list[str]]:
    """The scores once both rows are full."""
    page.wait_for_function(
        "document.querySelectorAll('#laboratory-scores [role=gridcell]').length >= 8 && "
        "!document.querySelector('#laboratory-scores').innerText.includes('…')"
    )
    cells = page.locator("#laboratory-scores [role=gridcell]").all_inner_texts()
    return {cells[i].strip(): [c.strip() for c in cells[i + 1 : i + 4]] for i in (0, 4)}


def panes(page) -> list[np.ndarray]:
    """Distorted, restored and clear."""
    sources = page.eval_on_selector_all("#laboratory-view img", "list => list.map(i => i.src)")
    return [np.asarray(Image.open(io.BytesIO(page.request.get(url).body()))) for url in sources]


def restored_by_cnn(page):
    """Waits for the picture and for the table, which may come one after the other."""
    page.get_by_text("restored by cnn").wait_for()
    page.wait_for_function("!document.querySelector('#laboratory-scores').innerText.includes('…')")


@pytest.mark.browser
@pytest.mark.slow
def test_a_link_shows_its_setting_and_the_sliders_answer(page, page_url):
    page.goto(page_url + LINK)
    restored_by_cnn(page)
    scores = table(page)
    soft, restored, clear = panes(page)
    expected = laboratory.distorted(decode(CAT).levels(), "motion", 15, 3, 30)
    assert np.array_equal(soft, expected)
    assert np.array_equal(clear, decode(CAT).levels())
    assert scores["distorted"][0] == f"{psnr(soft, clear):.2f}"
    assert scores["restored"][0] == f"{psnr(restored, clear):.2f}"
    assert page.locator("#laboratory-kernel img").is_visible()

    angle = page.locator("#laboratory-angle input[type=range]")
    angle.focus()
    angle.press("ArrowRight")
    page.wait_for_function(
        f"!document.querySelector('#laboratory-scores').innerText.includes('{scores['distorted'][0]}')"
    )
    restored_by_cnn(page)
    moved = table(page)
    page.get_by_role("button", name="Copy link").click()
    link = page.locator("#laboratory-link textarea")
    link.wait_for()
    assert "kind=motion" in link.input_value()
    assert "angle=31" in link.input_value()
    assert page.url == link.input_value()

    page.locator("#laboratory-kind input").click()
    page.get_by_role("option", name="Noise").click()
    page.locator("#laboratory-seed").wait_for()
    page.locator("#laboratory-kernel").wait_for(state="hidden")
    page.goto(link.input_value())
    restored_by_cnn(page)
    assert table(page) == moved, "the link brings it all back"


@pytest.mark.browser
@pytest.mark.slow
def test_what_was_stopped_does_not_look_as_if_it_still_ran(page, page_url):
    page.goto(page_url + "?kind=gaussian&strength=2&model=unet-1024")
    page.get_by_text("restored by unet-1024").wait_for()
    table(page)
    stopped = page.locator("#laboratory-status").get_by_text("Stopped.", exact=True)
    for _ in range(8):  # a fast processor may be done before the click
        page.locator("#laboratory-strength input[type=range]").press("ArrowRight")
        with suppress(TimeoutError):
            page.locator("#laboratory-view").get_by_text("restoring …").wait_for(timeout=5000)
            page.get_by_role("button", name="Stop").locator("visible=true").click()
            stopped.wait_for(timeout=5000)
            break
    assert stopped.is_visible()
    page.locator("#laboratory-view img").nth(2).wait_for(state="detached")
    marks = page.locator("#laboratory-view .viewer-mark").all_inner_texts()
    assert marks == ["distorted", "clear"]
    assert "…" not in page.locator("#laboratory-scores").inner_text()
    page.locator("#laboratory").get_by_label("cnn").check()
    page.get_by_text("restored by cnn").wait_for()
    assert set(table(page)) == {"distorted", "restored"}


@pytest.mark.browser
@pytest.mark.slow
def test_every_distortion_is_chosen_drawn_and_scored(page, page_url):
    page.goto(page_url + "?kind=jpeg&model=cnn")
    clear = decode(CAT).levels()
    page.get_by_text("restored by cnn").wait_for()
    table(page)
    for kind, (words, _) in KINDS.items():
        page.locator("#laboratory-kind input").click()
        page.get_by_role("option", name=TEXTS["en"][words.key], exact=True).click()
        page.wait_for_function(
            "kind => document.querySelectorAll('#laboratory-view img')[1]?.src"
            ".includes(`cat-${kind}-cnn`)",
            arg=kind,
        )
        soft, restored, _ = panes(page)
        expected = laboratory.distorted(clear, kind, DISTORTIONS[kind].default, 0, 0)
        assert np.array_equal(soft, expected), kind
        # The table may come a moment after the picture: until then it shows what was before.
        page.wait_for_function(
            """expected => {
                const cells = document.querySelectorAll('#laboratory-scores [role=gridcell]');
                return cells[1]?.innerText.trim() === expected[0]
                    && cells[5]?.innerText.trim() === expected[1];
            }""",
            arg=[f"{psnr(soft, clear):.2f}", f"{psnr(restored, clear):.2f}"],
        )
        drawn = page.locator("#laboratory-kernel img")
        drawn.wait_for(state="hidden" if kind in ("noise", "jpeg") else "visible")
        assert page.locator("#laboratory-angle").is_visible() == (kind == "motion")
        assert page.locator("#laboratory-seed").is_visible() == (kind in ("shake", "noise"))
    runs = []
    page.wait_for_timeout(1000)
    page.on("request", lambda request: runs.append(1) if "queue/join" in request.url else None)
    page.wait_for_timeout(1500)
    assert runs == [], "a choice does not start run after run"


@pytest.mark.browser
@pytest.mark.slow
def test_a_value_out_of_range_is_put_right_and_its_result_shown(page, page_url):
    page.goto(page_url + "?kind=shake&strength=9&model=cnn")
    restored_by_cnn(page)
    scores = table(page)
    seed = page.locator("#laboratory-seed input")
    seed.fill("-3")
    page.get_by_role("button", name="Copy link").click()
    page.wait_for_function("location.search.includes('seed=0')")
    assert seed.input_value() == "0"
    strength = page.locator("#laboratory-strength input[type=number]")
    strength.fill("999")
    strength.press("Tab")
    page.wait_for_function(
        "before => !document.querySelector('#laboratory-scores').innerText.includes(before)",
        arg=scores["distorted"][0],
    )
    restored_by_cnn(page)
    soft, _, clear = panes(page)
    high = DISTORTIONS["shake"].high
    assert strength.input_value() == f"{high:g}"
    assert np.array_equal(soft, laboratory.distorted(clear, "shake", high, 0, 0))
    assert page.locator(".toast-body").count() == 0


@pytest.mark.browser
@pytest.mark.slow
def test_what_was_drawn_of_another_photo_goes(page, page_url):
    page.goto(page_url + "?kind=noise&strength=9&model=cnn")
    restored_by_cnn(page)
    page.get_by_role("button", name="Distort the whole photo").click()
    file = page.locator("#laboratory a[href*='cat-noise.png']").first
    file.wait_for()
    page.locator("#laboratory button").filter(has_text="Dog").first.click()
    file.wait_for(state="detached")
    page.get_by_text("restored by cnn").wait_for()
    page.get_by_role("button", name="Distort the whole photo").click()
    page.locator("#laboratory a[href*='dog-noise.png']").first.wait_for()


@pytest.mark.browser
@pytest.mark.slow
def test_a_photo_distorted_by_an_earlier_setting_is_not_offered(page, page_url, tmp_path):
    Image.open(CAT).resize((4000, 3000)).save(tmp_path / "large.jpg")
    page.goto(page_url + "?kind=gaussian&strength=1&model=cnn")
    page.locator("#clear input[type=file]").set_input_files(tmp_path / "large.jpg")
    page.get_by_text("512 x 384 px").wait_for()  # uploaded: else that would call the click off
    file = page.locator("#laboratory a[href*='large-gaussian.png']").first
    began = time.monotonic()
    page.get_by_role("button", name="Distort the whole photo").click()
    file.wait_for()
    seconds = time.monotonic() - began
    page.get_by_role("button", name="Distort the whole photo").click()
    page.get_by_text("distorting, ").first.wait_for()
    page.locator("#laboratory-strength input[type=range]").press("ArrowRight")
    file.wait_for(state="detached")
    page.wait_for_timeout(1500 * seconds)
    assert file.count() == 0


@pytest.mark.browser
@pytest.mark.slow
def test_a_forged_link_says_so_and_curves_can_be_stopped(page, page_url):
    page.goto(page_url + "?kind=motion&strength=NaN&model=cnn&seed=%3Cscript%3E")
    page.get_by_text("the usual value is used for: strength, seed").wait_for()
    page.get_by_text("restored by cnn").wait_for()
    page.get_by_role("button", name="Draw gain").click()
    page.locator("#laboratory-plot canvas, #laboratory-plot svg").first.wait_for()
    page.get_by_role("button", name="Stop").last.click()
    # axe dislikes Gradio's own toasts, buttons in a button; they go by themselves.
    page.locator(".toast-body").wait_for(state="detached")
    assert serious(page) == []
    page.get_by_role("button", name="Distort the whole photo").click()
    page.locator("a[download]").filter(has_text="cat-motion").or_(
        page.get_by_text("cat-motion")
    ).first.wait_for()


@pytest.mark.browser
@pytest.mark.slow
def test_a_slider_stays_under_the_finger_while_the_photo_is_restored(visit, page_url):
    page = visit(390, 844, touch=True)
    page.goto(page_url + "?kind=gaussian&strength=2&model=cnn")
    page.get_by_text("restored by cnn").wait_for()
    before = table(page)
    page.evaluate(
        """() => {
            const slider = document.querySelector("#laboratory-strength");
            window.places = new Set();
            const look = () => {
                places.add(Math.round(slider.getBoundingClientRect().top + scrollY));
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    page.locator("#laboratory-strength input[type=range]").press("ArrowRight")
    page.wait_for_function(
        f"!document.querySelector('#laboratory-scores').innerText.includes('{before['restored'][0]}')"
    )
    table(page)
    assert page.evaluate("places.size") == 1
    page.context.close()


@pytest.mark.browser
@pytest.mark.slow
def test_the_plot_draws_every_model(page, page_url):
    page.goto(page_url + "?kind=gaussian&model=cnn")
    page.get_by_text("restored by cnn").wait_for()
    page.get_by_role("button", name="Draw gain").click()
    page.wait_for_function(
        """colours => {
            const lines = [...document.querySelectorAll("#laboratory-plot .mark-line path")];
            return colours.every(one => lines.some(line => line.getAttribute("stroke") === one));
        }""",
        arg=list(COLOURS.values()),
    )
    for name in COLOURS:
        page.locator("#laboratory-plot").get_by_text(name, exact=True).wait_for()
