"""Photos from Pexels' search API, found with the keywords of the study.

Two limits hold: 200 requests an hour, of which only a 429 tells, without a word on how long it will
last, and a monthly one, which the X-Ratelimit-* headers of good answers count. The downloads of the
photos themselves are not limited.
"""

import json
import math
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx

from restore.photo import SUFFIXES

from .album import AGAIN, Album, FetchError, Photo, Report, SourceError
from .photos import LONGEST, Fetcher

KEYWORDS = (
    "Nature",
    "Human",
    "Science",
    "Cat",
    "Dog",
    "Culture",
    "Car",
    "History",
    "Food",
    "Vintage",
    "B&W",
)
PAGE = 80
"""Photos per answer, the most that the API gives."""
HOUR = 3600.0


def fetch(
    out: Path,
    keywords: Iterable[str] = KEYWORDS,
    per_keyword: int = 400,
    key: str | None = None,
    base_url: str = "https://api.pexels.com",
    size: str = "large",
    per_hour: int = 200,
    workers: int = 8,
    pause: float = 1.0,
) -> Report:
    """Bring the first `per_keyword` photos for each keyword into `out`, each photo once.

    The default is 55 requests and about 4,000 photos; 2,400 per keyword, about as many photos as
    the study had pairs, are 330 requests and so take over an hour. `size` is one of Pexels' own:
    `large` is at most 940 x 650 and as sharp as its pixels. `key` defaults to PEXELS_API_KEY. Found
    pages are kept in `out`/.searches: a run that goes on asks for none twice. Raises SourceError.
    """
    key = (key or os.environ.get("PEXELS_API_KEY", "")).strip()
    if not key:
        raise SourceError(
            "Pexels wants a key: get one, free of charge, at https://www.pexels.com/api/ and set "
            "the environment variable PEXELS_API_KEY to it."
        )
    if not key.isascii():
        raise SourceError("PEXELS_API_KEY holds letters that no key has. Copy the key once more.")
    fetcher = Fetcher(Album(out), workers, pause)
    search = _Search(fetcher, out / ".searches", base_url, key, per_hour)

    def bring(photo: Photo, address: str) -> None:
        fetcher.album.add(photo, fetcher.get(address).content)

    return fetcher.each(bring, search.photos(keywords, per_keyword, size), "Pexels")


class _Search:
    """Asks the API, page by page and within its limits."""

    def __init__(self, fetcher: Fetcher, cache: Path, base_url: str, key: str, per_hour: int):
        self.fetcher, self.cache, self.base_url, self.key = fetcher, cache, base_url, key
        self.asked: deque[float] = deque(maxlen=per_hour)
        self.closed_until = 0.0

    def photos(
        self, keywords: Iterable[str], per_keyword: int, size: str
    ) -> Iterator[tuple[Photo, str]]:
        """Each photo found and the address of its file."""
        seen: set[str] = set()
        for keyword in keywords:
            left = per_keyword
            for number in range(1, math.ceil(per_keyword / PAGE) + 1):
                page = self._page(keyword, number)
                for found in page["photos"][:left]:
                    photo, address = _read(found, size)
                    if photo.id in seen:
                        self.fetcher.album.report.duplicates += 1
                        continue
                    seen.add(photo.id)
                    yield photo, address
                left -= PAGE
                if not page.get("next_page"):
                    break

    def _page(self, keyword: str, number: int) -> dict:
        path = self.cache / f"{quote(keyword, safe=' ')}-{number}.json"
        try:
            return json.loads(path.read_bytes())
        except (OSError, ValueError):
            answer = self._ask(keyword, number)
        try:
            page = answer.json()
            if not isinstance(page["photos"], list):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            raise SourceError(
                f"{self.base_url} did not answer as Pexels does. Check the network for a proxy or "
                f"a login page. {AGAIN}"
            ) from None
        try:
            path.parent.mkdir(exist_ok=True)
            partial = path.with_suffix(".part")
            partial.write_bytes(answer.content)
            partial.replace(path)
        except OSError as error:
            raise SourceError(f"{path} cannot be written ({error.strerror}). {AGAIN}") from None
        return page

    def _ask(self, keyword: str, number: int) -> httpx.Response:
        query = {"query": keyword, "per_page": PAGE, "page": number}
        try:
            answer = self.fetcher.get(
                f"{self.base_url}/v1/search",
                before=self._wait,
                params=query,
                headers={"Authorization": self.key},
            )
        except FetchError as error:
            if error.status in (401, 403):
                raise SourceError(
                    "Pexels refuses the key. Copy it once more from https://www.pexels.com/api/ to "
                    "PEXELS_API_KEY."
                ) from None
            raise SourceError(f"The search for {keyword} failed: {error}. {AGAIN}") from None
        if answer.headers.get("X-Ratelimit-Remaining") == "0":
            reset = answer.headers.get("X-Ratelimit-Reset", "")
            self.closed_until = float(reset) if reset.isdigit() else time.time() + HOUR
        return answer

    def _wait(self) -> None:
        """Until another request is within the limits."""
        pause = self.closed_until - time.time()
        if pause > LONGEST:
            end = time.strftime("%d %B at %H:%M", time.localtime(self.closed_until))
            raise SourceError(f"Pexels' quota for this key is used up until {end}. {AGAIN}")
        if len(self.asked) == self.asked.maxlen:
            pause = max(pause, self.asked[0] + HOUR - time.monotonic())
        if pause > 0:
            self.fetcher.sleep(pause, "Pexels allows no more requests for now")
        self.asked.append(time.monotonic())


def _read(found: dict, size: str) -> tuple[Photo, str]:
    """A search result as a row of the manifest, and the address of the file in that size."""
    try:
        address = str(found["src"][size])
        number = int(found["id"])
        photographer, page = str(found["photographer"]), str(found["url"])
    except (KeyError, TypeError, ValueError):
        sizes = ", ".join(found["src"]) if isinstance(found, dict) and "src" in found else "none"
        raise SourceError(f"Pexels has no photo of size {size!r}; it has: {sizes}.") from None
    suffix = Path(urlsplit(address).path).suffix.lower()
    name = f"pexels-{number}{suffix if suffix in SUFFIXES else '.jpg'}"
    return Photo(name, str(number), photographer, page, licence="Pexels License"), address
