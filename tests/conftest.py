"""What the tests share: real photos, and the page with a browser in front of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from running import Running, running

from restore.photo import decode

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "assets" / "examples"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

torch.set_num_threads(max(1, (os.cpu_count() or 1)))


@pytest.fixture(scope="session")
def clear() -> np.ndarray:
    """A clear photo, uint8 [300, 451, 3]."""
    return decode(EXAMPLES / "cat.jpg").levels()


@pytest.fixture(scope="session")
def blurred() -> np.ndarray:
    """The same photo with the study's blur."""
    return decode(EXAMPLES / "cat-study.png").levels()


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
    """A headless Chromium that asks no host but ours."""
    from playwright.sync_api import sync_playwright

    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        message = "no Chromium on this machine (Debian: apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()
