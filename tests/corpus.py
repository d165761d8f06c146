"""Odd photos of every kind, made on the spot, each with what must come out of it."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

EXAMPLES = Path(__file__).parent.parent / "assets" / "examples"
with Image.open(EXAMPLES / "cat.jpg") as cat:
    COLOUR = np.array(cat.convert("RGB").crop((150, 90, 203, 127)))
GREY = COLOUR[..., 1].copy()
HEIGHT, WIDTH = GREY.shape
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
ALPHA = np.where(COLUMNS < 15, 0, np.where(COLUMNS > 40, 255, COLUMNS * 6)).astype(np.uint8)
OPAQUE = np.full_like(GREY, 255)
GREY3 = np.repeat(GREY[..., None], 3, -1)
FINE = (ROWS * 31 + COLUMNS * 57) % 257  # what 8 bits cannot hold
COLOUR16 = (COLOUR.astype(np.uint16) * 256 + FINE[..., None].clip(0, 255)).astype(np.uint16)
GREY16 = COLOUR16[..., 1].copy()
ALPHA16 = (ALPHA.astype(np.uint16) * 256 + (ALPHA > 0) * 255).astype(np.uint16)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3_PRIMARIES = [0.680, 0.320, 1.0, 0.265, 0.690, 1.0, 0.150, 0.060, 1.0]
P3 = imagecodecs.cms_profile(
    "rgb", whitepoint=[0.3127, 0.3290, 1.0], primaries=P3_PRIMARIES, gamma=2.2
)
GREY_GAMMA = imagecodecs.cms_profile("gray", whitepoint=[0.3127, 0.3290, 1.0], gamma=1.4)
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:drone="http://example.org/drone/" '
    b'exif:GPSLatitude="48,51.5N" drone:GpsLongitude="2.29" tiff:Orientation="6" '
    b'dc:creator="Ann"><exif:GPSAltitude>33/1</exif:GPSAltitude></rdf:Description></rdf:RDF>'
    b'</x:xmpmeta><?xpacket end="w"?>'
)


def exif(orientation: int = 1, location: bool = False) -> Image.Exif:
    """What a camera writes."""
    tags = Image.Exif()
    tags[0x010E], tags[0x010F], tags[0x0112] = "a cat", "Maker", orientation
    tags[0x8769] = {0x829A: 0.01, 0x927C: b"note of the maker", 0xA002: 9, 0xA003: 7}
    if location:
        tags[0x8825] = {1: "N", 2: (48.0, 51.0, 30.0), 3: "E", 4: (2.0, 17.0, 24.0)}
    return tags


@dataclass(frozen=True)
class Odd:
    """A file and what it decodes to; `off` is the mean error in levels that its format brings."""

    name: str
    make: Callable[[Path], None]
    colours: np.ndarray
    alpha: np.ndarray | None = None
    kind: str = ""
    off: float = 0
    note: str = ""
    holds: dict = field(default_factory=dict)


def pil(array: np.ndarray, alpha: np.ndarray | None = None, mode: str = "", **options):
    def make(path: Path) -> None:
        image = Image.fromarray(array)
        if alpha is not None:
            image.putalpha(Image.fromarray(alpha))
        image = image.convert(mode) if mode else image
        frames = {"append_images": [image.rotate(90), image]} if options.get("save_all") else {}
        image.save(path, **options, **frames)

    return make


def tiff(array: np.ndarray, photometric: str = "rgb", **options):
    return lambda path: tifffile.imwrite(
        path, array, photometric=photometric, metadata=None, **options
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    array: np.ndarray, bits: int, colour_type: int, *chunks: bytes, interlaced: bool = False
) -> bytes:
    """A PNG written by hand: [H, W, C] samples of `bits`, Adam7 on wish."""
    samples = array.astype(">u2" if bits == 16 else "u1").reshape(*array.shape[:2], -1)
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    passes = [*starts, (1, 0, 2, 1)] if interlaced else [(0, 0, 1, 1)]
    raw = b""
    for top, left, down, across in passes:
        for row in samples[top::down, left::across]:
            if not row.size:
                continue
            if bits >= 8:
                line = row.tobytes()
            else:
                places = (row.ravel()[:, None] >> np.arange(bits - 1, -1, -1)) & 1
                line = np.packbits(places.ravel().astype(np.uint8)).tobytes()
            raw += b"\0" + line
    header = struct.pack(">IIBBBBB", *array.shape[1::-1], bits, colour_type, 0, 0, int(interlaced))
    parts = (chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(raw)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def raw(data: bytes):
    return lambda path: path.write_bytes(data)


def cut(suffix: str, share: float = 0.6, **options):
    """A file whose end is missing."""

    def make(path: Path) -> None:
        whole = path.with_name("whole." + suffix)
        Image.fromarray(COLOUR).resize((200, 150)).save(whole, **options)
        data = whole.read_bytes()
        whole.unlink()
        path.write_bytes(data[: int(len(data) * share)])

    return make


def with_text(path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    text.add_text("Comment", "long " * 10_000, zip=True)
    Image.fromarray(COLOUR).save(path, pnginfo=text, dpi=(300, 300), exif=exif(location=True))


def damaged_exif(path: Path) -> None:
    data = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x0e\0\x02\xff\xff\xff\xff" + b"\xff" * 30
    Image.fromarray(COLOUR).save(path, quality=95, subsampling=0, exif=data)


def cmyk_profile() -> bytes:
    """A CMYK profile in which each ink darkens Lab in steps of its own, 16 nodes."""
    curves = bytes(range(256))
    nodes = b""
    for c in (0, 1):
        for m in (0, 1):
            for y in (0, 1):
                for k in (0, 1):
                    light = 255 * (1 - 0.35 * c) * (1 - 0.45 * m) * (1 - 0.1 * y) * (1 - 0.9 * k)
                    paint = 1 - k
                    a = 128 + (60 * m - 35 * c) * paint
                    b = 128 + (80 * y - 40 * c - 10 * m) * paint
                    nodes += bytes([int(light), int(a), int(b)])
    identity = b"".join(struct.pack(">i", 65536 * (i % 4 == 0)) for i in range(9))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + curves * 4 + nodes + curves * 3
    table += b"\0" * (-len(table) % 4)
    text = b"text\0\0\0\0none\0\0\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    start = 128 + 4 + 4 * 12
    places, body = b"", b""
    for name, data in ((b"cprt", text), (b"desc", text), (b"wtpt", white), (b"A2B0", table)):
        places += name + struct.pack(">II", start + len(body), len(data))
        body += data
    header = struct.pack(">I", start + len(body)) + b"lcms\x02\x10\0\0prtrCMYKLab "
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", 4) + places + body


JPEG = {"quality": 95, "subsampling": 0}
TURNS = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: np.rot90,
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}
"""How a camera held so stores an upright picture."""
TWO_BITS, ONE_BIT = GREY // 64, GREY // 128
PALETTE = Image.fromarray(COLOUR).quantize(32)
PALETTE_COLOURS = np.array(PALETTE.convert("RGB"))
KEYED = np.where(GREY[5, 5] == GREY, 0, 255).astype(np.uint8)
KEYED_COLOUR = np.where((COLOUR[5, 5] == COLOUR).all(-1), 0, 255).astype(np.uint8)
KEYED16 = np.where((COLOUR16[5, 5] == COLOUR16).all(-1), 0, 65535).astype(np.uint16)
BOTH16 = np.dstack([COLOUR16, ALPHA16])
PREMULTIPLIED = np.dstack(
    [(COLOUR16 * (ALPHA16[..., None] / 65535)).round().astype(np.uint16), ALPHA16]
)
TEN_BIT_AVIF = imagecodecs.avif_encode(COLOUR16 >> 6, level=95, bitspersample=10)
WHERE = {"exif": True, "location": True}


def good() -> list[Odd]:
    """Photos that must come through."""
    return [
        Odd("plain.jpg", pil(COLOUR, **JPEG), COLOUR, off=2),
        Odd("progressive.jpg", pil(COLOUR, progressive=True, **JPEG), COLOUR, off=2),
        Odd("subsampled.jpeg", pil(COLOUR, quality=90, subsampling=2), COLOUR, off=4),
        Odd("grey.jpg", pil(GREY, **JPEG), GREY, off=2),
        Odd("cmyk.jpg", pil(COLOUR, mode="CMYK", **JPEG), COLOUR, off=2, note="sRGB"),
        *(
            Odd(
                f"held-{way}.jpg",
                pil(turn(COLOUR), exif=exif(way), **JPEG),
                COLOUR,
                off=2,
                holds={"exif": True},
            )
            for way, turn in TURNS.items()
        ),
        Odd("srgb.jpg", pil(COLOUR, icc_profile=SRGB, **JPEG), COLOUR, off=2, holds={"icc": SRGB}),
        Odd("p3.jpg", pil(COLOUR, icc_profile=P3, **JPEG), COLOUR, off=2, holds={"icc": P3}),
        Odd(
            "phone.jpg",
            pil(COLOUR, exif=exif(location=True), xmp=XMP, dpi=(240, 240), **JPEG),
            COLOUR,
            off=2,
            holds={**WHERE, "xmp": True, "dpi": 240},
        ),
        Odd("two.jpg", pil(COLOUR, format="MPO", save_all=True, **JPEG), COLOUR, off=2),
        Odd("damaged-exif.jpg", damaged_exif, COLOUR, off=2, note="EXIF"),
        Odd(
            "no-profile.jpg",
            pil(COLOUR, icc_profile=b"?" * 99, **JPEG),
            COLOUR,
            off=2,
            note="profile",
        ),
        Odd("wrong-profile.jpg", pil(GREY, icc_profile=SRGB, **JPEG), GREY, off=2, note="profile"),
        Odd("CAPITALS.JPG", pil(COLOUR, format="JPEG", **JPEG), COLOUR, off=2),
        Odd("lies.jpg", pil(COLOUR, format="PNG"), COLOUR, kind="PNG", note="It is PNG, not JPEG."),
        Odd("no suffix", pil(COLOUR, format="PNG"), COLOUR, kind="PNG"),
        Odd("ünï 照片 'q'.png", pil(COLOUR), COLOUR),
        Odd("one-bit.png", raw(png(ONE_BIT, 1, 0)), ONE_BIT * 255),
        Odd("two-bit.png", raw(png(TWO_BITS, 2, 0)), TWO_BITS * 85),
        Odd("four-bit.png", raw(png(GREY // 16, 4, 0)), GREY // 16 * 17),
        Odd("grey.png", pil(GREY), GREY),
        Odd("grey-profile.png", pil(GREY, icc_profile=GREY_GAMMA), GREY, holds={"icc": GREY_GAMMA}),
        Odd("grey16.png", pil(GREY16), GREY16),
        Odd("grey-alpha.png", pil(GREY, ALPHA), GREY, ALPHA),
        Odd("grey-alpha16.png", raw(png(np.dstack([GREY16, ALPHA16]), 16, 4)), GREY16, ALPHA16),
        Odd("colour.png", pil(COLOUR), COLOUR),
        Odd("colour16.png", raw(png(COLOUR16, 16, 2)), COLOUR16),
        Odd("alpha.png", pil(COLOUR, ALPHA), COLOUR, ALPHA),
        Odd("alpha16.png", raw(png(BOTH16, 16, 6)), COLOUR16, ALPHA16),
        Odd("woven.png", raw(png(COLOUR, 8, 2, interlaced=True)), COLOUR),
        Odd("woven16.png", raw(png(COLOUR16, 16, 2, interlaced=True)), COLOUR16),
        Odd("palette.png", lambda path: PALETTE.save(path), PALETTE_COLOURS),
        Odd(
            "palette-alpha.png",
            lambda path: PALETTE.save(path, transparency=bytes(range(0, 256, 8))),
            PALETTE_COLOURS,
            (np.array(PALETTE) * 8).astype(np.uint8),
        ),
        Odd(
            "key-grey.png",
            raw(png(GREY, 8, 0, chunk(b"tRNS", struct.pack(">H", GREY[5, 5])))),
            GREY,
            KEYED,
        ),
        Odd(
            "key-two-bit.png",
            raw(png(TWO_BITS, 2, 0, chunk(b"tRNS", struct.pack(">H", 1)))),
            TWO_BITS * 85,
            np.where(TWO_BITS == 1, 0, 255).astype(np.uint8),
        ),
        Odd(
            "key-colour.png",
            raw(png(COLOUR, 8, 2, chunk(b"tRNS", struct.pack(">3H", *COLOUR[5, 5].tolist())))),
            COLOUR,
            KEYED_COLOUR,
        ),
        Odd(
            "key16.png",
            raw(png(COLOUR16, 16, 2, chunk(b"tRNS", struct.pack(">3H", *COLOUR16[5, 5].tolist())))),
            COLOUR16,
            KEYED16,
        ),
        Odd("gamma.png", raw(png(COLOUR, 8, 2, chunk(b"gAMA", struct.pack(">I", 45455)))), COLOUR),
        Odd("text.png", with_text, COLOUR, holds={**WHERE, "xmp": True, "dpi": 300}),
        Odd("held.png", pil(TURNS[6](COLOUR), exif=exif(6)), COLOUR, holds={"exif": True}),
        Odd(
            "p3-16.png",
            raw(png(COLOUR16, 16, 2, chunk(b"iCCP", b"P3\0\0" + zlib.compress(P3)))),
            COLOUR16,
            holds={"icc": P3},
        ),
        Odd("animated.png", pil(COLOUR, save_all=True), COLOUR, note="Animated"),
        Odd("plain.webp", pil(COLOUR, lossless=True), COLOUR),
        Odd("alpha.webp", pil(COLOUR, ALPHA, lossless=True, exact=True), COLOUR, ALPHA),
        Odd("lossy.webp", pil(COLOUR, quality=95), COLOUR, off=4),
        Odd(
            "animated.webp",
            pil(COLOUR, save_all=True, lossless=True),
            COLOUR,
            OPAQUE,
            note="Animated",
        ),
        Odd(
            "held.webp",
            pil(TURNS[8](COLOUR), lossless=True, exif=exif(8, True), xmp=XMP, icc_profile=P3),
            COLOUR,
            holds={**WHERE, "xmp": True, "icc": P3},
        ),
        Odd("grey.tif", pil(GREY), GREY),
        Odd("negative.tif", tiff(255 - GREY, "miniswhite"), GREY),
        Odd("negative16.tif", tiff(65535 - GREY16, "miniswhite"), GREY16),
        Odd("fax.tiff", pil(ONE_BIT * 255, mode="1", compression="group4"), ONE_BIT * 255),
        Odd("colour.tif", pil(COLOUR), COLOUR),
        Odd("lzw.tif", pil(COLOUR, compression="tiff_lzw"), COLOUR),
        Odd("photo-in.tif", pil(COLOUR, compression="jpeg", quality=95), COLOUR, off=4),
        Odd("alpha.tif", pil(COLOUR, ALPHA), COLOUR, ALPHA),
        Odd("palette.tif", lambda path: PALETTE.save(path), PALETTE_COLOURS),
        Odd("cmyk.tif", pil(COLOUR, mode="CMYK"), COLOUR, off=2, note="sRGB"),
        Odd("grey16.tif", pil(GREY16), GREY16),
        Odd(
            "grey-alpha16.tif",
            tiff(
                np.dstack([GREY16, ALPHA16]),
                "minisblack",
                extrasamples=["unassalpha"],
                planarconfig="contig",
            ),
            GREY16,
            ALPHA16,
        ),
        Odd("colour16.tif", tiff(COLOUR16), COLOUR16),
        Odd("colour16-lzw.tif", tiff(COLOUR16, compression="lzw", predictor=True), COLOUR16),
        Odd("colour16-zip.tif", tiff(COLOUR16, compression="zlib", predictor=True), COLOUR16),
        Odd("big-endian.tif", tiff(COLOUR16, byteorder=">"), COLOUR16),
        Odd("big.tif", tiff(COLOUR, bigtiff=True), COLOUR),
        Odd(
            "big16.tif",
            tiff(COLOUR16, bigtiff=True, extratags=[(270, 2, 0, "a cat", True)]),
            COLOUR16,
            holds={"exif": True},
        ),
        Odd("planes16.tif", tiff(np.moveaxis(COLOUR16, -1, 0), planarconfig="separate"), COLOUR16),
        Odd("tiles.tif", tiff(COLOUR, tile=(16, 32)), COLOUR),
        Odd("tiles16.tif", tiff(COLOUR16, tile=(16, 32)), COLOUR16),
        Odd("alpha16.tif", tiff(BOTH16, extrasamples=["unassalpha"]), COLOUR16, ALPHA16),
        Odd(
            "premultiplied16.tif",
            tiff(PREMULTIPLIED, extrasamples=["assocalpha"]),
            np.where(ALPHA[..., None] > 0, COLOUR16, 0).astype(np.uint16),
            ALPHA16,
            off=2,
        ),
        Odd("pages.tif", tiff(np.stack([COLOUR, COLOUR[::-1]])), COLOUR, note="several pages"),
        Odd(
            "pages16.tif",
            tiff(np.stack([COLOUR16, COLOUR16[::-1]])),
            COLOUR16,
            note="several pages",
        ),
        Odd(
            "held.tif",
            pil(TURNS[5](COLOUR), exif=exif(5, True).tobytes(), dpi=(300, 300), icc_profile=P3),
            COLOUR,
            holds={**WHERE, "dpi": 300, "icc": P3},
        ),
        Odd(
            "held16.tif",
            tiff(
                TURNS[6](COLOUR16),
                extratags=[
                    (274, 3, 1, 6, True),
                    (270, 2, 0, "a cat", True),
                    (700, 1, len(XMP), XMP, True),
                ],
                resolution=(300, 300),
                resolutionunit="inch",
                iccprofile=P3,
            ),
            COLOUR16,
            holds={"exif": True, "xmp": True, "dpi": 300, "icc": P3},
        ),
        Odd("colour.bmp", pil(COLOUR, dpi=(300, 300)), COLOUR, holds={"dpi": 300}),
        Odd("grey.bmp", pil(GREY), GREY),
        Odd("one-bit.bmp", pil(ONE_BIT * 255, mode="1"), ONE_BIT * 255),
        Odd("palette.bmp", lambda path: PALETTE.save(path), PALETTE_COLOURS),
        Odd("palette.gif", lambda path: PALETTE.save(path), PALETTE_COLOURS),
        Odd("animated.gif", pil(GREY, save_all=True), GREY3, note="Animated"),
        Odd("plain.avif", pil(COLOUR, quality=95, subsampling="4:4:4"), COLOUR, off=4),
        Odd(
            "alpha.avif", pil(COLOUR, ALPHA, quality=95, subsampling="4:4:4"), COLOUR, ALPHA, off=4
        ),
        Odd(
            "animated.avif", pil(COLOUR, quality=95, save_all=True), COLOUR, off=6, note="Animated"
        ),
        Odd("ten-bit.avif", raw(TEN_BIT_AVIF), COLOUR, off=4, note="10 or 12 bits"),
        Odd("dot.png", pil(COLOUR[:1, :1]), COLOUR[:1, :1]),
        Odd(
            "wide.png",
            pil(np.tile(COLOUR[:3], (1, 378, 1))[:, :20_000]),
            np.tile(COLOUR[:3], (1, 378, 1))[:, :20_000],
        ),
        Odd(
            "tall.tif",
            pil(np.tile(COLOUR[:, :3], (541, 1, 1))[:20_000]),
            np.tile(COLOUR[:, :3], (541, 1, 1))[:20_000],
        ),
        Odd("line16.png", raw(png(COLOUR16[:1], 16, 2)), COLOUR16[:1]),
    ]


def heic() -> list[Odd]:
    """What can be made only where pillow-heif is installed."""
    import pillow_heif

    def make(array: np.ndarray, mode: str, **options):
        size = array.shape[1::-1]

        def write(path: Path) -> None:
            with path.open("wb") as file:
                pillow_heif.encode(mode, size, array.tobytes(), file, chroma=444, **options)

        return write

    both = np.dstack([COLOUR, ALPHA])
    colour8 = make(COLOUR, "RGB", quality=95, exif=exif(1, True).tobytes(), icc_profile=P3)
    return [
        Odd("phone.heic", colour8, COLOUR, off=3, holds={**WHERE, "icc": P3}),
        Odd("alpha.heif", make(both, "RGBA", quality=-1), COLOUR, ALPHA, off=3),
        Odd("ten-bit.heic", make(COLOUR16, "RGB;16", quality=95), COLOUR16, off=700),
    ]


def bad() -> dict[str, tuple[Callable[[Path], None], str]]:
    """Files that no photo comes out of, and what is said of each."""
    whole = png(COLOUR, 8, 2)
    bomb_text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 20_000_000, 9))
    wide = struct.pack(">IIBBBBB", 65_000, 65_000, 16, 6, 0, 0, 0)
    bomb = whole[:8] + chunk(b"IHDR", wide) + whole[33:]
    frame = struct.pack("<HHHHB", 0, 0, 65_000, 65_000, 0)
    bomb_gif = (
        b"GIF89a" + struct.pack("<HHBBB", 65_000, 65_000, 0, 0, 0) + b"," + frame + b"\x02\0;"
    )
    cut_off, no_photo, large = "damaged or cut off", "it is not a photo", "more than 100 megapixels"

    def large_tiff(path: Path) -> None:
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[256], tags[257], tags[258] = 90_000, 90_000, (16, 16, 16)
        tags[259], tags[262], tags[273], tags[277], tags[279] = 1, 2, 8, 3, 8
        with path.open("wb") as file:
            tags.save(file)

    return {
        "empty.jpg": (raw(b""), "it is empty"),
        "text.jpg": (raw(b"I am not a photo"), no_photo),
        "page.png": (raw(b"<!DOCTYPE html><html><body>404</body></html>"), no_photo),
        "drawing.eps": (raw(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nquit\n"), no_photo),
        "paper.pdf": (raw(b"%PDF-1.4\n%%EOF"), no_photo),
        "icon.ico": (pil(COLOUR[:32, :32]), no_photo),
        "two-bytes.jpg": (raw(b"\xff\xd8"), no_photo),
        "signature.png": (raw(whole[:8]), cut_off + "|not a photo"),
        "cut.jpg": (cut("jpg"), cut_off),
        "cut-progressive.jpg": (cut("jpg", 0.5, progressive=True), cut_off),
        "cut.png": (cut("png"), cut_off),
        "cut16.png": (raw(png(COLOUR16, 16, 2)[:-3000]), cut_off),
        "cut.webp": (cut("webp", lossless=True), cut_off + "|not a photo"),
        "cut.tif": (cut("tif", 0.3), cut_off),
        "cut.bmp": (cut("bmp"), cut_off),
        "cut.gif": (cut("gif"), cut_off),
        "cut.avif": (cut("avif"), cut_off + "|not a photo"),
        "checksum.png": (raw(whole.replace(whole[60:64], b"????")), cut_off),
        "bomb.png": (raw(bomb), large),
        "bomb.gif": (raw(bomb_gif), large),
        "bomb16.tif": (large_tiff, large),
        "bomb-text.png": (raw(png(COLOUR, 8, 2, bomb_text)), cut_off),
        "numbers.tif": (tiff(GREY.astype(np.float32), "minisblack"), "8 or 16 bits"),
        "numbers-rgb.tif": (tiff(COLOUR.astype(np.float32)), "8 or 16 bits"),
        "signed.tif": (tiff(GREY.astype(np.int16), "minisblack"), "8 or 16 bits"),
    }
