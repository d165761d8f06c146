"""Closed to mischief: what a hostile visitor tries against the page, and what it gets."""

import asyncio
import errno
import http.client
import io
import json
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

from restore.page import build, guard
from restore.page.guard import Allowance, Door, Guard, RefusedError, check_call, is_uploaded
from restore.page.serve import launch

BLURRED = EXAMPLES / "cat-study.png"


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    """A folder of uploads with one photo in it and a secret beside it."""
    folder = tmp_path / "gradio"
    (folder / "abc").mkdir(parents=True)
    (folder / "abc" / "cat.png").write_bytes(BLURRED.read_bytes())
    (tmp_path / "secret").write_text("secret")
    (folder / "abc" / "link.png").symlink_to(tmp_path / "secret")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


def forged(uploads: Path) -> list[str]:
    """Everything that is no uploaded photo."""
    return [
        "/etc/passwd",
        str(ROOT / "app.py"),
        str(uploads / ".." / "secret"),
        str(uploads / "abc" / ".." / ".." / "secret"),
        str(uploads / "abc" / "link.png"),
        str(uploads),
        str(uploads / "abc"),
        "abc/cat.png",
        "../secret",
        "",
        "\0",
        "x" * 10_000,
        "http://127.0.0.1:80/cat.png",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
    ]


def test_only_uploads_are_uploads(uploads):
    assert is_uploaded(str(uploads / "abc" / "cat.png"))
    for path in forged(uploads):
        assert not is_uploaded(path), path


def test_a_call_names_uploads_only(uploads):
    def call(path: object, **more: object) -> bytes:
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}, **more}
        return json.dumps({"data": [[{"deep": photo}], "cnn"], "session_hash": "a"}).encode()

    good = str(uploads / "abc" / "cat.png")
    check_call(call(good, url="http://127.0.0.1:7860/gradio_api/file=" + good))
    check_call(call(None))
    bad = [call(path) for path in (*forged(uploads), 5, [good], {"path": good})]
    bad += [call(good, is_stream=True), b"", b"[]", b"{", b'{"data": 5}', b"[" * 50_000]
    bad += [b'{"data": [], "batched": true}', b"\xff", b'{"data": ' + b"[" * 5000]
    for body in bad:
        with pytest.raises(RefusedError, match=r"\.$"):
            check_call(body)


def test_an_allowance_refills_and_belongs_to_one_visitor(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(guard.time, "monotonic", lambda: now[0])
    allowance = Allowance(burst=3, rate=0.5)
    assert [allowance.take("a") for _ in range(4)] == [True, True, True, False]
    assert allowance.take("b")
    now[0] = 2
    assert [allowance.take("a") for _ in range(2)] == [True, False]


def exchange(app, path: str, chunks=(b"",), door=None, headers=(), client="203.0.113.9"):
    """Send a request through the guard to an ASGI app; status and sentence of the answer."""
    sent, queue = (
        [],
        [
            {"type": "http.request", "body": chunk, "more_body": i + 1 < len(chunks)}
            for i, chunk in enumerate(chunks)
        ],
    )

    async def receive():
        if queue:
            return queue.pop(0)
        await asyncio.sleep(60)
        return None

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": list(headers),
        "client": (client, 1),
    }
    asyncio.run(Guard(app, door or Door(dict))(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"]).get("detail")


async def drain(scope, receive, send):
    """An app that reads all and answers with nothing in particular."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def test_uploads_are_limited_whatever_they_claim(uploads, monkeypatch):
    monkeypatch.setattr(guard, "LARGEST_UPLOAD", 1000)
    path = "/gradio_api/upload"
    assert exchange(drain, path, [b"x" * 400] * 2)[0] == 200
    assert exchange(drain, path, [b"x" * 400] * 3) == (413, str(guard._too_large()))
    for claimed in (b"1001", b"-1", b"many"):
        assert exchange(drain, path, headers=[(b"content-length", claimed)])[0] == 413
    assert exchange(drain, "/gradio_api/queue/join", [b"x" * 400_000] * 2)[0] == 413
    door = Door(dict)
    door.bytes = Allowance(1000, 0.001)
    assert exchange(drain, path, [b"x" * 900], door)[0] == 200
    assert exchange(drain, path, [b"x" * 900], door)[0] == 429


def test_who_falls_silent_is_let_go(uploads, monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.05)

    async def waits(scope, receive, send):
        await receive()
        await receive()

    for path in ("/gradio_api/upload", "/gradio_api/cancel"):
        chunks = [] if path.endswith("cancel") else [b"x"]
        assert exchange(waits, path, chunks)[0] == 408


def test_failures_behind_the_guard_become_sentences(uploads, caplog, monkeypatch):
    async def full(scope, receive, send):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/secret-name.png")

    async def broken(scope, receive, send):
        raise KeyError("secret-name.png")

    status, sentence = exchange(full, "/gradio_api/upload")
    assert (status, sentence) == (507, "The server's disk is full. Please try again in an hour.")
    status, sentence = exchange(broken, "/gradio_api/upload")
    assert (status, sentence[-1]) == (500, ".")
    assert "KeyError in test_guard.py" in caplog.text
    assert "secret-name" not in caplog.text
    monkeypatch.setattr(guard, "LEAST_FREE", 1 << 60)
    assert exchange(drain, "/gradio_api/upload")[0] == 507


def test_a_closing_door_takes_nothing_new(uploads):
    door = Door(dict)
    door.closing = True
    for path in ("/gradio_api/upload", "/gradio_api/queue/join"):
        status, sentence = exchange(drain, path, [b'{"data": []}'], door)
        assert (status, sentence[:20]) == (503, "The page is about to")


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


@pytest.mark.slow
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


@pytest.mark.slow
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
        ("POST", "/gradio_api/mcp/"),
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_forged_arguments_get_a_sentence(web):
    photo = upload(web, "cat.png", BLURRED.read_bytes())
    huge = 10**400
    for endpoint, data in [
        ("restore", [photo, ["cnn"], None]),
        ("restore", [photo, {"a": 1}, None]),
        ("restore", [photo, None, None]),
        ("restore", [photo, "../../weights/cnn", None]),
        ("restore", [photo, "org/repo", None]),
        ("restore", [{**photo, "path": "/etc/passwd"}, "cnn", None]),
        ("restore", [{**photo, "path": str(ROOT / "assets/page.jpg")}, "cnn", None]),
        ("restore", [{**photo, "orig_name": ["a"]}, "cnn", None]),
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


@pytest.mark.slow
def test_disguised_files_get_a_sentence_and_do_nothing(page_url, disguised):
    client = Client(page_url, verbose=False)
    for name, path in disguised.items():
        if path.stat().st_size:  # the client refuses to send nothing
            with pytest.raises(Exception, match=rf"{name}.*\.$"):
                client.predict(handle_file(str(path)), "cnn", None, api_name="/restore")
    assert not (disguised["zip.jpg"].parent / "owned").exists()


@pytest.mark.slow
def test_names_are_text_never_html(web):
    name = "<img src=x onerror=alert(1)>.png"
    photo = upload(web, name, b"not a photo")
    said = call(web, "restore", [photo, "cnn", None])
    assert "not a photo" in said
    assert "<img" not in said
    assert "<" not in call(web, "restore", [photo, "<b>cnn</b>", None])


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_health(web):
    answer = web.get("/health")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() | {"device": "x"} == {
        "ready": True,
        "model": "unet-512",
        "device": "x",
        "queue": 0,
    }
