"""The guard by itself: what it lets through, and what its refusals say."""

import asyncio
import errno
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import EXAMPLES, ROOT

from restore.page import guard
from restore.page.guard import Door, Guard, RefusedError, check_call, is_uploaded
from restore.page.visitors import Allowance, visitor_of

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
    monkeypatch.setattr("restore.page.visitors.time.monotonic", lambda: now[0])
    allowance = Allowance(burst=3, rate=0.5)
    assert [allowance.take("a") for _ in range(4)] == [True, True, True, False]
    assert allowance.take("b")
    now[0] = 2
    assert [allowance.take("a") for _ in range(2)] == [True, False]


OUR_PROXY = "10.16.3.80"
"""Private, as the Hub's proxies are for a Space."""


@pytest.mark.parametrize(
    ("space", "peer", "forwarded", "visitor"),
    [
        (False, "9.9.9.9", ["1.1.1.1"], "9.9.9.9"),
        (False, "127.0.0.1", [], None),
        (False, "::ffff:9.9.9.9", [], "9.9.9.9"),
        (False, "2a00:1450:4001:80e::200e", [], "2a00:1450:4001:80e::/64"),
        (True, OUR_PROXY, ["1.1.1.1"], "1.1.1.1"),
        (True, OUR_PROXY, ["203.0.113.7, 8.8.8.8, 1.1.1.1"], "1.1.1.1"),
        (True, OUR_PROXY, ["8.8.8.8, 1.1.1.1, 10.0.0.7"], "1.1.1.1"),
        (True, OUR_PROXY, ["8.8.8.8", "1.1.1.1"], "1.1.1.1"),
        (True, OUR_PROXY, ["127.0.0.1"], OUR_PROXY),
        (True, OUR_PROXY, ["1.1.1.1, <b>, \xff, unknown"], "1.1.1.1"),
        (True, OUR_PROXY, [""], OUR_PROXY),
        (True, OUR_PROXY, ["2a00:1450:4001:80e:1:2:3:4"], "2a00:1450:4001:80e::/64"),
    ],
)
def test_a_visitor_cannot_pass_for_another(space, peer, forwarded, visitor, monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    if space:
        monkeypatch.setenv("SPACE_ID", "org/app")
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    assert visitor_of({"client": (peer, 1), "headers": headers}) == visitor


@pytest.mark.parametrize("space", [False, True])
def test_forged_addresses_bring_no_fresh_allowance(space, uploads, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "org/app" if space else "")
    door = Door(dict)
    door.calls = Allowance(3, 0.001)

    def call(forged: str, real: str) -> int:
        if space:
            headers, client = [(b"x-forwarded-for", f"{forged}, {real}".encode())], OUR_PROXY
        else:
            headers, client = [(b"x-forwarded-for", forged.encode())], real
        path, body = "/gradio_api/queue/join", [b'{"data": []}']
        return exchange(drain, path, body, door, headers, client)[0]

    assert [call(f"8.8.8.{i}", "1.1.1.1") for i in range(5)] == [200, 200, 200, 429, 429]
    assert call("8.8.8.8", "9.9.9.9") == 200


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
    with ThreadPoolExecutor(1) as pool:  # a browser of other tests has a loop in this thread
        pool.submit(asyncio.run, Guard(app, door or Door(dict))(scope, receive, send)).result()
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


def test_the_photos_of_a_batch_come_in_one_upload(uploads):
    path, chunk = "/gradio_api/upload", b"x" * 50_000_000
    assert exchange(drain, path, [chunk] * 5)[0] == 200


def test_an_upload_for_which_there_is_no_room_is_not_begun(uploads, monkeypatch):
    free = guard.shutil.disk_usage(uploads).free
    monkeypatch.setattr(guard, "LEAST_FREE", free - 50_000_000)
    for claimed, status in ((b"1000", 200), (b"90000000", 507)):
        headers = [(b"content-length", claimed)]
        assert exchange(drain, "/gradio_api/upload", headers=headers)[0] == status


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
