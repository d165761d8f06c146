"""What the tests share: real photos, and the page with a browser in front of it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import pytest
import torch
from PIL import Image
from running import Running, running
from skimage import data
from steps import give, ready

from restore.distort import add_noise, blur, shake_kernel
from restore.photo import decode
from restore.workers import Workers
from train import tiles

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "assets" / "examples"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

torch.set_num_threads(1)  # tests share the cores: pytest -n 2


@pytest.fixture
def several() -> Iterator[Callable[[int], Workers]]:
    """Makes workers; afterwards torch computes on one core again."""
    yield Workers
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def clear() -> np.ndarray:
    """A clear photo, uint8 [300, 451, 3]."""
    return decode(EXAMPLES / "cat.jpg").levels()


@pytest.fixture(scope="session")
def blurred() -> np.ndarray:
    """The same photo with the study's blur."""
    return decode(EXAMPLES / "cat-study.png").levels()


@pytest.fixture(scope="session")
def shaken(tmp_path_factory) -> Path:
    """The file of a photo that was shaken by about 20 px, with noise."""
    x = torch.from_numpy(decode(EXAMPLES / "boats.jpg").levels()).permute(2, 0, 1)[None] / 255
    g = torch.Generator().manual_seed(1)
    x = add_noise(blur(x, shake_kernel(torch.tensor([20.0]), g)), torch.tensor([1 / 255]), g)[0]
    path = tmp_path_factory.mktemp("shaken") / "shaken.png"
    Image.fromarray((x.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()).save(path)
    return path


@pytest.fixture(scope="session")
def page_app(tmp_path_factory) -> Iterator[Running]:
    """The running page, started the way a person starts it."""
    with running(tmp_path_factory.mktemp("page") / "log") as app:
        yield app


@pytest.fixture(scope="session")
def page_url(page_app) -> str:
    """The address of the running page."""
    return page_app.url


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium that asks no host but ours, with a camera of its own making."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        message = "no Chromium on this machine (Debian: apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    flags += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


WAIT = 90_000
"""Milliseconds a browser test waits for anything: a slow machine may share its cores."""


@pytest.fixture(scope="session")
def visit(browser, page_url):
    """Opens the page as a new visitor: visit(width, height, dark, touch, locale) -> page."""

    def visit(
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        touch: bool = False,
        locale: str = "en",
    ):
        context = browser.new_context(
            locale=locale,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.hosts = set()
        page.on("request", lambda request: page.hosts.add(urlparse(request.url).hostname))
        page.goto(page_url)
        page.wait_for_selector("#photo input[type=file]", state="attached")
        return page

    return visit


@pytest.fixture
def page(visit):
    page = visit()
    yield page
    page.context.close()


@dataclass(frozen=True)
class Pair:
    """Files of a small photo, blurred and clear."""

    blurred: Path
    clear: Path


@pytest.fixture(scope="session")
def cat(tmp_path_factory) -> Pair:
    """144 x 96 pixels, quickly restored; blurred as PNG and clear as PNG."""
    folder = tmp_path_factory.mktemp("cat")
    box = (150, 80, 294, 176)
    pair = Pair(folder / "cat.png", folder / "cat-clear.png")
    with Image.open(EXAMPLES / "cat-study.png") as image:
        image.crop(box).save(pair.blurred)
    with Image.open(EXAMPLES / "cat.jpg") as image:
        image.crop(box).save(pair.clear)
    return pair


@pytest.fixture(scope="module")
def restored(visit, cat):
    """A page with a small photo restored by the CNN; each test leaves it at fit, in the middle."""
    page = visit()
    page.locator("#restore-model").get_by_label("cnn").check()
    give(page, "photo", cat.blurred)
    ready(page, part="cat-cnn.png")
    yield page
    page.context.close()


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Eight real photos, two of them for validation, and one twice."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "train").mkdir()
    (folder / "val").mkdir()
    for name in ("astronaut", "chelsea", "coffee", "rocket", "brick", "grass"):
        Image.fromarray(getattr(data, name)()).save(folder / "train" / f"{name}.png")
    for name in ("gravel", "hubble_deep_field"):
        Image.fromarray(getattr(data, name)()).save(folder / "val" / f"{name}.png")
    shutil.copy(folder / "train" / "coffee.png", folder / "train" / "coffee-again.png")
    return folder


@pytest.fixture(scope="session")
def tiled(photos, tmp_path_factory) -> Path:
    """Tiles of them, 96 to train on and 4 to validate with."""
    out = tmp_path_factory.mktemp("tiles")
    tiles.make(photos, out, train=96, val=4)
    return out
