"""On ZeroGPU, with the real package `spaces` and all its emulation of a GPU, up to the GPU itself.

What lends GPUs there is a small server here that has none left.
"""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest
from conftest import EXAMPLES
from gradio_client import Client, handle_file
from running import running

pytest.importorskip("spaces", reason="pip install spaces")

NO_TOKEN = "a.e30.c"
"""What the Hub's proxy adds for a visitor; here it says nothing."""


@pytest.fixture
def lender() -> Iterator[tuple[str, list[dict]]]:
    """The address of a ZeroGPU service without a free GPU, and what it was asked for."""
    asked: list[dict] = []

    class Lender(BaseHTTPRequestHandler):
        def do_POST(self):
            wish = urlparse(self.path)
            if wish.path == "/schedule":
                asked.append(parse_qs(wish.query))
            self.send_response(503 if wish.path == "/schedule" else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Lender)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(os.path.exists("/proc/driver/nvidia"), reason="it is for machines without")
def test_every_model_asks_for_a_gpu_on_the_visitors_account(lender, tmp_path):
    service, asked = lender
    environment = {
        "SYSTEM": "spaces",
        "SPACE_ID": "org/app",
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": service,
        "HF_HUB_OFFLINE": "1",
        "HOME": str(tmp_path),
    }
    with running(tmp_path / "log", environment=environment) as app:
        assert app.health()["device"] == "cuda"
        visitor = Client(app.url, verbose=False, headers={"X-IP-Token": NO_TOKEN})
        photo = handle_file(str(EXAMPLES / "cat-study.png"))
        for model in ("unet-512", "cnn"):
            with pytest.raises(Exception, match="No GPU was available"):
                visitor.predict(photo, model, None, api_name="/restore")
        assert [wish.get("token") for wish in asked] == [[NO_TOKEN]] * 2
        assert "ERROR" not in app.log.read_text()
