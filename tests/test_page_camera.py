"""Photos that a visitor takes with the camera, here Chromium's own picture of a clock's hand."""

import pytest
from conftest import WAIT
from steps import alike, halves, serious, wait_for_scores

from restore import load

SMALL = """
    const camera = navigator.mediaDevices, get = camera.getUserMedia.bind(camera);
    camera.getUserMedia = () => get({video: {width: 320, height: 240}});
"""
"""A camera of few pixels, whose photos are quickly restored."""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(
    "size", [{"width": 1280, "height": 900}, {"width": 390, "height": 844}], ids=["desk", "phone"]
)
def test_a_photo_taken_with_the_camera_is_restored(browser, page_url, size):
    context = browser.new_context(
        viewport=size, has_touch=True, permissions=["camera"], reduced_motion="reduce"
    )
    context.add_init_script(SMALL)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(page_url)
    page.locator("#restore-model").get_by_label("cnn").check()
    page.locator("#photo").get_by_label("Capture from camera").tap()
    page.get_by_text("Click to Access Webcam").tap()
    shutter = page.locator("#photo").get_by_title("capture photo")
    shutter.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert serious(page) == []
    page.wait_for_function("document.querySelector('#photo video').videoWidth > 0")
    shutter.tap()
    before, after = halves(page)
    assert before.std() > 10, "a picture, not a black one"
    assert alike(after, load("cnn").restore(before))
    assert float(wait_for_scores(page, "restore", "after")["after"][2]) > 0
    context.close()
