"""The tab Compare, as a person meets it in a real browser, and what it reckons."""

import importlib
from contextlib import nullcontext

import gradio as gr
import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image
from steps import cut_off, give, images, serious, table, wait_for_scores

from restore import load
from restore.metrics import psnr
from restore.page import differences
from restore.page.compare_tab import compare_models, explain, ranked
from restore.page.results import RUNS
from restore.photo import decode
from restore.weights import WeightsError


def untick(page, *models: str) -> None:
    for name in models:
        page.locator("#compare-models").get_by_label(name).uncheck()


@pytest.fixture(scope="module")
def compared(visit, cat):
    """A page with two models compared on a small photo with its reference."""
    page = visit()
    page.get_by_role("tab", name="Compare").click()
    untick(page, "unet-512", "unet-1024")
    give(page, "compare-photo", cat.blurred)
    page.get_by_text("Have the clear original?").locator("visible=true").click()
    give(page, "compare-reference", cat.clear)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator("#compare-spot img").nth(3).wait_for()
    yield page
    page.context.close()


@pytest.mark.browser
@pytest.mark.slow
def test_results_stand_side_by_side_with_a_sorted_table(compared):
    scores = wait_for_scores(compared, "compare", "gan")
    decibels = [float(row[0].rstrip("\u202f★")) for row in scores.values()]
    assert set(scores) == {"input", "cnn", "gan"}
    assert decibels == sorted(decibels, reverse=True)
    assert [row[0].endswith("★") for row in scores.values()] == [True, False, False]
    gains = {name: row[2] for name, row in scores.items()}
    assert gains["input"] == "–"
    assert all(gain.startswith(("+", "-")) for name, gain in gains.items() if name != "input")
    assert float(scores["cnn"][4]) > 0
    alts = [image["alt"] for image in images(compared, "compare-results")]
    assert alts == ["input: cat.png", "cnn: cat-cnn.png", "gan: cat-gan.png"]


@pytest.mark.browser
@pytest.mark.slow
def test_all_results_and_difference_maps_zoom_in_step(compared):
    compared.locator("#compare-results").get_by_text("200 %").click()
    lie = images(compared, "compare-results")
    assert len({image["width"] for image in lie}) == 1
    assert lie[0]["width"] == pytest.approx(2 * lie[0]["natural"])
    maps = images(compared, "compare-differences")
    assert [image["alt"].split(":")[0] for image in maps] == ["input", "cnn", "gan"]
    assert {image["width"] for image in maps} == {lie[0]["width"]}
    compared.locator("#compare-results").get_by_text("Fit").click()
    assert compared.locator("#compare-scale").inner_text().startswith("−")
    crops = [image["alt"].split(":")[0] for image in images(compared, "compare-spot")]
    assert crops == ["input", "cnn", "gan", "clear"]


@pytest.mark.browser
@pytest.mark.slow
def test_compare_is_fit_for_a_screen_reader_and_a_phone(compared):
    assert serious(compared) == []
    compared.set_viewport_size({"width": 390, "height": 844})
    assert compared.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("compare-results", "compare-scores", "compare-differences"):
        box = compared.locator(f"#{name}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390, name
    assert cut_off(compared, "#compare-scores *") == []
    compared.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.browser
@pytest.mark.slow
def test_the_photo_of_restore_is_there_already_and_its_reference_leaves_with_it(page, cat):
    page.locator("#restore-model").get_by_label("cnn").check()
    page.locator("#examples button").filter(has_text="History").click()
    wait_for_scores(page, "restore", "after")
    page.get_by_role("tab", name="Compare").click()
    page.locator("#compare-photo img").wait_for()
    untick(page, "unet-512", "unet-1024", "gan")
    go = page.get_by_role("button", name="Compare", exact=True)
    go.click()
    assert float(wait_for_scores(page, "compare", "cnn")["input"][0]) > 20, "dB"
    give(page, "compare-photo", cat.blurred)
    page.locator("#compare-results img").first.wait_for(state="hidden")
    go.click()
    assert wait_for_scores(page, "compare", "cnn")["input"][0] == "–"
    assert page.locator(".toast-body").count() == 0


@pytest.mark.browser
@pytest.mark.slow
def test_stop_on_a_phone_is_at_hand_and_says_so_and_what_is_ready_stays(visit, cat, tmp_path):
    page = visit(390, 844, touch=True)
    page.get_by_role("tab", name="Compare").click()
    path = tmp_path / "larger.png"
    Image.open(cat.blurred).resize((2404, 1600)).save(path)
    give(page, "compare-photo", path)
    untick(page, "unet-512")
    go = page.get_by_role("button", name="Compare", exact=True)
    go.click()
    page.locator(".status").get_by_text("unet-1024").locator("visible=true").wait_for()
    stop = page.get_by_role("button", name="Stop").locator("visible=true")
    box = stop.bounding_box()
    assert box["y"] + box["height"] <= 844 + 200, "a thumb's way below the progress"
    stop.click()
    note = page.locator("#compare-note")
    note.get_by_text("Stopped.").wait_for()
    assert set(table(page, "compare")) == {"input"}
    untick(page, "unet-1024")
    page.wait_for_timeout(1000)  # Gradio loses a click while it still cancels the run before
    go.click()
    wait_for_scores(page, "compare", "gan")
    assert not note.is_visible()
    page.locator("#compare-spot img").nth(2).wait_for()
    stop.click()
    page.wait_for_timeout(500)
    assert not note.is_visible(), "nothing ran"
    page.context.close()


@pytest.mark.browser
@pytest.mark.slow
def test_a_reference_given_or_taken_away_afterwards_is_scored_at_once(page, cat):
    page.get_by_role("tab", name="Compare").click()
    page.get_by_text("Have the clear original?").locator("visible=true").click()
    give(page, "compare-photo", cat.blurred)
    untick(page, "unet-512", "unet-1024", "gan")
    page.get_by_role("button", name="Compare", exact=True).click()
    assert wait_for_scores(page, "compare", "cnn")["cnn"][0] == "–"
    page.locator("#compare-spot img").nth(1).wait_for()
    give(page, "compare-reference", cat.clear)
    blurred, clear = (decode(path).levels() for path in (cat.blurred, cat.clear))
    expected = f"{psnr(load('cnn').restore(blurred), clear):.2f}"
    scored = page.locator("#compare-scores [role=gridcell]").filter(has_text=expected).first
    scored.wait_for()
    page.locator("#compare-differences img").nth(1).wait_for()
    page.locator("#compare-reference").get_by_label("Remove Image").click()
    scored.wait_for(state="detached")
    assert wait_for_scores(page, "compare", "cnn")["cnn"][0] == "–"


@pytest.mark.browser
@pytest.mark.slow
def test_another_photo_ends_the_comparison_of_the_last(page, cat, tmp_path):
    page.get_by_role("tab", name="Compare").click()
    path = tmp_path / "large.png"
    Image.open(cat.blurred).resize((2404, 1600)).save(path)
    give(page, "compare-photo", path)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator(".status").get_by_text("left").locator("visible=true").wait_for()
    page.locator("#compare-photo").get_by_label("Remove Image").click()
    page.locator("#compare-results img").first.wait_for(state="detached")
    give(page, "compare-photo", cat.blurred)
    untick(page, "unet-512", "unet-1024", "gan")
    page.wait_for_timeout(3000)
    assert page.locator("#compare-results img").count() == 0
    page.get_by_role("button", name="Compare", exact=True).click()
    assert set(wait_for_scores(page, "compare", "cnn")) == {"input", "cnn"}
    assert "large" not in page.locator("#compare-results img").first.get_attribute("src")


@pytest.mark.browser
@pytest.mark.slow
def test_a_reference_goes_with_its_photo(page, cat):
    page.get_by_role("tab", name="Compare").click()
    page.get_by_text("Have the clear original?").locator("visible=true").click()
    give(page, "compare-photo", cat.blurred)
    give(page, "compare-reference", cat.clear)
    page.locator("#compare-reference .image-frame img").wait_for()
    page.locator("#compare-photo").get_by_label("Remove Image").click()
    page.locator("#compare-reference .image-frame img").wait_for(state="detached")


@pytest.mark.browser
@pytest.mark.slow
def test_what_is_asked_for_while_another_comparison_runs_takes_its_place(page, cat, tmp_path):
    page.get_by_role("tab", name="Compare").click()
    path = tmp_path / "large.png"
    Image.open(cat.blurred).resize((2404, 1600)).save(path)
    give(page, "compare-photo", path)
    go = page.get_by_role("button", name="Compare", exact=True)
    go.click()
    page.locator(".status").get_by_text("left").locator("visible=true").wait_for()
    untick(page, "unet-512", "unet-1024", "gan")
    go.click()
    assert set(wait_for_scores(page, "compare", "cnn")) == {"input", "cnn"}
    alts = [image["alt"].split(":")[0] for image in images(page, "compare-differences")]
    assert alts == ["cnn"]


@pytest.mark.browser
@pytest.mark.slow
def test_no_photo_and_no_model_get_sentences(page, cat):
    page.get_by_role("tab", name="Compare").click()
    go = page.get_by_role("button", name="Compare", exact=True)
    go.click()
    page.get_by_text("There is no photo yet").wait_for()
    give(page, "compare-photo", cat.blurred)
    for box in page.locator("#compare-models input").all():
        box.uncheck()
    go.click()
    page.get_by_text("Tick at least one model to compare").wait_for()
    assert table(page, "compare") == {}


def test_a_model_that_fails_leaves_the_others(cat, monkeypatch):
    results = importlib.import_module("restore.page.results")
    whole = results.restored

    def restored(photo, name, *others):
        if name == "gan":
            raise WeightsError("The weights of gan are damaged.")
        return whole(photo, name, *others)

    monkeypatch.setattr(results, "restored", restored)
    upload = {"path": str(cat.blurred), "orig_name": "cat.png"}
    with pytest.warns(UserWarning, match="gan: The weights of gan are damaged"):
        shown, scores = list(compare_models(upload, ["gan", "cnn"]))[-1]
    assert [name for _, name in shown] == ["input", "cnn"]
    rows = {row[0]: row[1:] for row in scores["data"]}
    assert set(rows["gan"]) == {"failed"}
    assert float(rows["cnn"][3]) > 0


def test_what_differs_is_drawn_with_progress_and_stops_when_nobody_waits(cat, monkeypatch):
    upload = {"path": str(cat.blurred), "orig_name": "cat.png"}
    list(compare_models(upload, ["cnn", "gan"]))
    told: list[tuple[float, str]] = []

    def tell(share: float, desc: str) -> None:
        told.append((share, desc))

    (answer,) = explain(upload, ["cnn", "gan"], None, tell)
    assert [name for _, name in answer[0]] == ["cnn", "gan"]
    assert [share for share, _ in told] == pytest.approx([0, 1 / 3, 2 / 3])
    assert told[0][1] == "drawing what differs"
    assert all(words == "drawing what differs, 1 s left" for _, words in told[1:])
    monkeypatch.setattr(RUNS, "run", lambda *_: nullcontext(lambda: True))
    (answer,) = explain(upload, ["cnn", "gan"], None, tell)
    assert answer == (gr.skip(),) * 6, "what is shown stays"


def test_the_table_puts_the_best_first_and_marks_it():
    def row(name, decibels, similarity):
        return [name, decibels, similarity, "–", "0.5", "1.0"]

    scores = ranked(
        [row("input", "26.00", "0.80"), row("a", "25.50", "0.90"), row("b", "28.00", "0.85")]
    )
    assert [(line[0], line[3]) for line in scores["data"]] == [
        ("b", "+2.00"),
        ("input", "–"),
        ("a", "-0.50"),
    ]
    shown = scores["metadata"]["display_value"]
    assert [line[1] for line in shown] == ["28.00\u202f★", "26.00", "25.50"]
    assert [line[2] for line in shown] == ["0.85", "0.80", "0.90\u202f★"]
    blind = ranked([row("input", "–", "–"), row("a", "–", "–")])
    assert [line[3] for line in blind["data"]] == ["–", "–"], "no gain without a reference"
    assert "★" not in str(blind["metadata"])


def test_a_difference_is_blue_below_white_at_and_red_above_zero():
    base = np.full((2, 3, 3), 100, np.uint8)
    photo = base.copy()
    photo[0, 0], photo[0, 1] = 110, 84
    one = differences.signed(photo, base)
    assert one[0].tolist() == [30, -48, 0]
    assert differences.scale_for([one]) == 16
    assert differences.scale_for([base[..., 0].astype(np.int16) * 0]) == differences.SCALES[0]
    assert differences.scale_for([differences.signed(base * 0, base * 0 + 255)]) == 255
    drawn = differences.coloured(one, 16)
    assert tuple(drawn[0, 1]) == differences.DARKER
    assert tuple(drawn[0, 2]) == differences.SAME
    assert drawn[0, 0, 0] > drawn[0, 0, 2], "reddish"


def test_the_spot_is_where_the_photos_differ_most():
    photos = [np.zeros((60, 80, 3), np.uint8) for _ in range(3)]
    photos[1][40:50, 20:30] = 200
    photos[2][5, 70] = 255
    rows, columns = differences.most_different(photos, 16)
    assert rows.stop - rows.start == columns.stop - columns.start == 16
    assert rows.start <= 40
    assert rows.stop >= 50
    assert columns.start <= 20
    assert columns.stop >= 30
    assert differences.most_different([photos[0][:5]], 16) == (slice(0, 5), slice(0, 16))


def test_every_example_is_there_and_says_how_it_was_blurred():
    from restore.page.examples import EXAMPLES as SHOWN

    for example in SHOWN:
        blurred, clear = example.files()
        assert blurred.exists()
        assert (clear is None) == ("for real" in example.caption)
    assert {path.name for path in EXAMPLES.glob("*.png")} == {one.file for one in SHOWN}
