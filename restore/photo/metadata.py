"""What a photo's file says about it: EXIF, XMP and dpi, tidied up, and freed of the location."""

import re
import struct
from xml.dom import minidom

from PIL import ExifTags, Image

STRUCTURE = {
    *range(254, 260),  # sizes, bits, compression
    *(262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 284, 288, 289, 290, 291, 292),
    *(293, 297, 301, 317, 318, 319, 320, 322, 323, 324, 325, 330, 332, 333, 334, 336, 338, 339),
    *(340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
    *(700, 33723, 34377, 34675),  # XMP, IPTC, Photoshop, ICC profile
    *(50720, 50838, 50839),
}
"""Tags that say how the old file stored its pixels, orientation included, not what they show."""
LARGEST_XMP = 1_000_000
"""Longer XMP is not searched for a location, but left out."""
LOCATION = re.compile(
    r"gps|latitude|longitude|geotag|(sub)?location(created|shown|name)?$|"
    r"(city|state|country|countrycode|countryname|provincestate|worldregion)$",
    re.IGNORECASE,
)
"""Names in XMP that tell where, in whichever vocabulary."""
XMP_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>))[2-8]""")
PREFIX = b"Exif\0\0"
EXIF, GPS = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes that a value of each type takes."""


def tidy_exif(exif: bytes, size: tuple[int, int]) -> bytes | None:
    """The EXIF for an upright photo of `size`, None if it says nothing; no orientation, no preview.

    It is edited where it lies, for the notes of makers hold offsets and texts are in any alphabet.
    Raises ValueError if it is broken.
    """
    edited = _Exif(exif)
    edited.drop(STRUCTURE)
    edited.drop_preview()
    sizes = dict(zip((0xA002, 0xA003), size, strict=True))
    for at, tag, kind, _ in edited.entries(edited.pointer(EXIF)):
        if tag in sizes and kind in (3, 4) and (kind == 4 or sizes[tag] < 65_536):
            edited.pack("HI"[kind - 3], at + 8, sizes[tag])
    return edited.bytes()


def exif_without_location(exif: bytes | None) -> bytes | None:
    """The same EXIF without its GPS directory."""
    if not exif:
        return None
    edited = _Exif(exif)
    edited.blank(edited.pointer(GPS))
    edited.drop({GPS})
    return edited.bytes()


def exif_of_tiff(exif: Image.Exif) -> bytes:
    """The directory of a TIFF, without what stores its pixels, as EXIF."""
    for tag in STRUCTURE.intersection(exif):
        del exif[tag]
    for tag, value in raw_values(exif).items():
        exif[tag] = value
    exif.bigtiff = False
    return exif.tobytes()


def raw_values(exif: Image.Exif) -> dict:
    """Tags and values for Pillow to write, texts as the bytes that they were."""
    values = {tag: exif.get_ifd(tag) if tag in (EXIF, GPS) else exif[tag] for tag in exif}
    return {tag: _raw(value) for tag, value in values.items()}


def _raw(value: object) -> object:
    if isinstance(value, dict):
        return {tag: _raw(inner) for tag, inner in value.items()}
    return value.encode("latin-1") if isinstance(value, str) else value


class _Exif:
    """The bytes of an EXIF, whose first directory can be shortened in place."""

    def __init__(self, exif: bytes):
        while exif.startswith(PREFIX):
            exif = exif.removeprefix(PREFIX)
        self.data = bytearray(exif)
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4], "")
        if not self.order or len(exif) < 14:
            raise ValueError("no EXIF")
        self.first = self.unpack("I", 4)
        self.count = self.unpack("H", self.first) if self.first + 6 <= len(exif) else 0
        if not self.count or self.first + 6 + 12 * self.count > len(exif):
            raise ValueError("no directory")

    def unpack(self, form: str, at: int) -> int:
        return struct.unpack_from(self.order + form, self.data, at)[0]

    def pack(self, form: str, at: int, value: int) -> None:
        struct.pack_into(self.order + form, self.data, at, value)

    def entries(self, start: int) -> list[tuple[int, int, int, int]]:
        """(place, tag, type, count) of each entry of a directory that lies in the data whole."""
        if not 8 <= start <= len(self.data) - 2:
            return []
        places = [start + 2 + 12 * i for i in range(self.unpack("H", start))]
        if places and places[-1] + 12 > len(self.data):
            return []
        return [(at, *struct.unpack_from(self.order + "HHI", self.data, at)) for at in places]

    def pointer(self, tag: int) -> int:
        """Where the directory lies that an entry of the first one points to; 0 if none."""
        return next(
            (self.unpack("I", e[0] + 8) for e in self.entries(self.first) if e[1] == tag), 0
        )

    def drop(self, tags: set[int]) -> None:
        """Close the gaps that these entries leave in the first directory."""
        end = self.first + 2 + 12 * self.count
        entries = self.entries(self.first)
        kept = b"".join(self.data[e[0] : e[0] + 12] for e in entries if e[1] not in tags)
        kept += self.data[end : end + 4]
        self.count = len(kept) // 12
        self.pack("H", self.first, self.count)
        self.data[self.first + 2 : end + 4] = kept.ljust(end + 2 - self.first, b"\0")

    def drop_preview(self) -> None:
        """Unlink the second directory and blank the picture that it points to."""
        link = self.first + 2 + 12 * self.count
        second = self.unpack("I", link)
        places = {tag: self.unpack("I", at + 8) for at, tag, _, _ in self.entries(second)}
        self.clear(places.get(0x0201, 0), places.get(0x0202, 0))
        self.blank(second)
        self.pack("I", link, 0)

    def blank(self, start: int) -> None:
        """Overwrite a directory and its values with zeros."""
        entries = self.entries(start)
        for at, _, kind, count in entries:
            size = BYTES.get(kind, 0) * count
            if size > 4:
                self.clear(self.unpack("I", at + 8), size)
        self.clear(start, 2 + 12 * len(entries) if entries else 0)

    def clear(self, start: int, size: int) -> None:
        """Zeros, but never over the header and the first directory."""
        for low, high in ((8, self.first), (self.first + 6 + 12 * self.count, len(self.data))):
            a, b = max(start, low), min(start + size, high)
            if a < b:
                self.data[a:b] = bytes(b - a)

    def bytes(self) -> bytes | None:
        return PREFIX + bytes(self.data) if self.count else None


def tidy_xmp(xmp: bytes | str | None) -> bytes | None:
    """The XMP for an upright photo."""
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    return XMP_ORIENTATION.sub(rb"\g<1>1", bytes(xmp)) if xmp else None


def tidy_dpi(dpi: tuple | None) -> tuple[float, float] | None:
    """Two numbers that every format can hold, or None."""
    try:
        x, y = (float(value) for value in dpi)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 < x < 65_536 and 1 < y < 65_536 else None  # 1 stands for unknown


def xmp_without_location(xmp: bytes | None) -> bytes | None:
    """The same XMP without all that tells where; None where it cannot be searched for sure."""
    if not xmp or len(xmp) > LARGEST_XMP or b"<!" in xmp:
        return None
    try:
        document = minidom.parseString(xmp.strip(b"\0 \t\r\n"))
        for element in document.getElementsByTagName("*"):
            if LOCATION.match(element.localName):
                element.parentNode.removeChild(element)
            for attribute in list(element.attributes.values()):
                if LOCATION.match(attribute.localName):
                    element.removeAttributeNode(attribute)
        return "".join(node.toxml() for node in document.childNodes).encode()
    except Exception:  # broken XML, too deep a tree: whatever it is, nothing may slip through
        return None
