"""The working size and camera shake in the tab Restore, in a real browser."""

import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image, ImageFilter
from steps import alike, download, give, halves, opened, ready

from restore import load
from restore.metrics import sharpness
from restore.page.laboratory import distorted
from restore.page.words import verdict
from restore.restorer import NOT_STEADIED, STEADIED

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_working_size_is_chosen_by_auto_and_said_or_by_the_visitor(page, cat, tmp_path):
    path = tmp_path / "wide.png"
    with Image.open(cat.blurred) as image:
        image.filter(ImageFilter.GaussianBlur(9)).save(path)
    photo, restorer = opened(path), load("gan")
    page.locator("#restore-model").get_by_label("gan").check()
    give(page, "photo", path)
    said = page.get_by_text("Working size, chosen by auto: 25 %")
    said.wait_for()
    assert alike(halves(page, part="wide-gan.png")[1], restorer.restore(photo))
    page.get_by_role("button", name="Working size").click()
    page.locator("#restore-scale").get_by_label("100 %").check()
    said.wait_for(state="hidden")
    whole = restorer.restore(photo, scale=1.0)
    assert alike(opened(download(page, "wide-gan.png", whole)), whole)
    page.locator("#restore-strength input[type=range]").fill("50")
    middle = np.round(photo + (whole.astype(np.float32) - photo) / 2).astype(np.uint8)
    assert alike(opened(download(page, "wide-gan.png", middle)), middle)


def test_camera_shake_is_taken_out_by_auto_also_where_the_model_restored_the_photo(page, tmp_path):
    shaken = tmp_path / "shaken.png"
    photo = distorted(opened(EXAMPLES / "boats.jpg"), "defocus", 3, 1, 0)
    restorer = load("gan")
    Image.fromarray(photo).save(shaken)
    assert verdict(*(sharpness(x) for x in (photo, restorer.restore(photo))), "gan") == "restored"
    page.locator("#restore-model").get_by_label("gan").check()
    give(page, "photo", shaken)
    said = page.get_by_text(STEADIED)
    said.wait_for()
    steady = restorer.restore(photo, scale="shake")
    assert alike(halves(page, part="shaken-gan.png")[1], steady)
    page.locator("#restore-strength input[type=range]").fill("50")
    middle = np.round(photo + (steady.astype(np.float32) - photo) / 2).astype(np.uint8)
    assert alike(opened(download(page, "shaken-gan.png", middle)), middle)
    page.locator("#restore-strength input[type=range]").fill("100")
    page.get_by_role("button", name="Working size").click()
    page.locator("#restore-scale").get_by_label("100 %").check()
    said.wait_for(state="hidden")
    whole = restorer.restore(photo, scale=1.0)
    assert not alike(steady, whole)
    assert alike(opened(download(page, "shaken-gan.png", whole)), whole)


def test_who_stops_the_search_for_camera_shake_keeps_what_the_model_made(page, shaken, tmp_path):
    large = np.tile(opened(shaken), (2, 2, 1))  # so that the search takes its time
    Image.fromarray(large).save(tmp_path / "stopped.png")
    page.locator("#restore-model").get_by_label("gan").check()
    give(page, "photo", tmp_path / "stopped.png")
    page.locator(".status").get_by_text("looking for camera shake").first.wait_for()
    page.get_by_role("button", name="Stop", exact=True).first.click()
    page.get_by_text("Stopped. What you see is the result from before.").wait_for()
    alone = load("gan").restore(large)
    assert alike(halves(page, part="stopped-gan.png")[1], alone)
    assert alike(opened(download(page, "stopped-gan.png", alone)), alone)


def test_camera_shake_is_looked_for_where_the_visitor_asks_for_it_and_said_so(page, cat):
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.clear)
    ready(page, part="cat-clear-cnn.png")
    page.get_by_role("button", name="Working size").click()
    page.locator("#restore-scale").get_by_label("Camera shake").check()
    page.get_by_text(NOT_STEADIED).wait_for()
    alone = load("cnn").restore(opened(cat.clear))
    assert alike(halves(page, part="cat-clear-cnn.png")[1], alone)
