"""What a photo's file says about it: EXIF, XMP and dpi, tidied up, and freed of the location."""

import re
from xml.dom import minidom

from PIL import ExifTags, Image

Tag = ExifTags.Base
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


def tidy_exif(exif: Image.Exif, size: tuple[int, int]) -> bytes | None:
    """The EXIF for an upright photo of `size`, None if it says nothing; no orientation, no preview.

    Raises whatever Pillow raises on EXIF that is broken.
    """
    for tag in STRUCTURE.intersection(exif):
        del exif[tag]
    details = exif.get_ifd(ExifTags.IFD.Exif)
    if details:
        sizes = zip((Tag.ExifImageWidth, Tag.ExifImageHeight), size, strict=True)
        details |= {tag: side for tag, side in sizes if tag in details}
        exif[ExifTags.IFD.Exif] = details
    where = exif.get_ifd(ExifTags.IFD.GPSInfo)
    if where:
        exif[ExifTags.IFD.GPSInfo] = where
    return exif.tobytes() if len(exif) else None


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
    return (x, y) if 1 <= x < 65_536 and 1 <= y < 65_536 else None


def exif_without_location(exif: bytes | None) -> bytes | None:
    """The same EXIF without its GPS directory."""
    if not exif:
        return None
    parsed = Image.Exif()
    parsed.load(exif)
    if ExifTags.IFD.GPSInfo not in parsed:
        return exif
    del parsed[ExifTags.IFD.GPSInfo]
    return parsed.tobytes() if len(parsed) else None


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
