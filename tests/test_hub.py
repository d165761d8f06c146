"""Weights from a Hub repo, through the real client and a server on loopback that speaks its API."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import ROOT

from restore.weights import BUNDLED

COMMIT = "c0ffee" + "0" * 34
FILES = {
    f"cnn/{name}": (BUNDLED / "cnn" / name).read_bytes()
    for name in ("config.json", "model.safetensors")
}


class Hub(BaseHTTPRequestHandler):
    """What snapshot_download asks of the Hub: the list of files of a revision, and the files."""

    def do_GET(self):
        path = self.path.split("?")[0]
        prefix = f"/org/repo/resolve/{COMMIT}/"
        if path == "/api/models/org/repo/revision/main":
            self._answer(json.dumps({"id": "org/repo", "sha": COMMIT}).encode())
        elif path == f"/api/models/org/repo/tree/{COMMIT}":
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                for name, data in FILES.items()
            ]
            self._answer(json.dumps(tree).encode())
        elif path.startswith(prefix) and path.removeprefix(prefix) in FILES:
            self._answer(FILES[path.removeprefix(prefix)])
        else:
            error = (
                "RevisionNotFound" if path.startswith("/api/models/org/repo/") else "RepoNotFound"
            )
            self._answer(b"{}", 404, {"X-Error-Code": error})

    do_HEAD = do_GET  # noqa: N815

    def _answer(self, data: bytes, status: int = 200, headers: dict | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def run(weights: str, endpoint: str, cache: Path, out: Path) -> subprocess.CompletedProcess:
    photo = ROOT / "assets" / "examples" / "cat-study.png"
    options = ["--out", out, "--model", "cnn", "--weights", weights, "--overwrite"]
    environment = {
        **os.environ,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-m", "restore", "run", photo, *options]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_weights_come_from_the_hub_and_then_from_the_cache(hub, tmp_path):
    pinned = f"org/repo@{COMMIT}"
    first = run(pinned, hub, tmp_path / "cache", tmp_path / "a")
    assert first.returncode == 0, first.stderr
    again = run(pinned, "http://127.0.0.1:9", tmp_path / "cache", tmp_path / "b")
    assert again.returncode == 0, again.stderr
    results = [(tmp_path / name / "cat-study.png").read_bytes() for name in "ab"]
    assert results[0] == results[1]


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["org/other", "org/repo@nowhere"])
def test_what_the_hub_does_not_have_gets_a_sentence(weights, hub, tmp_path):
    result = run(weights, hub, tmp_path, tmp_path)
    assert result.returncode == 2
    assert "could not be fetched from org/" in result.stderr
    assert "Traceback" not in result.stderr
