"""The page as a process of its own, for the tests that start, burden and stop it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parent.parent


@dataclass
class Running:
    process: subprocess.Popen
    url: str
    log: Path
    """What it prints."""

    @property
    def serving(self) -> psutil.Process:
        """The process that does the work: on Linux a child of the one that was started."""
        started = psutil.Process(self.process.pid)
        return next(iter(started.children()), started)

    def wait_until_ready(self) -> None:
        until = time.monotonic() + 300
        while True:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            try:
                if self.health()["ready"]:
                    return
            except (httpx.TransportError, ValueError):
                time.sleep(0.2)

    def health(self) -> dict:
        return httpx.get(f"{self.url}health", timeout=30).json()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(
    log: Path,
    command: tuple[str, ...] = (sys.executable, "app.py"),
    cwd: Path = ROOT,
    environment: dict[str, str] | None = None,
    **popen: object,
) -> Iterator[Running]:
    """Start the page on a free port, wait until it is ready, and end it at last.

    `environment` is added to this process's own; `popen` goes to subprocess.Popen.
    """
    port = free_port()
    inherited = {key: value for key, value in os.environ.items() if key != "RESTORE_WEIGHTS"}
    inherited |= {"GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=inherited | (environment or {}),
            stdout=file,
            stderr=subprocess.STDOUT,
            **popen,
        )
    app = Running(process, f"http://127.0.0.1:{port}/", log)
    try:
        app.wait_until_ready()
        yield app
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
