"""The repository as a Space: what it says about itself is true, and it starts as one."""

import ast
import importlib.metadata
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from conftest import EXAMPLES, ROOT
from gradio_client import Client, handle_file
from huggingface_hub import RepoCard
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image
from running import Running, free_port, running

from restore.page.parts import DEFAULT_MODEL
from restore.page.serve import address
from restore.photo import decode
from train.publish import space_files

NOBODY = 65534
PEAK = 4 << 30
"""Bytes of memory that the app may ever hold, a quarter of the free hardware's 16 GB."""
MEMORY, PORT = 16 << 30, 7860
"""What the free hardware has, in bytes, and where the Hub asks for the page."""
OPTIONAL = {"spaces", "pillow_heif"}


@pytest.fixture(scope="module")
def front_matter() -> dict:
    return RepoCard.load(ROOT / "README.md").data.to_dict()


@pytest.fixture(scope="module")
def requirements() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text().split("\n")
    parsed = [Requirement(line) for line in lines if line.strip()]
    return {requirement.name: requirement for requirement in parsed}


def test_front_matter_is_complete_and_true(front_matter, requirements):
    assert front_matter["sdk"] == "gradio"
    assert str(requirements["gradio"].specifier) == f"=={front_matter['sdk_version']}"
    oldest = re.search(r'target-version = "py3(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert front_matter["python_version"] == f"3.{oldest[1]}"
    assert (ROOT / front_matter["app_file"]).is_file()
    assert front_matter["license"] == "other"
    assert front_matter["license_name"]
    assert (ROOT / front_matter["license_link"]).is_file()
    assert len(front_matter["short_description"]) <= 60, "the Hub cuts off the rest"
    assert front_matter["suggested_hardware"] == "cpu-basic"
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {front_matter["colorFrom"], front_matter["colorTo"]} <= colours
    assert "image-restoration" in front_matter["tags"]
    assert front_matter["title"]
    assert front_matter["emoji"]


def test_requirements_are_installed_as_they_say(requirements):
    for name, requirement in requirements.items():
        version = importlib.metadata.version(name)
        assert requirement.specifier.contains(version, prereleases=True), name


def test_the_tested_versions_fit_the_requirements(requirements):
    lines = (ROOT / "tests" / "constraints.txt").read_text().split("\n")
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    for name, requirement in requirements.items():
        assert requirement.specifier.contains(pinned[name], prereleases=True), name


def test_all_that_a_space_imports_is_required_and_goes_along(requirements):
    """Only what stands at the top of a module counts: what is imported in functions may be rare."""
    dists = importlib.metadata.packages_distributions()
    files = space_files()
    wanted = set()
    for name, data in files.items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(data)):
            if isinstance(node, ast.Import):
                wanted |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                wanted.add(node.module.split(".")[0])
    wanted -= sys.stdlib_module_names | OPTIONAL | {"restore"}
    assert not wanted & {"train", "tests", "app"}
    brought = {
        canonicalize_name(Requirement(r).name) for r in importlib.metadata.requires("gradio")
    }
    for module in wanted:
        names = {canonicalize_name(name) for name in dists[module]}
        assert names & requirements.keys() or names & brought, module


def test_a_space_listens_where_it_must(monkeypatch):
    for key in ("SYSTEM", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
        monkeypatch.delenv(key, raising=False)
    assert address(None, None) == (None, None)
    monkeypatch.setenv("SYSTEM", "spaces")
    assert address(None, None) == ("0.0.0.0", 7860)
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7999")
    assert address("127.0.0.1", None) == ("127.0.0.1", 7999)


@pytest.fixture(scope="module")
def space():
    """The app as on the free hardware: two cores, 16 GB, not root, read-only files, no network."""
    root = Path(tempfile.mkdtemp(prefix="space-"))
    for name, data in space_files().items():
        path = root / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "home").mkdir()
    command, as_nobody = (sys.executable, "app.py"), {}
    if os.geteuid() == 0:
        binary = Path(sys.executable).resolve()
        if all(folder.stat().st_mode & 1 for folder in binary.parents):
            os.chown(root / "home", NOBODY, NOBODY)
            as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        else:  # a Python that is root's own: root then, but without any of root's powers
            command = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", *command)
    read_only = [root, root / "app", *(root / "app").rglob("*")]
    for path in read_only:
        path.chmod(0o555 if path.is_dir() else 0o444)
    environment = {
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "home"),
        "SYSTEM": "spaces",
        "SPACE_ID": "org/app",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "2",
    }

    def confine() -> None:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

    with running(
        root / "home" / "log",
        command,
        cwd=root / "app",
        environment=environment,
        port=free_port(PORT),
        preexec_fn=confine,
        **as_nobody,
    ) as app:
        yield app
    for path in read_only:
        path.chmod(0o755)
    shutil.rmtree(root)


@pytest.mark.slow
def test_it_starts_restores_and_ends_as_a_space(space, tmp_path):
    url, log = space.url, space.log
    assert httpx.get(url).status_code == 200
    client = Client(url, verbose=False)
    began = time.monotonic()
    pair, *_ = client.predict(
        handle_file(str(EXAMPLES / "cat-study.png")), DEFAULT_MODEL, None, api_name="/restore"
    )
    seconds = time.monotonic() - began
    paths = [half["path"] if isinstance(half, dict) else half for half in pair]
    before, after = (decode(path) for path in paths)
    assert before.size == after.size
    assert np.abs(before.levels().astype(int) - after.levels()).mean() > 1
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{space.serving.pid}/status").read_text())
    assert int(peak[1]) << 10 < PEAK
    ends_with_its_work_done(space, client, tmp_path, seconds)
    said = log.read_text()
    harmless = said.count("`spaces` package is required to run hot-reloading")
    harmless += said.count("Exception ignored in: <function BaseEventLoop.__del__")  # with `spaces`
    assert said.count("Traceback") == harmless, said
    assert "cat-study" not in said, "the log holds no names"
    assert "secret" not in said, "the log holds no names"


def ends_with_its_work_done(space: Running, client: Client, tmp_path: Path, seconds: float) -> None:
    """SIGTERM while restoring: the work is finished, the next visitor is told, the end is near.

    `seconds` is how long the cat took; the photo here is to take about 5.
    """
    photo = tmp_path / "secret.png"
    cat = Image.open(EXAMPLES / "cat-study.png")
    side = min(max((5 / seconds) ** 0.5, 0.5), 6)
    cat.resize((round(cat.width * side), round(cat.height * side))).save(photo)
    job = client.submit(handle_file(str(photo)), DEFAULT_MODEL, None, api_name="/restore")
    until = time.monotonic() + 60
    while not space.health()["queue"]:
        assert not job.done()
        assert time.monotonic() < until
    began = time.monotonic()
    space.process.send_signal(signal.SIGTERM)
    while space.health()["ready"]:
        assert time.monotonic() - began < 10
        time.sleep(0.05)
    late = httpx.post(f"{space.url}gradio_api/call/restore", json={"data": []})
    assert (late.status_code, late.json()["detail"][:20]) == (503, "The page is about to")
    assert not job.done(), "it must still have been at work"
    pair, *_ = job.result(timeout=60)
    assert len(pair) == 2
    assert space.process.wait(30) == 0, space.log.read_text()
    assert time.monotonic() - began < 30
