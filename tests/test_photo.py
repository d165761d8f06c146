"""Photos in and out of files: colours, metadata and what can go wrong; see also test_corpus."""

import errno
import os
import stat
import struct
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus
import imagecodecs
import numpy as np
import pytest
from corpus import ALPHA, COLOUR, GREY, GREY_GAMMA, P3, SRGB, XMP
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from restore import load
from restore.photo import SUFFIXES, Photo, PhotoError, decode, encode
from restore.photo.metadata import (
    exif_without_location,
    tidy_dpi,
    tidy_exif,
    xmp_without_location,
)

PHONE = {"exif": corpus.exif(location=True).tobytes(), "xmp": XMP, "dpi": (240.0, 240.0)}
PACKED = b"48,51.5N", b"2.29", b"33/1", b"GPS"
"""What the XMP of the corpus says of where."""


def p3_to_srgb(levels: np.ndarray) -> np.ndarray:
    """By the formula: P3 primaries with gamma 2.2 to sRGB."""
    matrix = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
    linear = np.clip((levels / 255.0) ** 2.2 @ np.array(matrix).T, 0, 1)
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (curve * 255).round().astype(int)


def test_wide_gamut_is_kept_and_shown_as_a_viewer_shows_it(tmp_path):
    photo = Photo(COLOUR, profile=P3)
    encode(photo, tmp_path / "a.jpg")
    for suffix in ("png", "tif", "webp"):
        encode(photo, tmp_path / f"a.{suffix}")
        again = decode(tmp_path / f"a.{suffix}")
        assert np.array_equal(again.colours, COLOUR)
        assert again.profile == P3
        assert np.abs(again.levels() - p3_to_srgb(COLOUR)).max() <= 2
    assert np.abs(photo.levels().astype(int) - COLOUR).max() > 5, "P3 must differ from sRGB"


@pytest.mark.parametrize("suffix", ["bmp", "gif"])
def test_formats_without_profiles_get_srgb(suffix, tmp_path):
    encode(Photo(COLOUR, profile=P3), tmp_path / f"a.{suffix}")
    again = decode(tmp_path / f"a.{suffix}")
    assert again.profile is None
    assert np.abs(again.levels() - p3_to_srgb(COLOUR)).mean() < 4
    assert np.abs(again.levels().mean((0, 1)) - p3_to_srgb(COLOUR).mean((0, 1))).max() < 1


def test_profiles_that_cannot_be_used_are_left_out(tmp_path):
    for start in (200, 300, 400):
        broken = P3[:128] + P3[128:start] + b"\xff" * (len(P3) - start)
        Image.fromarray(COLOUR).save(tmp_path / "a.png", icc_profile=broken)
        photo = decode(tmp_path / "a.png")
        if photo.profile is None:
            assert photo.notes == ("Its colour profile is not for its pixels and is left out.",)
        assert photo.levels().shape == COLOUR.shape
    inks = Image.fromarray(COLOUR).convert("CMYK")
    inks.save(tmp_path / "a.tif", icc_profile=corpus.cmyk_profile()[:300])
    assert np.abs(decode(tmp_path / "a.tif").levels().astype(int) - COLOUR).max() <= 1


def test_srgb_with_a_profile_is_left_alone():
    assert np.array_equal(Photo(COLOUR, profile=SRGB).levels(), COLOUR)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "avif", "bmp"])
def test_grey_profiles_are_followed(suffix, tmp_path):
    grey = np.tile(np.arange(0, 250, 5, dtype=np.uint8), (50, 1))
    photo = Photo(grey, profile=GREY_GAMMA)
    linear = (grey / 255.0) ** 1.4
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(photo.levels()[..., 1] - expected * 255).max() <= 2
    encode(photo, tmp_path / f"a.{suffix}")
    shown = decode(tmp_path / f"a.{suffix}").levels().astype(int)
    assert np.abs(shown - photo.levels()).mean() < 2
    assert np.ptp(shown, -1).max() == 0


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_with_a_profile_looks_as_a_viewer_shows_it(suffix, tmp_path):
    profile = corpus.cmyk_profile()
    inks = np.dstack([COLOUR, GREY // 2])
    image = (
        Image.fromarray(inks, "CMYK")
        if suffix == "tif"
        else Image.frombytes("CMYK", (corpus.WIDTH, corpus.HEIGHT), inks.tobytes())
    )
    image.save(tmp_path / f"a.{suffix}", icc_profile=profile, quality=100, subsampling=0)
    with Image.open(tmp_path / f"a.{suffix}") as opened:
        inks = np.array(opened)
    expected = imagecodecs.cms_transform(
        inks, profile, imagecodecs.cms_profile("srgb"), colorspace="cmyk", outcolorspace="rgb"
    )
    photo = decode(tmp_path / f"a.{suffix}")
    assert photo.profile is None
    assert photo.notes == ("Its colours are converted to sRGB.",)
    assert np.abs(photo.levels().astype(int) - expected).max() <= 1


def test_lab_becomes_srgb(tmp_path):
    lab = ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(
        Image.fromarray(COLOUR), ImageCms.createProfile("sRGB"), lab, outputMode="LAB"
    )
    image.save(tmp_path / "a.tif")
    assert np.abs(decode(tmp_path / "a.tif").levels().astype(int) - COLOUR).mean() < 2


def test_sixteen_bits_are_rounded_not_cut():
    photo = Photo(np.array([[0, 127, 129, 32896, 65535]], np.uint16))
    assert photo.levels()[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_transparency_becomes_white_where_there_is_none(tmp_path):
    colours = np.full((20, 20, 3), 40, np.uint8)
    alpha = np.zeros((20, 20), np.uint8)
    alpha[:, 10:] = 255
    for suffix in ("jpg", "bmp"):
        encode(Photo(colours, alpha), tmp_path / f"a.{suffix}")
        levels = decode(tmp_path / f"a.{suffix}").levels()
        assert levels[:, :8].min() > 250
        assert levels[:, 12:].max() < 45


def test_gif_keeps_transparency(tmp_path):
    encode(Photo(COLOUR, ALPHA), tmp_path / "a.gif")
    again = decode(tmp_path / "a.gif")
    assert np.array_equal(again.alpha > 0, ALPHA >= 128)
    seen = ALPHA >= 128
    assert np.abs(again.levels()[seen].astype(int) - COLOUR[seen]).mean() < 8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_hidden_colours_do_not_bleed(dtype):
    """What full transparency hides changes nothing that shows, and stays as it is."""
    highest = np.iinfo(dtype).max
    colours = (COLOUR.astype(np.uint32) * (highest // 255)).astype(dtype)
    alpha = np.where(corpus.COLUMNS < 20, 0, highest).astype(dtype)
    red, green = colours.copy(), colours.copy()
    red[alpha == 0], green[alpha == 0] = (highest, 0, 0), (0, highest, 0)
    restorer = load("cnn", device="cpu")
    first, second = (restorer.restore(Photo(c, alpha)) for c in (red, green))
    assert np.array_equal(first.colours[alpha > 0], second.colours[alpha > 0])
    assert np.array_equal(first.colours[alpha == 0], red[alpha == 0])
    assert np.array_equal(first.alpha, alpha)
    edge = first.colours[:, 20:23].astype(float) - colours[:, 20:23]
    assert np.abs(edge).mean() < highest * 0.06
    if dtype == np.uint8:
        array = restorer.restore(np.dstack([red, alpha]))
        assert np.array_equal(array[..., :3], first.colours)
        image = restorer.restore(Image.fromarray(np.dstack([red, alpha])))
        assert np.array_equal(np.asarray(image), array)


def test_a_photo_of_nothing_comes_back(tmp_path):
    photo = Photo(COLOUR, np.zeros_like(GREY))
    assert np.array_equal(load("cnn", device="cpu").restore(photo).colours, COLOUR)


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


def test_places_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.png").mkdir()
    for name, reason in (
        ("pipe.jpg", "no ordinary file"),
        ("folder.png", "a folder"),
        ("gone.png", "there is no such file"),
    ):
        with pytest.raises(PhotoError, match=rf"^{name}: [^.]*{reason}.*\.$"):
            decode(tmp_path / name)


def test_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "locked.png"
    encode(Photo(COLOUR), path)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read all

        def refuse(self, *_):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PhotoError, match=r"locked\.png: it may not be read; check its permissions"):
        decode(path)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_heic_without_its_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(PhotoError, match=r"a\.heic: .*pip install pillow-heif"):
        decode(tmp_path / "a.heic")
    with pytest.raises(PhotoError, match=r"b\.heic: .*pip install pillow-heif"):
        encode(Photo(COLOUR), tmp_path / "b.heic")
    assert os.listdir(tmp_path) == ["a.heic"]


def test_messages_tell_nothing_of_the_content(tmp_path):
    exif = corpus.exif(location=True)
    exif[0x010E] = "secret"
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg", exif=exif)
    data = (tmp_path / "a.jpg").read_bytes()
    for end in range(200, len(data), 97):
        (tmp_path / "a.jpg").write_bytes(data[:end])
        with pytest.raises(PhotoError) as caught:
            decode(tmp_path / "a.jpg")
        assert "secret" not in str(caught.value)
        assert "48" not in str(caught.value)


def test_nothing_is_overwritten_unless_told(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("mine")
    with pytest.raises(PhotoError, match="exists already"):
        encode(Photo(COLOUR), path)
    assert path.read_text() == "mine"
    encode(Photo(COLOUR), path, overwrite=True)
    assert np.array_equal(decode(path).colours, COLOUR)
    assert os.listdir(tmp_path) == ["a.png"]


def test_of_many_writers_one_wins(tmp_path):
    def write(level):
        try:
            encode(Photo(np.full((9, 9), level, np.uint8)), tmp_path / "a.png")
        except PhotoError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(24)))
    assert sum(won) == 1
    assert decode(tmp_path / "a.png").colours[0, 0] == won.index(True)
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "gif", "avif"])
def test_a_full_disk_leaves_nothing(suffix, tmp_path):
    """A limit on the size of files stands in for the disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
    try:
        with pytest.raises(PhotoError, match=rf"a\.{suffix}: .*the disk is full; make room\.$"):
            encode(Photo(COLOUR), tmp_path / f"a.{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


def test_ctrl_c_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        encode(Photo(COLOUR), tmp_path / "a.png")
    assert os.listdir(tmp_path) == []


def test_disks_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    encode(Photo(COLOUR), tmp_path / "a.png")
    assert os.listdir(tmp_path) == ["a.png"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.xyz", r"cannot be written as '\.xyz'; use \.jpg"),
        ("none/a.png", "its folder does not exist; make it first"),
        ("file/a.png", "its folder does not exist; make it first"),
    ],
)
def test_places_that_cannot_be_written(name, reason, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PhotoError, match=reason):
        encode(Photo(COLOUR), tmp_path / name)


def test_sides_that_a_format_cannot_hold(tmp_path):
    with pytest.raises(PhotoError, match=r"a\.webp: WEBP holds no side over 16,383 pixels"):
        encode(Photo(np.zeros((2, 20_000), np.uint8)), tmp_path / "a.webp")


def test_names_as_long_as_the_disk_takes(tmp_path):
    path = tmp_path / ("ä" * 125 + ".png")
    encode(Photo(COLOUR), path)
    assert np.array_equal(decode(path).colours, COLOUR)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I"])
def test_pillow_images_come_and_go(mode):
    image = Image.fromarray(COLOUR).convert("L" if mode.startswith("I") else "RGB").convert(mode)
    photo = Photo.from_image(image)
    assert photo.size == image.size
    again = Photo.from_image(photo.to_image())
    assert np.array_equal(again.colours, photo.colours)
    assert (photo.alpha is not None) == ("A" in mode)
    expected = {"1": 2, "L": 2, "LA": 2, "I;16": 2, "I": 2}.get(mode, 3)
    assert photo.colours.ndim == expected


def test_other_colours_must_fit():
    with pytest.raises(ValueError, match=r"Expected uint8 \[37, 53, 3\], got uint8 \[37, 53\]"):
        Photo(COLOUR).with_colours(GREY)


def test_all_suffixes_can_be_written(tmp_path):
    for suffix in SUFFIXES:
        if SUFFIXES[suffix] != "HEIC":
            encode(Photo(COLOUR), tmp_path / f"a{suffix}")
            assert decode(tmp_path / f"a{suffix}").size == (corpus.WIDTH, corpus.HEIGHT)
