"""A folder of photos with a manifest, filled whole photo by whole photo.

`manifest.csv` has one row per photo, written once the photo lies in its place. An interrupted run
relies on that: it goes on with whatever has no row yet.
"""

import csv
import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass, field, fields, replace
from pathlib import Path

from restore.photo import Photo as Decoded
from restore.photo import PhotoError, decode

AGAIN = "What has come is kept; the same command goes on from there."


class SourceError(Exception):
    """The photos cannot be had; the message says why and what to do."""


class FetchError(Exception):
    """One file did not come, others may; the message is the reason."""

    def __init__(self, reason: str, status: int = 0):
        super().__init__(reason)
        self.status = status
        """The HTTP status, if it came that far."""


@dataclass(frozen=True)
class Photo:
    """A row of the manifest; `id` tells photos of one source apart, `sha256` is that of `file`."""

    file: str
    id: str
    photographer: str = ""
    page: str = ""
    licence: str = ""
    sha256: str = ""


COLUMNS = [column.name for column in fields(Photo)]


@dataclass
class Report:
    """What became of the photos; as text, the sentences to end with."""

    folder: Path
    came: int = 0
    there: int = 0
    duplicates: int = 0
    problems: dict[str, list[str]] = field(default_factory=dict)
    """The files that failed, by reason."""
    left_out: str = ""
    """What was not even tried, and why, as a sentence."""

    @property
    def failed(self) -> int:
        return sum(map(len, self.problems.values()))

    def __str__(self) -> str:
        lines = [
            f"New photos in {self.folder}: {self.came:,}; there before: {self.there:,}; "
            f"duplicates skipped: {self.duplicates:,}; failed: {self.failed:,}."
        ]
        for reason, files in sorted(self.problems.items(), key=lambda item: -len(item[1])):
            more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
            lines.append(f"  {files[0]}{more}: {reason}")
        return "\n".join([*lines, self.left_out]).strip()


class Album:
    """A folder of photos and its manifest; many threads may fill it."""

    def __init__(self, folder: Path):
        """Take stock: rows whose file is missing or damaged are dropped. Raises SourceError."""
        self.folder, self.report = folder, Report(folder)
        self.manifest = folder / "manifest.csv"
        self.lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            kept = [photo for photo in self._read() if self._is_whole(photo)]
            partial = self.manifest.with_name(".manifest.csv.part")
            with partial.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([COLUMNS, *map(astuple, kept)])
            partial.replace(self.manifest)
        except OSError as error:
            raise self._unwritable(error) from None
        self.photos = {photo.sha256: photo for photo in kept}
        self.ids = {photo.id for photo in kept}

    def _read(self) -> list[Photo]:
        """The rows that are whole; the last is not if its run was killed."""
        if not self.manifest.exists():
            return []
        with self.manifest.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.reader(file))
        if rows and rows[0] != COLUMNS:
            raise SourceError(f"{self.manifest} does not list photos. Name another folder.")
        return [Photo(*row) for row in rows[1:] if len(row) == len(COLUMNS)]

    def _is_whole(self, photo: Photo) -> bool:
        path = self.folder / photo.file
        return path.is_file() and sha256(path.read_bytes()) == photo.sha256

    def _unwritable(self, error: OSError) -> SourceError:
        reason = error.strerror or error
        return SourceError(
            f"{self.folder} cannot be written ({reason}). Make room or name another folder. {AGAIN}"
        )

    def add(
        self, photo: Photo, data: bytes, develop: Callable[[Decoded], bytes] | None = None
    ) -> None:
        """Take in a photo that can be decoded, whole or not at all, unless its bytes are here.

        `develop` makes the bytes to keep out of the decoded photo. A broken photo goes into the
        report. Raises SourceError if the folder cannot be written.
        """
        path = self.folder / photo.file
        partial = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(data)
            decoded = decode(partial)
            if develop:
                data = develop(decoded)
                partial.write_bytes(data)
            photo = replace(photo, sha256=sha256(data))
            with self.lock:
                if known := self.photos.get(photo.sha256):
                    self.report.there += known.id == photo.id
                    self.report.duplicates += known.id != photo.id
                    return
                partial.replace(path)
                with self.manifest.open("a", newline="", encoding="utf-8") as file:
                    csv.writer(file).writerow(astuple(photo))
                self.photos[photo.sha256] = photo
                self.ids.add(photo.id)
                self.report.came += 1
        except PhotoError as error:
            # The file's name is in front, and here it would be that of the partial file.
            self.fail(photo, str(error).partition(": ")[2].rstrip("."))
        except OSError as error:
            raise self._unwritable(error) from None
        finally:
            with suppress(OSError):
                partial.unlink()

    def fail(self, photo: Photo, reason: str) -> None:
        with self.lock:
            self.report.problems.setdefault(reason, []).append(photo.file)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
