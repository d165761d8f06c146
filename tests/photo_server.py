"""A server on this machine that speaks Pexels' API and serves files, and can do it wrong."""

import io
import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from PIL import Image

KEY = "a key"
"""Whoever asks must name it."""


def picture(seed: int, side: tuple[int, int] = (40, 30), kind: str = "JPEG") -> bytes:
    """The bytes of a small photo, a different one for each seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (side[1], side[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@dataclass
class Site:
    """What the server has, what it shall do wrong, and what it was asked."""

    url: str = ""
    found: dict[str, list[int]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    wrongs: dict[str, list] = field(default_factory=lambda: defaultdict(list))
    """By path or by keyword, used up from the front: statuses, "truncate" or "drop"."""
    limit: list[tuple[int, float]] = field(default_factory=lambda: [(19_999, time.time() + 9e5)])
    """Remaining requests and when they are renewed, per answer; the last holds on."""
    retry_after: int | None = None
    delay: float = 0
    searches: list[tuple[str, int, float]] = field(default_factory=list)
    downloads: Counter = field(default_factory=Counter)
    leaked: bool = False

    def put(self, keyword: str, *numbers: int) -> None:
        self.found[keyword] = list(numbers)
        for number in numbers:
            self.files.setdefault(f"/photos/{number}.jpeg", picture(number))


def answer(handler: BaseHTTPRequestHandler, site: Site) -> None:
    address = urlsplit(handler.path)
    path, query = unquote(address.path), parse_qs(address.query)
    search = path == "/v1/search"
    name = query["query"][0] if search else path
    wrong = site.wrongs[name].pop(0) if site.wrongs[name] else None
    headers = {}
    if search:
        site.searches.append((name, int(query["page"][0]), time.time()))
        assert query["per_page"] == ["80"]
    else:
        site.leaked |= "Authorization" in handler.headers
        site.downloads[path] += 1
        time.sleep(site.delay)
    if isinstance(wrong, int):
        status, body = wrong, b"no"
        if site.retry_after is not None:
            headers["Retry-After"] = str(site.retry_after)
    elif search and handler.headers["Authorization"] != KEY:
        status, body = 401, b"{}"
    elif search:
        remaining, reset = site.limit.pop(0) if len(site.limit) > 1 else site.limit[0]
        headers["X-Ratelimit-Limit"] = "20000"
        headers["X-Ratelimit-Remaining"] = str(remaining)
        headers["X-Ratelimit-Reset"] = str(int(reset))
        status, body = 200, json.dumps(results(site, name, int(query["page"][0]))).encode()
    else:
        status, body = (200, site.files[path]) if path in site.files else (404, b"none")
    if wrong == "drop":
        handler.close_connection = True
        return
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2] if wrong == "truncate" else body)
    handler.close_connection |= wrong == "truncate"


def results(site: Site, keyword: str, number: int) -> dict:
    """A page as https://www.pexels.com/api/documentation/#photos-search describes it."""
    numbers = site.found.get(keyword, [])
    first = 80 * (number - 1)
    listed = [
        {
            "id": n,
            "width": 40,
            "height": 30,
            "url": f"https://www.pexels.com/photo/{n}/",
            "photographer": f"Zoë, no. {n}",
            "src": {"large": f"{site.url}/photos/{n}.jpeg?auto=compress&h=650&w=940"},
        }
        for n in numbers[first : first + 80]
    ]
    page = {"page": number, "per_page": 80, "total_results": len(numbers), "photos": listed}
    if first + 80 < len(numbers):
        page["next_page"] = f"{site.url}/v1/search/?page={number + 1}&per_page=80"
    return page


@contextmanager
def serving() -> Iterator[Site]:
    """A site of its own, for as long as the context lasts."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            answer(self, site)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield site
    server.shutdown()
    server.server_close()
