"""Faults that strike the whole process, for real: a full disk, a killed page, SIGTERM too early."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlparse

import httpx
import pytest
from conftest import EXAMPLES
from gradio_client import Client, handle_file
from PIL import Image
from running import ROOT, Running, running

from restore.page.guard import DISK_FULL, LEAST_FREE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="mounts and signals of Linux"),
]


def photo(folder: Path, megapixels: float) -> str:
    """A smooth photo that no other test has."""
    path = folder / f"secret-{megapixels}.png"
    with Image.open(EXAMPLES / "cat.jpg") as cat:
        share = (megapixels * 1e6 / (cat.width * cat.height)) ** 0.5
        cat.resize((round(cat.width * share), round(cat.height * share))).save(path)
    return str(path)


def restore(visitor: Client, path: str, model: str = "cnn", scale: str = "auto"):
    return visitor.submit(handle_file(path), model, None, scale, api_name="/restore")


def wait_for_work(app: Running, photos: int = 1) -> None:
    until = time.monotonic() + 60
    while app.health()["queue"] < photos:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture(scope="module")
def disk(tmp_path_factory) -> Iterator[Path]:
    """A small disk of its own for all that visitors send and get."""
    folder = tmp_path_factory.mktemp("disk")
    size = LEAST_FREE + 60_000_000
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "restore-test", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no disk can be mounted here: {getattr(error, 'stderr', error)}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """While not a byte is free."""
    path = disk / "filler"
    try:
        with path.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 20))
        assert not shutil.disk_usage(disk).free
        yield
    finally:
        path.unlink()


def test_a_disk_that_is_really_full(disk, tmp_path):
    folders = {"TMPDIR": str(disk), "GRADIO_TEMP_DIR": str(disk / "gradio")}
    with running(tmp_path / "log", environment=folders) as app:
        visitor = Client(app.url, verbose=False, download_files=str(tmp_path))
        small = photo(tmp_path, 0.01)
        with filled(disk), pytest.raises(Exception, match=r"507|disk is full"):
            restore(visitor, small).result(60)

        job = restore(visitor, photo(tmp_path, 2.5), "unet-1024")
        wait_for_work(app)
        with filled(disk):
            assert not job.done()
            with pytest.raises(Exception, match=r"cannot be written|disk is full"):
                job.result(300)

        with half_an_upload(app.url) as connection:
            with filled(disk):
                connection.sendall(bytes(3_000_000))
                answer = b""
                while part := connection.recv(2000):
                    answer += part
                    if answer.endswith(b"}"):
                        break
            assert b" 507 " in answer
            assert DISK_FULL.encode() in answer

        assert len(restore(visitor, small).result(60)) == 3
        said = app.log.read_text()
        assert "Traceback" not in said
        assert "secret" not in said


@contextmanager
def half_an_upload(url: str) -> Iterator[socket.socket]:
    """A connection on which 1 of 4 MB has been sent."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    with socket.create_connection(urlparse(url).netloc.split(":"), timeout=60) as connection:
        connection.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + head + bytes(1_000_000)
        )
        time.sleep(0.5)
        yield connection


def test_a_page_that_is_killed_in_mid_run_serves_the_next_visitor(tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with running(tmp_path / "log", environment={"TMPDIR": str(temporary)}) as app:
        killed = app.serving
        with httpx.Client(base_url=app.url, timeout=60) as visitor:
            given = visitor.post(
                "gradio_api/upload", files={"files": Path(photo(tmp_path, 6)).read_bytes()}
            )
            data = [
                {"path": (uploaded := given.json()[0]), "meta": {"_type": "gradio.FileData"}},
                "unet-512",
                None,
            ]
            event = visitor.post("gradio_api/call/restore", json={"data": data}).json()["event_id"]
            wait_for_work(app)
            killed.send_signal(signal.SIGSEGV)
            with pytest.raises(httpx.TransportError):
                visitor.get(f"gradio_api/call/restore/{event}")
        app.wait_until_ready()
        assert app.serving.pid != killed.pid
        assert uploaded.startswith(str(temporary))
        assert not Path(uploaded).exists(), "no photo stays behind"
        again = Client(app.url, verbose=False, download_files=str(tmp_path))
        assert len(restore(again, photo(tmp_path, 0.01)).result(60)) == 3
        assert "Signal 11 has killed the page. It starts again." in app.log.read_text()
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(30) == 0
    assert not list(temporary.glob("restore-*"))


def test_a_page_that_does_not_end_when_told_is_killed():
    stubborn = """
import signal, time
from restore.page import serve

serve.PATIENCE = 2
serve.outlive()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", stubborn]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        began = time.monotonic()
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGKILL
        assert time.monotonic() - began > 1.5


def test_work_that_cannot_be_finished_before_the_end_gets_a_sentence(tmp_path):
    with running(tmp_path / "log", environment={"OMP_NUM_THREADS": "1"}) as app:
        visitor = Client(app.url, verbose=False)
        photos = [photo(tmp_path, size) for size in (30, 31)]  # a minute each, on one core
        jobs = [restore(visitor, path, "unet-1024", "100") for path in photos]
        wait_for_work(app, len(jobs))
        began = time.monotonic()
        app.process.send_signal(signal.SIGTERM)
        for job in jobs:
            with pytest.raises(Exception, match="about to restart"):
                job.result(60)
        assert app.process.wait(30) == 0
        assert time.monotonic() - began < 30
        assert "Traceback" not in app.log.read_text()
