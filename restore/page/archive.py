"""Many photos in, one archive out: what a visitor gave, looked through with distrust, and names.

Nothing is ever unpacked under a name from an archive: members are read one at a time into a file of
our own, and their names serve only as names inside the archive of results.
"""

import csv
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from PIL import Image

from ..photo import SUFFIXES, PhotoError
from ..photo.reading import KNOWN

MAX_PHOTOS = 200
"""Photos in a batch: more would make a gallery nobody looks through."""
MAX_MEGAPIXELS = 300
"""Pixels in a batch, in millions: 25 photos of a phone. Uploads are deleted after an hour, and two
CPU cores restore some five to ten megapixels a minute with unet-512."""
MAX_MEMBERS = 2_000
"""Entries in an archive, folders and files that are no photos included."""
MAX_DIRECTORY = 1_000_000
"""Bytes of an archive's directory, looked at before it is read: two million entries fit into an
upload, and would fill the memory."""
MAX_BYTES = 1_000_000_000
"""Bytes that the files in an archive may have once unpacked, together."""
MAX_MEMBER_BYTES = 100_000_000
"""Bytes of one file in an archive, once unpacked: what a single upload may have."""
RUBBISH = {"__MACOSX", "Thumbs.db", "desktop.ini"}
"""What systems put beside photos: left out without a word, as hidden files are."""
COLUMNS = (
    "file",
    "result",
    "width",
    "height",
    "seconds",
    "scale",
    "sharpness_before",
    "sharpness_after",
    "error",
)


class BatchError(Exception):
    """The batch as a whole cannot be restored; the message is one sentence."""


@dataclass
class Item:
    """A photo of the batch, or something that is none: then `error` says why, in a sentence."""

    name: str
    """As the visitor knows it, with its folders: "holiday/IMG_1.JPG"."""
    file: Path
    """The photo, or the archive that it lies in."""
    member: zipfile.ZipInfo | None = None
    error: str = ""
    row: dict = field(default_factory=dict)
    """What came of it: values of COLUMNS."""

    @contextmanager
    def open(self) -> Iterable[BinaryIO]:
        """Its bytes, to read. Raises PhotoError."""
        try:
            if self.member is None:
                with self.file.open("rb") as file:
                    yield file
            else:
                with zipfile.ZipFile(self.file) as archive, archive.open(self.member) as file:
                    yield file
        except NotImplementedError:
            raise PhotoError(
                f"{self.name}: it is packed in a way we cannot read; pack it as a plain zip."
            ) from None
        except (OSError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error):
            raise PhotoError(f"{self.name}: it is damaged in the archive.") from None

    def megapixels(self) -> float:
        """From the header alone; 0 where it cannot be read: decoding will say why."""
        try:
            with self.open() as file, Image.open(file) as image:
                return image.width * image.height / 1e6
        except (PhotoError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return 0.0

    def fetch(self, folder: Path) -> Path:
        """A file with the photo's bytes; one from an archive is copied into `folder`.

        Raises PhotoError.
        """
        if self.member is None:
            return self.file
        target = folder / f"photo{PurePosixPath(self.name).suffix.lower()}"
        left = MAX_MEMBER_BYTES
        with self.open() as packed, target.open("wb") as file:
            while block := packed.read(1 << 20):
                left -= len(block)
                if left < 0:
                    raise PhotoError(too_large(self.name))
                file.write(block)
        return target


def too_large(name: str) -> str:
    return (
        f"{name}: unpacked it has more than {MAX_MEMBER_BYTES // 1_000_000} MB; restore it alone."
    )


def gather(files: list[tuple[Path, str]]) -> list[Item]:
    """The photos among uploaded (file, own name), archives looked into. Raises BatchError.

    An archive that cannot be looked into is an item with an error; it stops the others only where
    nothing else was given.
    """
    items: list[Item] = []
    for path, name in files:
        if not name.lower().endswith(".zip"):
            items.append(Item(name, path))
            continue
        try:
            items += look_into(path, name)
        except BatchError as error:
            if len(files) == 1:
                raise
            items.append(Item(name, path, error=str(error)))
    if not items:
        raise BatchError("There is no photo in what you gave: drop photos, or a zip of photos.")
    photos = [item for item in items if not item.error]
    if len(photos) > MAX_PHOTOS:
        raise BatchError(
            f"These are {len(photos)} photos; at most {MAX_PHOTOS} go into one batch. Split them."
        )
    pixels = sum(item.megapixels() for item in photos)
    if pixels > MAX_MEGAPIXELS:
        raise BatchError(
            f"These photos have {pixels:.0f} megapixels; at most {MAX_MEGAPIXELS} go into one "
            "batch. Split them."
        )
    return items


def look_into(path: Path, name: str) -> list[Item]:
    """What an archive holds, judged by its directory; nothing is unpacked. Raises BatchError."""
    damaged = BatchError(f"{name}: it is damaged, or no zip; pack the photos again.")
    size = _directory_size(path)
    if size is None:
        raise damaged
    if size > MAX_DIRECTORY:
        raise BatchError(f"{name}: it has too many entries; at most {MAX_MEMBERS} fit. Split it.")
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            count = len(archive.infolist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        raise damaged from None
    if count > MAX_MEMBERS:
        raise BatchError(
            f"{name}: it has {count} entries; at most {MAX_MEMBERS} are looked through. Split it."
        )
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES:
        raise BatchError(
            f"{name}: unpacked it would have {size / 1e9:.1f} GB; at most "
            f"{MAX_BYTES / 1e9:g} GB are unpacked. Split it."
        )
    return [_judge(member, path) for member in members if not _is_rubbish(member)]


def _directory_size(path: Path) -> float | None:
    """Bytes of a zip's directory as its last record says; infinite for zip64, None for no zip."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65_557))  # the record, and the longest comment
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return None
    if tail[max(0, at - 20) : at].startswith(b"PK\x06\x07"):
        return float("inf")  # only 65,536 entries or 4 GB need it
    return int.from_bytes(tail[at + 12 : at + 16], "little")


def _path_of(member: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))


def _is_rubbish(member: zipfile.ZipInfo) -> bool:
    path = _path_of(member)
    return path.name.startswith(".") or bool(RUBBISH.intersection(path.parts))


def _judge(member: zipfile.ZipInfo, archive: Path) -> Item:
    path = _path_of(member)
    name, ending = str(path), path.suffix.lower()
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        error = f"{name}: its path leads out of the archive, so it is left alone."
    elif stat.S_ISLNK(member.external_attr >> 16):
        error = f"{name}: it is a link, not a photo; pack the photo itself."
    elif member.flag_bits & 1:
        error = f"{name}: it is locked with a password; pack it without one."
    elif ending == ".zip":
        error = f"{name}: it is an archive within the archive; unpack it first."
    elif ending not in SUFFIXES:
        error = f"{name}: it is not a photo; use {KNOWN}."
    elif member.file_size > MAX_MEMBER_BYTES:
        error = too_large(name)
    else:
        error = ""
    return Item(name, archive, member, error)


def clean(name: str) -> str:
    """A name without anything that a file name should not have, at most 80 characters long."""
    return re.sub(r"[^\w.() -]", "_", name)[:80]


def result_name(item: Item, model: str, ending: str, taken: set[str]) -> str:
    """Where the result lies in the archive of results, under a name not yet `taken`.

    "holiday/IMG_1.JPG" -> "holiday/IMG_1-unet-512.jpg". Names that differ only in case count as
    equal, as they do on many systems. The name is added to `taken`.
    """
    path = PurePosixPath(item.name)
    folder = PurePosixPath(*(clean(part) for part in path.parent.parts))
    stem = f"{clean(path.stem) or 'photo'}-{model}"
    name, copy = str(folder / f"{stem}{ending}"), 1
    while name.casefold() in taken:
        copy += 1
        name = str(folder / f"{stem} ({copy}){ending}")
    taken.add(name.casefold())
    return name


def report(items: Iterable[Item], unreached: str) -> bytes:
    """The table of COLUMNS as CSV, in UTF-8 with the mark that spreadsheets look for.

    `unreached` is what is said of a photo that was neither restored nor failed.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for item in items:
        error = item.error or ("" if item.row else unreached)
        writer.writerow({"file": item.name, "error": error, **item.row})
    return text.getvalue().encode("utf-8-sig")
