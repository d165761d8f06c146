"""What a person does on the page and sees there, in a few words for the browser tests."""

import base64
import io
import mimetypes

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from restore.photo import decode


def opened(path) -> np.ndarray:
    return decode(path).levels()


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal but for the last bit, which depends on how many threads compute."""
    return one.shape == other.shape and np.abs(one.astype(int) - other).max() <= 1


def give(page, where: str, path) -> None:
    page.set_input_files(f"#{where} input[type=file]", str(path))


def drop(page, where, *paths) -> None:
    """Drop files on what a selector finds, as a browser tells the page of it, which takes them."""
    taken = page.evaluate(
        """([where, files]) => {
            const dataTransfer = new DataTransfer();
            for (const [name, type, data] of files) {
                const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
                dataTransfer.items.add(new File([bytes], name, {type}));
            }
            const given = {dataTransfer, bubbles: true, cancelable: true};
            return ["dragover", "drop"].every(kind =>
                !document.querySelector(where).dispatchEvent(new DragEvent(kind, given)));
        }""",
        [
            where,
            [
                [
                    path.name,
                    mimetypes.guess_type(path.name)[0] or "",
                    base64.b64encode(path.read_bytes()).decode(),
                ]
                for path in paths
            ],
        ],
    )
    assert taken, "else the browser leaves the page for the file"


def ready(page, where: str = "restore", part: str = "") -> None:
    """Wait until a pair is shown, both files with `part` in their names."""
    page.wait_for_function(
        """([where, part]) => {
            const images = [...document.querySelectorAll(`#${where}-slider img`)];
            return images.length === 2 && images.every(one => one.naturalWidth)
                && images[1].src.includes(part);
        }""",
        arg=[where, part],
    )


def halves(page, where: str = "restore", part: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Before and after as they lie under the divider, once both are there."""
    ready(page, where, part)
    sources = page.eval_on_selector_all(f"#{where}-slider img", "list => list.map(i => i.src)")
    arrays = [np.asarray(Image.open(io.BytesIO(page.request.get(url).body()))) for url in sources]
    return arrays[0], arrays[1]


def table(page, where: str = "restore") -> dict[str, list[str]]:
    """The table of scores: name of the row -> its cells."""
    cells = page.eval_on_selector_all(
        f"#{where}-scores [role=gridcell]",
        "list => list.map(one => [one.getAttribute('data-row'), one.innerText.trim()])",
    )
    rows: dict[str, list[str]] = {}
    for row, text in cells:
        rows.setdefault(row, []).append(text)
    return {row[0]: row[1:] for row in rows.values()}


def cell(page, where: str, text: str):
    return page.locator(f"#{where}-scores [role=gridcell]").get_by_text(text, exact=True).first


def wait_for_scores(page, where: str, row: str) -> dict[str, list[str]]:
    """The table, once it has the row."""
    cell(page, where, row).wait_for()
    return table(page, where)


def images(page, where: str) -> list[dict]:
    """The photos of a viewer as they lie on the screen, once it has decoded them."""
    shown = f"#{where} .viewer-layer img"
    page.locator(shown).first.wait_for()
    return page.eval_on_selector_all(
        shown,
        """list => list.map(image => ({
            alt: image.alt, natural: image.naturalWidth, width: image.getBoundingClientRect().width,
            left: image.getBoundingClientRect().left - image.closest(".viewer-stage")
                .getBoundingClientRect().left,
            transform: image.style.transform,
        }))""",
    )


def download(page, name: str, wanted: np.ndarray):
    """The file behind the download button, once it is the wanted one."""
    for _ in range(40):
        with page.expect_download() as started:
            page.get_by_role("button", name="Download the result").first.click()
        assert started.value.suggested_filename == name
        if alike(opened(started.value.path()), wanted):
            break
    return started.value.path()


def cut_off(page, selector: str) -> list[str]:
    """What of the elements is wider than the room it has, so that one must push it to and fro.

    Tables learn of a new width of the page a little later, and so they have two seconds.
    """
    for _ in range(20):
        found = page.eval_on_selector_all(
            selector,
            """list => list.filter(one => one.clientWidth && one.scrollWidth > one.clientWidth + 1)
                .map(one => `${one.className}: ${one.scrollWidth} of ${one.clientWidth}`)""",
        )
        if not found:
            break
        page.wait_for_timeout(100)
    return found


def serious(page) -> list[str]:
    """What axe-core finds serious or critical on what is shown, once nothing fades in any more.

    Gradio shows a text at a fifth of its opacity while it waits for a new one.
    """
    page.wait_for_function("() => !document.querySelector('.pending')")
    page.evaluate(
        """async () => {
            const fading = () => document.getAnimations()
                .filter(one => one.playState === "running"
                    && one.effect.getComputedTiming().endTime < 1000);
            do {
                await Promise.allSettled(fading().map(one => one.finished));
                await new Promise(done => setTimeout(done, 50));  // one may follow another
            } while (fading().length);
        }"""
    )
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html']}: {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
