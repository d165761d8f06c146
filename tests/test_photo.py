"""Photos in and out of files: colours and what can go wrong; see also test_corpus."""

import errno
import os
import stat
import sys
from pathlib import Path

import corpus
import imagecodecs
import numpy as np
import pytest
from corpus import ALPHA, COLOUR, GREY, GREY_GAMMA, P3, SRGB
from PIL import Image, ImageCms

from restore import load
from restore.photo import SUFFIXES, Photo, PhotoError, decode, encode


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
