"""The viewer of before and after, with mouse, fingers and keys, in a real browser."""

import pytest
from PIL import Image
from steps import give, images, ready, serious, wait_for_scores

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def divider(page):
    return page.locator("#restore-slider [role=slider]")


def at(page) -> int:
    return int(divider(page).get_attribute("aria-valuenow"))


def test_keys_move_the_divider_and_say_where_it_is(restored):
    divider(restored).focus()
    for key, place in {
        "Home": 0,
        "ArrowRight": 2,
        "PageUp": 12,
        "ArrowLeft": 10,
        "End": 100,
    }.items():
        restored.keyboard.press(key)
        assert at(restored) == place
    restored.mouse.move(0, 0)
    for _ in range(5):
        restored.keyboard.press("PageDown")
    assert at(restored) == 50
    assert divider(restored).get_attribute("aria-valuetext") == "50 % Before, 50 % After"


@pytest.mark.parametrize("size", [(1500, 10), (5, 5)])
def test_a_very_flat_or_small_photo_is_seen(page, tmp_path, size):
    path = tmp_path / "small.png"
    Image.effect_noise(size, 60).convert("RGB").save(path)
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", path)
    ready(page)
    assert page.locator("#restore-slider .viewer-stage").bounding_box()["height"] >= 120
    first, second = images(page, "restore-slider")
    assert first["width"] == second["width"] > 100


def test_the_mouse_moves_the_divider_and_pans_both_halves_in_step(restored):
    stage = restored.locator("#restore-slider .viewer-stage")
    box = stage.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    restored.mouse.move(*middle)
    restored.mouse.down()
    restored.mouse.move(box["x"] + box["width"] * 0.25, middle[1], steps=3)
    restored.mouse.up()
    assert at(restored) == 25
    tools = restored.locator("#restore-slider .viewer-tools")
    fit = images(restored, "restore-slider")[0]["width"]
    for label, zoom in {"100 %": 1, "200 %": 2}.items():
        tools.get_by_text(label, exact=True).first.click()
        first, second = images(restored, "restore-slider")
        assert first["width"] == pytest.approx(zoom * first["natural"])
        assert first["width"] == second["width"]
        assert first["transform"] == second["transform"]
    restored.keyboard.press("+")
    for _ in range(4):
        restored.keyboard.press("+")
    start = images(restored, "restore-slider")[0]["left"]
    restored.mouse.move(middle[0] + 60, middle[1] + 20)
    restored.mouse.down()
    restored.mouse.move(middle[0] + 20, middle[1] + 20, steps=2)
    restored.mouse.up()
    first, second = images(restored, "restore-slider")
    assert first["left"] == pytest.approx(start - 40, abs=1)
    assert first["transform"] == second["transform"]
    assert at(restored) == 25, "a pan leaves the divider where it is"
    tools.get_by_text("Fit").click()
    assert images(restored, "restore-slider")[0]["width"] == pytest.approx(fit)


def test_the_lens_shows_the_place_under_the_cursor(restored):
    lens = restored.locator("#restore-slider .viewer-lens")
    assert lens.is_hidden()
    restored.get_by_role("button", name="Lens").first.click()
    box = restored.locator("#restore-slider .viewer-stage").bounding_box()
    seen = []
    for share in (0.3, 0.7):
        restored.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        assert lens.is_visible()
        seen.append(lens.evaluate("canvas => canvas.toDataURL()"))
    assert seen[0] != seen[1]
    restored.get_by_role("button", name="Lens").first.click()
    assert lens.is_hidden()


def test_halves_have_names_and_fill_the_screen(restored):
    first, second = images(restored, "restore-slider")
    assert (first["alt"], second["alt"]) == ("Before: cat.png", "After: cat-cnn.png")
    restored.get_by_role("button", name="Full screen").first.click()
    restored.wait_for_function(
        "document.querySelector('#restore-slider .viewer-stage').clientHeight > innerHeight * 0.8"
    )
    restored.get_by_role("button", name="Full screen").first.click()
    restored.wait_for_function("!document.fullscreenElement")


def test_on_a_phone_the_result_comes_first_and_a_finger_moves_the_divider(visit, cat):
    page = visit(390, 844, dark=True, touch=True)
    page.locator("#restore-model").get_by_label("cnn").check()
    page.evaluate("scrollTo(0, 0)")  # up to where a photo is taken
    give(page, "photo", cat.blurred)
    wait_for_scores(page, "restore", "after")
    stage = page.locator("#restore-slider .viewer-stage")
    box = stage.bounding_box()
    assert 0 < box["y"] < box["y"] + box["height"] < 844, "seen without scrolling"
    touch = page.context.new_cdp_session(page)
    y = box["y"] + box["height"] / 2
    for kind, share in [("touchStart", 0.5), ("touchMove", 0.6), ("touchMove", 0.75)]:
        point = {"x": box["x"] + share * box["width"], "y": y}
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert at(page) == pytest.approx(75, abs=2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious(page) == []
    page.context.close()


def test_two_fingers_zoom_both_halves_and_one_pans_them(visit, cat):
    page = visit(390, 844, touch=True)
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    ready(page, part="cat-cnn.png")
    stage = page.locator("#restore-slider .viewer-stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *places: float) -> None:
        points = [{"x": place, "y": y, "id": i} for i, place in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fit = images(page, "restore-slider")[0]["width"]
    touch("touchStart", x - 20)
    touch("touchStart", x - 20, x + 20)
    for apart in (30, 40):
        touch("touchMove", x - apart, x + apart)
    touch("touchEnd")
    first, second = images(page, "restore-slider")
    assert first["width"] == pytest.approx(2 * fit, rel=0.05)
    assert first["transform"] == second["transform"]
    touch("touchStart", x + 60)  # beside the divider
    touch("touchMove", x + 80)
    touch("touchMove", x + 110)
    touch("touchEnd")
    moved, also = images(page, "restore-slider")
    assert moved["left"] > first["left"] + 20
    assert moved["transform"] == also["transform"]
    page.context.close()


def test_with_the_keyboard_alone_from_the_file_to_the_download(page, cat):
    page.on("filechooser", lambda chooser: chooser.set_files(str(cat.blurred)))
    page.locator("#examples button").first.wait_for()

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        pytest.fail(f"no Tab leads to {selector}")

    tab_to("#photo button:has(input[type=file])")
    page.keyboard.press("Enter")
    ready(page, part="cat-unet-512.png")
    tab_to("#restore-slider [role=slider]")
    page.keyboard.press("ArrowLeft")
    assert at(page) == 48
    page.get_by_role("button", name="Download the result").first.wait_for()
    tab_to(".take button.primary")
    with page.expect_download() as started:
        page.keyboard.press("Enter")
    assert started.value.suggested_filename == "cat-unet-512.png"


def test_nothing_stands_in_the_way_of_a_screen_reader(restored):
    assert serious(restored) == []
