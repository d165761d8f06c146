"""Closed to mischief: what a hostile visitor tries against the running page, and what it gets."""

import http.client
import io
import pickle
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

import httpx
import pytest
from conftest import EXAMPLES, ROOT
from gradio_client import Client, handle_file
from PIL import Image
from running import free_port

from restore.page import build
from restore.page.serve import launch

pytestmark = pytest.mark.slow
BLURRED = EXAMPLES / "cat-study.png"


@pytest.fixture(scope="module")
def web(page_url):
    with httpx.Client(base_url=page_url, timeout=30) as client:
        yield client


def raw(page_url: str, path: str, method: str = "GET", headers=None) -> tuple[int, bytes]:
    """A request whose path is sent as it is written, dots and all."""
    connection = http.client.HTTPConnection(urlparse(page_url).netloc, timeout=30)
    connection.request(method, path, headers=headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_no_path_leads_to_a_file_of_the_server(page_url):
    root = str(ROOT)
    for path in [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/gradio_api/file=/tmp/gradio/../../etc/passwd",
        f"/gradio_api/file={root}/app.py",
        f"/gradio_api/file={root}/weights/cnn/model.safetensors",
        f"/gradio_api/file={root}/.git",
        "/gradio_api/file=app.py",
        "/file=app.py",
        "/gradio_api/file/app.py",
        "/static/../../../etc/passwd",
        "/static/..%2f..%2f..%2fetc/passwd",
        "/assets/../../../../../../etc/passwd",
        "/assets/%2e%2e/%2e%2e/%2e%2e/routes.py",
        "/svelte/../../routes.py",
        "//etc/passwd",
        "/gradio_api/custom_component/image/client/component/../../image.py",
    ]:
        status, body = raw(page_url, path)
        assert status in (403, 404), path
        assert b"root:" not in body
        assert b"import" not in body


def test_what_the_page_does_not_need_is_not_there(page_url):
    for method, path in [
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1:80/"),
        ("GET", "/gradio_api/stream/a/1/1/playlist.m3u8"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/deep_link?session_hash=a"),
        ("GET", "/gradio_api/vibe-code"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/pwa_icon/99999"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/vibe-edit"),
        ("GET", "/gradio_api/mcp/"),
        ("GET", "/gradio_api/mcp/sse"),
        ("POST", "/gradio_api/mcp/messages/"),
        ("PUT", "/gradio_api/upload"),
        ("DELETE", "/"),
    ]:
        assert raw(page_url, path, method)[0] in (404, 405), path


@pytest.fixture(scope="module")
def bait():
    """A server that a fetched URL would reach; it notes every visit."""

    class Bait(BaseHTTPRequestHandler):
        def do_GET(self):
            visits.append(self.path)
            self.send_response(200)
            self.end_headers()

        do_HEAD = do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    visits: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bait)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/cat.png", visits
    server.shutdown()


def test_the_server_fetches_no_url(web, bait):
    url, visits = bait
    meta = {"meta": {"_type": "gradio.FileData"}}
    photos = [{"path": url, **meta}, {"path": None, "url": url, **meta}, {"url": url, **meta}, url]
    for photo in photos:
        for body in ({"data": [photo, "cnn", None]}, {"data": [None, "cnn", photo]}):
            assert "error" in call(web, "restore", body["data"])
    assert web.get(f"/gradio_api/file={url}").status_code == 403
    assert web.get(f"/gradio_api/proxy={url}").status_code == 404
    assert web.get("/", params={"deep_link": "../../etc/passwd"}).status_code == 200
    assert web.get("/config", params={"deep_link": url}).json().get("deep_link_state") is None
    assert not visits


def call(web, endpoint: str, data: list) -> str:
    """What a call through the REST API comes to: the stream of its events, or the refusal."""
    answer = web.post(f"/gradio_api/call/{endpoint}", json={"data": data})
    if answer.status_code != 200:
        return f"error {answer.status_code} {answer.json()['detail']}"
    return web.get(f"/gradio_api/call/{endpoint}/{answer.json()['event_id']}").text


def upload(web, name: str, content: bytes, **headers: str) -> dict:
    answer = web.post("/gradio_api/upload", files={"files": (name, content)}, headers=headers)
    assert answer.status_code == 200, answer.text
    return {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def test_forged_arguments_get_a_sentence(web, page_app):
    photo = upload(web, "secret-name.png", BLURRED.read_bytes())
    logged = len(page_app.log.read_text())
    huge = 10**400
    for endpoint, data in [
        ("restore", [photo]),
        ("restore", [5, "cnn", None]),
        ("restore", [photo, ["cnn"], None]),
        ("restore", [photo, {"a": 1}, None]),
        ("restore", [photo, None, None]),
        ("restore", [photo, "../../weights/cnn", None]),
        ("restore", [photo, "org/repo", None]),
        ("restore", [{**photo, "path": "/etc/passwd"}, "cnn", None]),
        ("restore", [{**photo, "path": str(ROOT / "assets/page.jpg")}, "cnn", None]),
        ("compare", [photo, 5, None]),
        ("distort", [photo, "gaussian", huge, 0, None]),
        ("distort", [photo, "gaussian", "much", 0, None]),
        ("distort", [photo, "gaussian", None, 0, None]),
        ("distort", [photo, ["gaussian"], 1, 0, None]),
        ("distort", [photo, "noise", 3, "x", None]),
        ("distort", [photo, "noise", 3, {}, None]),
        ("distort", [photo, "noise", 3, -huge, None]),
        ("distort", [photo, "motion", 9, 0, "up"]),
        ("distort", [photo, "motion", 9, 0, [1]]),
    ]:
        said = call(web, endpoint, data)
        assert "error" in said, (endpoint, data[1:], said)
        assert "Traceback" not in said
        assert '"error": null' not in said, (endpoint, data[1:], "no sentence")
        assert "not yours" not in said, (endpoint, data[1:], "it is the caller's fault")
    log = page_app.log.read_text()[logged:]
    assert "ERROR" in log
    assert all(line.startswith(("ERROR ", "* ")) for line in log.splitlines() if line), log
    assert "secret-name" not in log
    assert "complete" in call(web, "distort", [photo, "study", 1, 0, None]), (
        "an honest call still works"
    )


@pytest.fixture(scope="module")
def disguised(tmp_path_factory) -> dict[str, Path]:
    """Files that claim to be photos."""
    folder = tmp_path_factory.mktemp("disguised")

    class Evil:
        def __reduce__(self):
            return (Path.touch, (folder / "owned",))

    slip = io.BytesIO()
    with zipfile.ZipFile(slip, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../owned", "x")
        archive.writestr("bomb", bytes(10_000_000))
    bomb = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    contents = {
        "pickle.png": pickle.dumps(Evil()),
        "zip.jpg": slip.getvalue(),
        "bomb.png": bomb.getvalue(),
        "svg.png": svg,
        "page.jpg": b"<html><script>alert(1)</script></html>",
        "code.webp": b"import os",
        "empty.png": b"",
        "half.png": BLURRED.read_bytes()[:2000],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


def test_disguised_files_get_a_sentence_and_do_nothing(page_url, disguised):
    client = Client(page_url, verbose=False)
    for name, path in disguised.items():
        if path.stat().st_size:  # the client refuses to send nothing
            with pytest.raises(Exception, match=rf"{name}.*\.$"):
                client.predict(handle_file(str(path)), "cnn", None, api_name="/restore")
    assert not (disguised["zip.jpg"].parent / "owned").exists()


def test_names_are_text_never_html(web):
    name = "<img src=x onerror=alert(1)>.png"
    photo = upload(web, name, b"not a photo")
    said = call(web, "restore", [photo, "cnn", None, "auto"])
    assert "not a photo" in said
    assert "<img" not in said
    assert "<" not in call(web, "restore", [photo, "<b>cnn</b>", None, "auto"])


def test_endless_calls_of_one_visitor_are_slowed_down_and_others_are_not(web):
    flood = {"X-Forwarded-For": "203.0.113.7"}
    body = {"data": []}
    answers = [web.post("/gradio_api/call/nothing", json=body, headers=flood) for _ in range(360)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 10
    assert refused[0].json()["detail"].startswith("These were too many calls in a short time.")
    assert refused[0].headers["Retry-After"] == "60"
    other = {"X-Forwarded-For": "203.0.113.8"}
    assert web.post("/gradio_api/call/nothing", json=body, headers=other).status_code != 429
    assert web.get("/config", headers=flood).status_code == 200


def test_a_password_keeps_the_page_closed_and_cannot_be_guessed_fast():
    page = build()
    launch(page, "127.0.0.1", free_port(), auth=("ann", "right"))
    try:
        with httpx.Client(base_url=page.local_url, timeout=30) as client:
            for path in ("/config", "/gradio_api/info", "/gradio_api/queue/status"):
                assert client.get(path).status_code == 401, path
            call = client.post("/gradio_api/call/restore", json={"data": []})
            assert call.status_code == 401
            assert client.get("/health").status_code == 200
            right = {"username": "ann", "password": "right"}
            assert client.post("/login", data=right).status_code == 200
            assert client.get("/config").status_code == 200
            client.cookies.clear()
            tries = [client.post("/login", data=right | {"password": str(i)}) for i in range(20)]
            assert {answer.status_code for answer in tries} == {400, 429}
            assert client.get("/config").status_code == 401
    finally:
        page.close(verbose=False)


def test_health(web):
    answer = web.get("/health")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() | {"device": "x"} == {
        "ready": True,
        "model": "unet-512",
        "device": "x",
        "queue": 0,
    }
