"""What stands between the net and the page: only what the page needs gets through.

Gradio serves more than this page uses: a proxy, files by URL, monitoring, an editor. The guard lets
through a list of routes, looks into every payload before Gradio does, and keeps one visitor from
crowding out the others. What it refuses costs one polite sentence, which Gradio's clients show.
"""

import asyncio
import errno
import json
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from gradio.route_utils import FnIndexInferError

from .texts import translated
from .visitors import Allowance, visitor_of

log = logging.getLogger("restore.page")

LARGEST_FILE = 100_000_000
"""Bytes of one file of an upload; Gradio counts them."""
LARGEST_UPLOAD = 500_000_000
"""Bytes of a whole upload: the photos of a batch come in one."""
LARGEST_CALL = 500_000
"""Bytes of any other request."""
PATIENCE = 60
"""Seconds that a visitor may keep silent in the middle of a request."""
LEAST_FREE = 200_000_000
"""Bytes that must be free in the folder of uploads for another one to begin."""
STALE = 300
"""Seconds after which half an upload, untouched, is deleted."""

DISK_FULL = "The server's disk is full. Please try again in an hour."
NOT_HERE = "This photo is not here: upload it, again after an hour; addresses are not taken."
WRONG_CALL = "There is no such function, or it takes other arguments: see ?view=api."

API = "/gradio_api"
CALL = re.compile(rf"{API}/(queue/join|call/(v2/)?\w+|run/\w+)/?")
FILE = re.compile(rf"{API}/file=(?P<path>.+)", re.DOTALL)
UPLOAD = re.compile(rf"{API}/upload/?")
TOOLS = re.compile(rf"{API}/mcp/?")
LOGIN = re.compile("/login/?")
READ = re.compile(
    r"/(config|favicon\.ico|theme\.css|robots\.txt|manifest\.json|logout)?/?"
    r"|/(assets|static|svelte)/[\w./@+~-]+"
    rf"|{API}/(info|openapi\.json|startup-events|app_id|user|login_check|theme\.css)/?"
    rf"|{API}/(queue/(data|status)|upload_progress|heartbeat/[\w-]+|call/(v2/)?\w+/\w+)"
)
WRITE = re.compile(rf"{API}/(cancel|reset)/?")


class RefusedError(Exception):
    """A request is turned away with an HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status


class Door:
    """What the guard and the launcher share: whether it is open, what each visitor may still do."""

    def __init__(self, health: Callable[[], dict]):
        self.health = health
        self.closing = False
        self.requests = Allowance(1500, 30)
        self.calls = Allowance(300, 5)
        self.bytes = Allowance(2e9, 2e6)
        self.logins = Allowance(10, 0.1)


class Guard:
    """ASGI middleware before Gradio's routes."""

    def __init__(self, app, door: Door):
        self.app, self.door = app, door

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        answered = False

        async def answer(message):
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"same-origin"),
                ]
            await send(message)

        try:
            if scope["path"] == "/health":
                return await _reply(answer, 200, self.door.health())
            return await self._pass(scope, receive, answer)
        except RefusedError as refusal:
            status, sentence = refusal.status, str(refusal)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            status, sentence = 507, DISK_FULL
        except Exception as error:
            log.error("%s in %s", type(error).__name__, origin(error))
            status, sentence = 500, "This did not work, and the fault is the server's."
        if not answered:
            language = dict(scope["headers"]).get(b"accept-language", b"").decode("latin-1")
            await _reply(answer, status, {"detail": translated(sentence, language)})
        return None

    async def _pass(self, scope, receive, send):
        method, path = scope["method"], scope["path"]
        visitor = visitor_of(scope)
        if visitor and not self.door.requests.take(visitor):
            raise _too_many("requests")
        if method in ("GET", "HEAD"):
            if file := FILE.fullmatch(path):
                if not is_uploaded(file["path"]):
                    raise RefusedError(403, "This file is not for visitors.")
            elif not READ.fullmatch(path) or ".." in path:
                raise RefusedError(404, "There is nothing here.")
            return await self.app(_without_deep_link(scope), receive, send)
        if method != "POST":
            raise RefusedError(405, "This page answers GET and POST only.")
        if UPLOAD.fullmatch(path):
            return await self._upload(scope, receive, send, visitor)
        called, tools = CALL.fullmatch(path), TOOLS.fullmatch(path)
        if not (called or tools or LOGIN.fullmatch(path) or WRITE.fullmatch(path)):
            raise RefusedError(404, "There is nothing here.")
        if LOGIN.fullmatch(path) and not self.door.logins.take(visitor or "here"):
            raise _too_many("attempts to log in")
        if called or tools:
            self._expect_open()
            if visitor and not self.door.calls.take(visitor):
                raise _too_many("calls")
        body = await _read(receive)
        if called:
            check_call(body, named=path.startswith(f"{API}/call/v2/"))
        sent = False

        async def replay():
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            return await self.app(scope, replay, send)
        except (LookupError, TypeError, FnIndexInferError):  # of Gradio, which only queues a call
            if not called:
                raise
            raise RefusedError(400, WRONG_CALL) from None

    async def _upload(self, scope, receive, send, visitor: str | None):
        self._expect_open()
        folder = upload_folder()
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > LARGEST_UPLOAD:
            raise _too_large()
        if shutil.disk_usage(folder).free < LEAST_FREE + int(length):
            raise RefusedError(507, DISK_FULL)
        total = 0

        async def counted():
            nonlocal total
            try:
                message = await asyncio.wait_for(receive(), PATIENCE)
            except TimeoutError:
                raise _silent() from None
            size = len(message.get("body", b""))
            total += size
            if total > LARGEST_UPLOAD:
                raise _too_large()
            if visitor and not self.door.bytes.take(visitor, size):
                raise _too_many("uploads")
            return message

        return await self.app(scope, counted, send)

    def _expect_open(self) -> None:
        if self.door.closing:
            raise RefusedError(503, "The page is about to restart. Please try again in a minute.")


def check_call(body: bytes, named: bool = False) -> None:
    """Refuse a payload that no page and no honest client sends; `named`: one of keyword arguments.

    A photo must be one that was uploaded here: Gradio itself would fetch it from any URL.
    """
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "The call is not valid JSON.") from None
    if not isinstance(call, dict) or not (named or isinstance(call.get("data"), list)):
        raise RefusedError(400, "The call must be a JSON object with a list `data`.")
    if call.get("batched"):
        raise RefusedError(400, "Calls are not batched here.")
    waiting: list[object] = [call]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            path = value.get("path")
            if value.get("is_stream") or not (
                path is None or (isinstance(path, str) and is_uploaded(path))
            ):
                raise RefusedError(400, NOT_HERE)
            waiting += value.values()


def upload_folder() -> Path:
    """Where Gradio keeps uploads and results."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir(), "gradio"))


def is_uploaded(path: str) -> bool:
    """Whether it is a file in a subfolder of the uploads, links and dots resolved."""
    try:
        found = Path(path)
        inside = found.resolve().relative_to(upload_folder().resolve())
        return found.is_absolute() and len(inside.parts) > 1 and found.is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def sweep(folder: Path) -> None:
    """Delete what broken uploads left behind: Gradio forgets the file when the visitor vanishes."""
    for path in folder.glob("tmp*"):
        try:
            if path.is_file() and time.time() - path.stat().st_mtime > STALE:
                path.unlink()
        except OSError:
            continue


def origin(error: BaseException) -> str:
    """File and line where an error arose: what the log may hold of it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"


def _without_deep_link(scope):
    """The page keeps no saved states, so there is none to be named."""
    if b"deep_link" not in scope.get("query_string", b""):
        return scope
    query = parse_qsl(scope["query_string"].decode("latin-1"))
    kept = urlencode([(key, value) for key, value in query if key != "deep_link"])
    return {**scope, "query_string": kept.encode()}


def _too_large() -> RefusedError:
    megabytes = LARGEST_UPLOAD // 1_000_000
    return RefusedError(413, f"This is more than {megabytes} MB at once. Please split it.")


def _silent() -> RefusedError:
    return RefusedError(408, "Nothing arrived for a minute. Please try again.")


def _too_many(what: str) -> RefusedError:
    return RefusedError(429, f"These were too many {what} in a short time. Please wait a minute.")


async def _read(receive) -> bytes:
    """The whole body of a small request."""
    body = b""
    while True:
        try:
            message = await asyncio.wait_for(receive(), PATIENCE)
        except TimeoutError:
            raise _silent() from None
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "The call was cut off.")
        body += message.get("body", b"")
        if len(body) > LARGEST_CALL:
            raise RefusedError(
                413, "The call is too large. Photos are uploaded, not sent in a call."
            )
        if not message.get("more_body"):
            return body


async def _reply(send, status: int, content: dict) -> None:
    data = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    headers += [(b"retry-after", b"60")] if status in (429, 503) else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
