"""The page as a process of its own, for the tests that start, burden and stop it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


def free_port(wanted: int = 0) -> int | None:
    """The wanted port if it is free, else None; by default any."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", wanted))
        return probe.getsockname()[1]
    return None


@contextmanager
def running(
    log: Path,
    command: tuple[str, ...] = (sys.executable, "app.py"),
    cwd: Path = ROOT,
    environment: dict[str, str] | None = None,
    port: int | None = None,
    **popen: object,
) -> Iterator[Running]:
    """Start the page, wait until it is ready, and end it at last.

    It is told a free port, or where a `port` is given, it must take that one unasked.
    `environment` is added to this process's own; `popen` goes to subprocess.Popen.
    """
    told = ("RESTORE_WEIGHTS", "GRADIO_SERVER_PORT", "GRADIO_SERVER_NAME")
    inherited = {key: value for key, value in os.environ.items() if key not in told}
    inherited["PYTHONUNBUFFERED"] = "1"
    if port is None:
        port = free_port()
        inherited["GRADIO_SERVER_PORT"] = str(port)
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
