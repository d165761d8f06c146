"""The tab Restore, as a person meets it in a real browser."""

import base64

import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image
from playwright.sync_api import expect
from steps import (
    alike,
    cell,
    download,
    drop,
    give,
    halves,
    opened,
    ready,
    serious,
    table,
    wait_for_scores,
)

from restore import load
from restore.metrics import psnr
from restore.page.laboratory import distorted

pytestmark = [pytest.mark.browser, pytest.mark.slow]
GPS = 0x8825


def test_drop_a_photo_and_see_two_different_halves(page, cat):
    drop(page, "#photo button:has(input[type=file])", cat.blurred)
    before, after = halves(page)
    assert np.array_equal(before, opened(cat.blurred)), "before must be the photo, lossless"
    assert before.shape == after.shape
    assert 1 < np.abs(before.astype(int) - after).mean() < 20
    scores = wait_for_scores(page, "restore", "after")
    assert scores["before"][:2] == ["–", "–"], "no score without a reference"
    assert float(scores["after"][2]) > float(scores["before"][2]), "sharper"
    page.get_by_text("Restored. Detail is the model's best guess").wait_for()
    assert page.hosts == {"127.0.0.1"}, "the page asks no other host"


def test_a_photo_dropped_beside_the_zone_is_taken_too(page, cat, tmp_path):
    page.locator("#restore-model").get_by_label("cnn").check()
    drop(page, "h1", cat.blurred)
    ready(page, part="cat-cnn.png")
    other = tmp_path / "other.png"
    with Image.open(cat.blurred) as image:
        image.crop((0, 0, 80, 60)).save(other)
    drop(page, "#restore-slider", other)
    before, _ = halves(page, part="other-cnn.png")
    assert np.array_equal(before, opened(other)), "in place of the first"
    page.get_by_role("tab", name="Batch").click()
    drop(page, "h1", cat.blurred, other)
    for name in ("cat", "other"):
        page.locator("#batch-files tr").filter(has_text=name).wait_for()


def test_a_pasted_photo_takes_the_place_of_another(page, cat, tmp_path):
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    ready(page, part="cat-cnn.png")
    with Image.open(cat.blurred) as image:
        image.crop((0, 0, 80, 60)).save(tmp_path / "pasted.png")
    page.evaluate(
        """data => {
            const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([bytes], "pasted.png", {type: "image/png"}));
            document.body.dispatchEvent(
                new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true}));
        }""",
        base64.b64encode((tmp_path / "pasted.png").read_bytes()).decode(),
    )
    before, _ = halves(page, part="pasted-cnn.png")
    assert np.array_equal(before, opened(tmp_path / "pasted.png"))


def test_a_reference_brings_scores_and_another_model_others(page, cat):
    blurred, clear = opened(cat.blurred), opened(cat.clear)
    expected = {
        name: f"{psnr(load(name).restore(blurred), clear):.2f}" for name in ("unet-512", "cnn")
    }
    page.get_by_text("Have the clear original?").first.click()
    give(page, "reference", cat.clear)
    give(page, "photo", cat.blurred)
    cell(page, "restore", expected["unet-512"]).wait_for()
    first = wait_for_scores(page, "restore", "after")
    assert float(first["after"][1]) > float(first["before"][1])
    page.locator("#restore-model").get_by_label("cnn").check()
    cell(page, "restore", expected["cnn"]).wait_for()
    assert wait_for_scores(page, "restore", "before")["before"] == first["before"]
    ready(page, part="cat-cnn.png")


def test_strength_blends_view_scores_and_download_without_the_model(restored, cat):
    before, after = opened(cat.blurred), load("cnn").restore(opened(cat.blurred))
    slider = restored.locator("#restore-strength input[type=range]")
    slider.focus()
    restored.keyboard.press("Home")
    restored.wait_for_function(
        "document.querySelectorAll('.viewer-layer')[1].style.opacity === '0'"
    )
    restored.wait_for_function(
        """() => {
            const cells = [...document.querySelectorAll("#restore-scores [role=gridcell]")];
            const texts = cells.map(one => one.innerText.trim());
            return texts.length === 8 && texts[3] === texts[7];
        }"""
    )
    assert np.array_equal(opened(download(restored, "cat-cnn.png", before)), before)
    slider.fill("50")
    middle = np.round(before + (after.astype(np.float32) - before) / 2).astype(np.uint8)
    assert alike(opened(download(restored, "cat-cnn.png", middle)), middle)
    restored.locator("#restore-model").get_by_label("gan").check()
    ready(restored, part="cat-gan.png")
    after = load("gan").restore(before)
    middle = np.round(before + (after.astype(np.float32) - before) / 2).astype(np.uint8)
    assert alike(opened(download(restored, "cat-gan.png", middle)), middle), "still half"
    restored.locator("#restore-model").get_by_label("cnn").check()
    ready(restored, part="cat-cnn.png")
    after = load("cnn").restore(before)
    slider.fill("100")
    assert alike(opened(download(restored, "cat-cnn.png", after)), after)


def test_download_keeps_name_format_and_metadata_or_leaves_the_location_out(page, cat, tmp_path):
    path = tmp_path / "Mein Foto.jpg"
    with Image.open(cat.blurred) as image:
        exif = image.getexif()
        exif[0x010F] = "Camera"
        exif.get_ifd(GPS)[1] = "N"
        image.save(path, quality=95, exif=exif)
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", path)
    wait_for_scores(page, "restore", "after")
    button = page.get_by_role("button", name="Download the result").first

    def exif_of() -> tuple[str | None, dict]:
        with page.expect_download() as started:
            button.click()
        assert started.value.suggested_filename == "Mein Foto-cnn.jpg"
        with Image.open(started.value.path()) as image:
            assert image.format == "JPEG"
            return image.getexif().get(0x010F), dict(image.getexif().get_ifd(GPS))

    assert exif_of() == ("Camera", {1: "N"})
    for label, expected in {"Without location": ("Camera", {}), "Strip": (None, {})}.items():
        page.get_by_label(label).check()
        for _ in range(40):
            if exif_of() == expected:
                break
        assert exif_of() == expected


def test_an_example_is_restored_with_scores(page):
    page.locator("#restore-model").get_by_label("cnn").check()
    page.locator("#examples button").filter(has_text="History").click()
    ready(page, part="coins-gaussian-cnn.png")
    page.wait_for_function(
        "[...document.querySelectorAll('#restore-scores [role=gridcell]')].length === 8 && "
        "!isNaN(document.querySelectorAll('#restore-scores [role=gridcell]')[5].innerText)"
    )
    scores = table(page)
    assert float(scores["after"][0]) > float(scores["before"][0])


def test_a_file_that_is_no_photo_gets_a_sentence(page, tmp_path, cat):
    path = tmp_path / "notes.png"
    path.write_text("these are notes")
    give(page, "photo", path)
    page.get_by_text("notes.png: it is not a photo").wait_for()
    assert page.get_by_text("notes.png: it is not a photo").count() == 1, "said once"
    shown_by_name(page, "notes.png")
    assert serious(page) == []
    page.locator("#photo").get_by_label("Remove Image").click()
    page.get_by_role("button", name="Restore", exact=True).click()
    page.get_by_text("There is no photo yet").wait_for()
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    before, _ = halves(page)
    assert np.array_equal(before, opened(cat.blurred)), "and the next photo is served"


def shown_by_name(page, name: str) -> None:
    """The name stands where the browser has no picture, and no broken one does."""
    frame = page.locator("#photo .image-frame")
    page.locator("#photo .image-frame img").wait_for(state="hidden")
    assert frame.evaluate("one => getComputedStyle(one, '::after').content") == f'"{name}"'


def test_a_photo_that_no_browser_shows_is_restored_and_has_its_name_in_the_zone(
    page, cat, tmp_path
):
    path = tmp_path / "scan of 1999.tif"
    with Image.open(cat.blurred) as image:
        image.save(path)
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", path)
    before, _ = halves(page)
    assert np.array_equal(before, opened(cat.blurred))
    shown_by_name(page, "scan of 1999.tif")
    drop(page, "h1", cat.blurred)
    ready(page, part="cat-cnn.png")
    page.locator("#photo .image-frame img").wait_for()


def test_a_broken_reference_is_said_and_the_result_stays(page, cat, tmp_path):
    (tmp_path / "broken.png").write_text("no photo")
    give(page, "photo", cat.blurred)
    ready(page)
    page.get_by_text("Have the clear original?").first.click()
    give(page, "reference", tmp_path / "broken.png")
    page.locator(".toast-body").get_by_text("broken.png").first.wait_for()
    scores = wait_for_scores(page, "restore", "after")
    assert scores["after"][:2] == ["–", "–"]
    ready(page)


def test_the_file_of_before_is_not_taken_for_the_one_that_is_asked_for(page, cat):
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    wait_for_scores(page, "restore", "after")
    button = page.get_by_role("button", name="Download the result").first
    expect(button).to_be_enabled()
    page.route("**/gradio_api/queue/join**", lambda route: None)  # the new file is never ready
    page.locator("#restore-strength input[type=range]").press("ArrowLeft")
    expect(button).to_be_disabled()


def test_a_reference_of_another_size_is_not_compared_but_the_photo_restored(page, cat):
    page.locator("#restore-model").get_by_label("cnn").check()
    page.get_by_text("Have the clear original?").first.click()
    give(page, "reference", EXAMPLES / "coffee.jpg")
    give(page, "photo", cat.blurred)
    page.get_by_text("need two of the same size").first.wait_for()
    assert wait_for_scores(page, "restore", "after")["after"][0] == "–"


def test_a_large_photo_shows_a_preview_and_stop_stops(page, cat, tmp_path):
    path = tmp_path / "large.jpg"
    with Image.open(EXAMPLES / "astronaut.jpg") as image:
        image.resize((1700, 1300)).save(path)
    page.locator("#restore-model").get_by_label("gan").check()
    give(page, "photo", path)
    ready(page, part="large-gan-preview.png")
    page.get_by_text("A quick preview at screen size").wait_for()
    page.locator("#restore-model").get_by_label("unet-1024").check()
    page.locator(".status").get_by_text("restoring with unet-1024").first.wait_for()
    page.locator("#restore-stop").click()
    page.get_by_text("Stopped. What you see is a quick preview only.").wait_for()
    page.locator("#photo").get_by_label("Remove Image").click()
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    ready(page, part="cat-cnn.png")


def test_stop_goes_back_to_what_is_shown_and_says_nothing_where_nothing_ran(page, cat, tmp_path):
    note, model = page.locator("#restore-note"), page.locator("#restore-model")
    stop = page.locator("#restore-stop")
    stop.click()
    model.get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    page.get_by_text("Restored. Detail is").wait_for()
    stop.click()
    assert "Stopped" not in note.inner_text()
    path = tmp_path / "larger.png"  # small enough to have no preview, long enough to be stopped
    with Image.open(EXAMPLES / "astronaut.jpg") as image:
        image.resize((1400, 1400)).save(path)
    give(page, "photo", path)
    ready(page, part="larger-cnn.png")
    page.get_by_text("The model could do little here").wait_for()  # by a CNN
    model.get_by_label("unet-1024").check()
    page.locator(".status").get_by_text("restoring with unet-1024").first.wait_for()
    stop.click()
    page.get_by_text("Stopped. What you see is the result from before.").wait_for()
    assert model.get_by_label("cnn").is_checked(), "what is chosen is what is shown"
    ready(page, part="larger-cnn.png")
    model.get_by_label("unet-1024").check()
    page.locator(".status").get_by_text("restoring with unet-1024").first.wait_for()
    other = tmp_path / "other.png"
    Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(other)
    drop(page, "h1", other)
    page.wait_for_function("document.querySelector('#photo img')?.src.includes('other')")
    page.locator(".status").get_by_text("restoring with unet-1024").first.wait_for()
    stop.click()
    page.get_by_text("Stopped.", exact=True).wait_for()
    page.locator("#restore-slider img").first.wait_for(state="hidden")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("coffee", None, "This photo was already sharp"),
        ("coffee", "shake", "The model could do little here"),
        ("cat", "motion", "The model could do little here"),
    ],
)
def test_the_page_says_when_there_was_little_to_do_or_that_could_be_done(
    page, tmp_path, name, kind, words
):
    photo = opened(EXAMPLES / f"{name}.jpg")[60:252, 100:292].copy()
    if kind:
        photo = distorted(photo, kind, {"shake": 25, "motion": 20}[kind], 1, 30)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    give(page, "photo", tmp_path / "photo.png")
    page.locator("#restore-note").get_by_text(words).wait_for()


def test_two_visitors_at_once_get_each_their_own(visit, cat, tmp_path):
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    with Image.open(cat.blurred) as image:
        image.crop((0, 0, 90, 60)).save(paths[0])
        image.crop((20, 20, 120, 96)).save(paths[1])
    pages = [visit(), visit()]
    for page, path in zip(pages, paths, strict=True):
        page.locator("#restore-model").get_by_label("cnn").check()
        give(page, "photo", path)
    for page, path in zip(pages, paths, strict=True):
        before, after = halves(page, part="cnn.png")
        assert np.array_equal(before, opened(path))
        assert alike(after, load("cnn").restore(opened(path)))
        page.context.close()
