"""Clear photos over the network and out of folders; `pexels` is a further source."""

import csv
import io
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx
from PIL import Image
from tqdm import tqdm

from restore.photo import SUFFIXES, find_photos
from restore.photo import Photo as Decoded

from .album import AGAIN, Album, FetchError, Photo, Report, SourceError, sha256

SOURCES = Path(__file__).with_name("sources.tsv")
DEBIAN = "Debian package "
TRIES, PATIENT_TRIES = 5, 12
"""Requests for one file, each pause twice the one before. The patient ones answer "too many
requests": from a second on, their pauses exceed the hour that limits are counted over."""
LONGEST = 3900
"""Who asks for a longer pause, in seconds, is not waited for. Over an hour, as clocks differ."""
T = TypeVar("T")


class Fetcher:
    """Downloads in parallel and patiently: a busy or failing server is asked again, ever later."""

    def __init__(self, album: Album, workers: int = 8, pause: float = 1.0):
        """`pause` is the first pause between two tries, in seconds."""
        self.album, self.workers, self.pause = album, workers, pause
        self.client = httpx.Client(timeout=30, follow_redirects=True)
        self.stopped = threading.Event()
        self.unreachable = 0
        self.said = ""

    def each(
        self, bring: Callable[[Photo, T], None], jobs: Iterable[tuple[Photo, T]], desc: str
    ) -> Report:
        """Bring all photos that are not in the album; the jobs may be found while others run.

        If the search for jobs breaks off with a SourceError, those found are finished before it is
        raised. Anything else that goes wrong, and Ctrl-C, end the run at once.
        """
        futures, broken_off = [], None
        progress = tqdm(desc=desc, unit="photo", total=0)

        def run(photo: Photo, rest: T) -> None:
            if self.stopped.is_set():
                return
            try:
                bring(photo, rest)
            except FetchError as error:
                self.album.fail(photo, str(error))
            except BaseException:
                self.stopped.set()
                raise
            with self.album.lock:
                progress.update()

        with self.client, progress, ThreadPoolExecutor(self.workers) as pool:
            try:
                try:
                    for photo, rest in jobs:
                        if photo.id in self.album.ids:
                            self.album.report.there += 1
                            continue
                        futures.append(pool.submit(run, photo, rest))
                        progress.total = len(futures)
                except SourceError as error:
                    broken_off = error
                for future in futures:
                    future.result()
            except BaseException:
                self.stopped.set()
                raise
        if broken_off:
            raise broken_off
        return self.album.report

    def get(self, url: str, before: Callable[[], None] = lambda: None, **request) -> httpx.Response:
        """The answer, successful and complete; `before` is called ahead of each try.

        Raises FetchError, and SourceError once it is clear that the host is out of reach.
        """
        failures: Counter[int] = Counter()
        while True:
            before()
            tries, asked, status, connected = TRIES, 0.0, 0, True
            try:
                response = self.client.get(url, **request)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                reason = f"the download breaks off ({type(error).__name__})"
                if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    reason, connected = f"{error.request.url.host} is out of reach", False
            else:
                self.unreachable = 0
                if response.is_success:
                    return response
                status, asked = response.status_code, _seconds_asked(response.headers)
                reason = f"{response.url.host} answers {status} {response.reason_phrase}"
                tries = PATIENT_TRIES if status == 429 else TRIES if status >= 500 else 1
            failures[tries] += 1
            if failures[tries] >= tries or asked > LONGEST:
                break
            self.sleep(max(asked, self.pause * 2 ** (failures[tries] - 1)), reason)
        if not connected:
            self.unreachable += 1
            if self.unreachable >= 3:
                raise SourceError(f"{reason}. Check the network. {AGAIN}")
        raise FetchError(reason, status)

    def sleep(self, seconds: float, reason: str) -> None:
        if seconds > 20:
            end = time.strftime("%H:%M:%S", time.localtime(time.time() + seconds))
            said, self.said = self.said, f"{reason}: waiting until {end}"
            if said != self.said:
                tqdm.write(self.said)
        if self.stopped.wait(seconds):
            raise FetchError("the run ended early")


def _seconds_asked(headers: httpx.Headers) -> float:
    """How long a server wants to be left alone, by Retry-After or X-Ratelimit-Reset (Unix time)."""
    after, reset = headers.get("Retry-After", ""), headers.get("X-Ratelimit-Reset", "")
    if after.isdigit():
        return float(after)
    return max(0.0, float(reset) - time.time()) if reset.isdigit() else 0.0


def fetch_public(
    out: Path,
    sources: Path = SOURCES,
    base_url: str = "https://raw.githubusercontent.com",
    debian: Path = Path("/"),
    workers: int = 8,
    pause: float = 1.0,
) -> Report:
    """Rebuild the open set that our weights were trained on, split into train/ and val/.

    Each original in the list `sources` is verified by its SHA-256, then scaled down as it was for
    the set. Photos of Debian packages cannot be downloaded by file: they are taken from below
    `debian` if the package is installed, and left out if not. Many photos are for research only;
    the manifest has the licences. Raises SourceError.
    """
    try:
        with sources.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    except OSError as error:
        raise SourceError(f"{sources} cannot be read ({error.strerror}).") from None
    missing = [row for row in rows if _is_packaged(row) and not (debian / row["path"]).is_file()]
    fetcher = Fetcher(Album(out), workers, pause)

    def bring(photo: Photo, row: dict[str, str]) -> None:
        if _is_packaged(row):
            data = (debian / row["path"]).read_bytes()
        else:
            data = fetcher.get(f"{base_url}/{row['source']}/HEAD/{quote(row['path'])}").content
        if sha256(data) != row["sha256"]:
            raise FetchError("its SHA-256 is another: the source has changed since")
        width, height = map(int, row["size"].split("x"))
        fetcher.album.add(photo, data, lambda decoded: _scale(decoded, (width, height)))

    jobs = [(_describe(row), row) for row in rows if row not in missing]
    report = fetcher.each(bring, jobs, "public photos")
    if missing := [row for row in missing if row["sha256"] not in fetcher.album.ids]:
        packages = sorted({row["source"].removeprefix(DEBIAN) for row in missing})
        report.left_out = (
            f"Left out, for they lie in Debian packages: {len(missing):,} photos. Where there is "
            f"apt, install {' '.join(packages)} and give the same command again."
        )
    return report


def _is_packaged(row: dict[str, str]) -> bool:
    return row["source"].startswith(DEBIAN)


def _describe(row: dict[str, str]) -> Photo:
    page = f"https://github.com/{row['source']}/blob/HEAD/{quote(row['path'])}"
    page = row["source"] if _is_packaged(row) else page
    return Photo(row["file"], id=row["sha256"], page=page, licence=row["licence"])


def _scale(photo: Decoded, size: tuple[int, int]) -> bytes:
    """The photo at `size` as JPEG, made as the set was: all 62 compared have the same pixels.

    The set was made without colour management.
    """
    image = Image.fromarray(replace(photo, profile=None).levels())
    small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=90, subsampling=0, optimize=True)
    return buffer.getvalue()


def take_folder(folder: Path, out: Path) -> Report:
    """Copy the photos of `folder`, and of the folders in it, that can be read; duplicates once.

    They keep their names, except where another photo has the name already. Raises SourceError.
    """
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder}. Name one with photos in it.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise SourceError(f"{folder} may not be read. Check its permissions.")
    if folder.resolve() == out.resolve():
        raise SourceError(f"{folder} cannot be copied into itself. Name another folder.")
    # `out` may lie in it.
    files = [p for p in find_photos(folder) if out.resolve() not in p.resolve().parents]
    if not files:
        raise SourceError(f"There are no photos in {folder}. Known are: {', '.join(SUFFIXES)}.")
    album = Album(out)
    for path in tqdm(files, desc="photos", unit="photo"):
        name = path.relative_to(folder)
        photo = Photo(name.as_posix(), id=name.as_posix())
        try:
            data = path.read_bytes()
        except OSError as error:
            album.fail(photo, f"it cannot be read ({error.strerror})")
            continue
        if (out / name).exists() and (out / name).read_bytes() != data:
            renamed = name.with_stem(f"{name.stem}-{sha256(data)[:8]}")
            photo = replace(photo, file=renamed.as_posix())
        album.add(photo, data)
    return album.report
