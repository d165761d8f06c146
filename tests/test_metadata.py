"""What travels beside the colours: EXIF, XMP, dpi; kept, stripped, or freed of the location."""

import os
import struct
from pathlib import Path

import corpus
import numpy as np
import pytest
from corpus import COLOUR, P3, XMP
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from restore.photo import Photo, PhotoError, decode, encode
from restore.photo.metadata import (
    exif_without_location,
    tidy_dpi,
    tidy_exif,
    xmp_without_location,
)

PHONE = {"exif": corpus.exif(location=True).tobytes(), "xmp": XMP, "dpi": (240.0, 240.0)}
PACKED = b"48,51.5N", b"2.29", b"33/1", b"GPS"
"""What the XMP of the corpus says of where."""


def located(path: Path) -> bool:
    """Whether a file says where it was taken, in any of the places known to Pillow or to grep."""
    with Image.open(path) as image:
        gps = image.getexif().get_ifd(0x8825)
    return bool(gps) or any(text in path.read_bytes() for text in PACKED)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif"])
def test_metadata_is_kept_or_freed_of_the_location_or_stripped(suffix, tmp_path):
    photo = Photo(COLOUR, profile=P3, **PHONE)
    for choice in ("keep", "no-location", "strip"):
        path = tmp_path / f"{choice}.{suffix}"
        encode(photo, path, choice)
        again = decode(path)
        assert again.profile == P3
        assert located(path) == (choice == "keep")
        with Image.open(path) as image:
            assert (image.getexif().get(0x010E) == "a cat") == (choice != "strip")
        assert (again.xmp is not None and b"Ann" in again.xmp) == (choice != "strip")
        if suffix in ("jpg", "png", "tif"):
            assert (again.dpi == pytest.approx((240, 240), abs=0.01)) == (choice != "strip")


@pytest.mark.parametrize("name", ["phone.jpg", "held.webp", "text.png", "held.tif"])
def test_location_of_files_can_be_stripped_alone(name, tmp_path):
    odd = next(odd for odd in corpus.good() if odd.name == name)
    odd.make(tmp_path / name)
    for suffix in ("jpg", "png", "tif", "webp"):
        encode(decode(tmp_path / name), tmp_path / f"kept.{suffix}")
        encode(decode(tmp_path / name), tmp_path / f"freed.{suffix}", "no-location")
        assert located(tmp_path / f"kept.{suffix}")
        assert not located(tmp_path / f"freed.{suffix}")
        with Image.open(tmp_path / f"freed.{suffix}") as image:
            assert image.getexif()[0x010F] == "Maker"


@pytest.mark.parametrize(
    "xmp",
    [
        b"<a:b xmlns:a='http://ns.adobe.com/exif/1.0/' a:GPSLatitude='1'",  # broken
        XMP.decode().encode("utf-16"),
        b"<!DOCTYPE a [<!ENTITY b 'GPS'>]><a>&b;</a>",
        b"<a>" * 5000 + b"GPS" + b"</a>" * 5000,
        b"<a>" + b" " * 2_000_000 + b"</a>",
    ],
)
def test_xmp_that_cannot_be_searched_is_left_out(xmp):
    freed = xmp_without_location(xmp)
    assert freed is None or b"G" not in freed.replace(b"\0", b"")


def test_the_other_xmp_stays():
    freed = xmp_without_location(XMP)
    assert not any(text in freed for text in PACKED)
    assert b'dc:creator="Ann"' in freed
    assert freed.startswith(b"<?xpacket begin")


def test_orientation_in_xmp_is_reset_too(tmp_path):
    image = Image.fromarray(corpus.TURNS[6](COLOUR))
    image.save(tmp_path / "a.webp", lossless=True, xmp=XMP)
    photo = decode(tmp_path / "a.webp")
    assert np.array_equal(photo.colours, COLOUR)
    encode(photo, tmp_path / "b.webp")
    assert np.array_equal(decode(tmp_path / "b.webp").colours, COLOUR)


@pytest.mark.parametrize("dpi", [None, (0, 0), (1, 1), ("a", 2), (1e9, 72), (float("nan"), 72), 72])
def test_senseless_dpi_is_left_out(dpi):
    assert tidy_dpi(dpi) is None


def test_exif_comes_through_byte_for_byte(tmp_path):
    """Texts in any alphabet, unknown rationals, tags of no standard, notes of makers in place."""
    exif = corpus.exif(6, location=True)
    exif[0x013B] = "José 猫".encode()
    exif[0x8298] = "© Müller".encode("latin-1")
    exif[0xC123] = b"private"
    exif[0x8769] |= {0xA432: (24.0, 70.0, float("nan"), float("nan")), 0x927C: b"at 400: note"}
    raw = exif.tobytes()
    Image.fromarray(corpus.TURNS[6](COLOUR)).save(tmp_path / "a.jpg", exif=raw)
    photo = decode(tmp_path / "a.jpg")
    assert len(photo.exif) == len(raw)
    assert photo.exif.index(b"at 400: note") == raw.index(b"at 400: note")
    for suffix in ("jpg", "png", "webp", "avif", "tif"):
        path = tmp_path / f"b.{suffix}"
        encode(photo, path)
        with Image.open(path) as image:
            before, after = Image.Exif(), image.getexif()
            before.load(raw)
            for tag in (0x010E, 0x010F, 0x013B, 0x8298, 0xC123):
                assert after[tag] == before[tag]
            assert after.get(0x0112, 1) == 1
            details = after.get_ifd(0x8769)
            assert str(details[0xA432]) == str(before.get_ifd(0x8769)[0xA432])
            assert (details[0xA002], details[0xA003]) == (corpus.WIDTH, corpus.HEIGHT)
            assert after.get_ifd(0x8825) == before.get_ifd(0x8825)
    freed = exif_without_location(photo.exif)
    assert len(freed) == len(raw)
    parsed = Image.Exif()
    parsed.load(freed)
    assert 0x8825 not in parsed
    assert parsed[0x013B] == before[0x013B]
    rational = b"".join(n.to_bytes(4, "big") for n in (48, 1, 51, 1, 30, 1))
    assert rational in raw
    assert rational not in freed


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_broken_exif_is_dropped_or_edited(data):
    exif = bytearray(PHONE["exif"])
    for _ in range(data.draw(st.integers(1, 8))):
        exif[data.draw(st.integers(6, len(exif) - 1))] = data.draw(st.integers(0, 255))
    exif = bytes(exif[: data.draw(st.sampled_from([len(exif), len(exif), 40, 15, 9]))])
    for edit in (lambda exif: tidy_exif(exif, (53, 37)), exif_without_location):
        try:
            edited = edit(exif)
        except ValueError:
            continue
        assert edited is None or len(edited) == len(exif)


def test_a_preview_of_the_old_picture_does_not_travel_on(tmp_path):
    exif = PHONE["exif"]
    start, count = 6 + 8, int.from_bytes(exif[14:16], "big")
    link = start + 2 + 12 * count
    second = len(exif) - 6
    preview = exif[:link] + second.to_bytes(4, "big") + exif[link + 4 :]
    preview += struct.pack(">HHHIIHHIII", 2, 0x0201, 4, 1, second + 30, 0x0202, 4, 1, 7, 0)
    preview += b"PREVIEW"
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg", exif=preview)
    assert b"PREVIEW" in (tmp_path / "a.jpg").read_bytes()
    assert b"PREVIEW" not in decode(tmp_path / "a.jpg").exif


def test_metadata_too_long_for_the_format(tmp_path):
    photo = Photo(COLOUR, xmp=b"<a>" + b" " * 70_000 + b"</a>")
    with pytest.raises(PhotoError, match=r"a\.jpg: JPEG cannot hold its EXIF or XMP; write PNG"):
        encode(photo, tmp_path / "a.jpg")
    assert os.listdir(tmp_path) == []
    encode(photo, tmp_path / "a.png")
    assert decode(tmp_path / "a.png").xmp == photo.xmp
