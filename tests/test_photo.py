"""Photos in and out of files."""

import io
import os

import numpy as np
import pytest
from PIL import Image, ImageCms

from restore.photo import Photo, PhotoError, decode, encode

LOSSLESS = {"png": "PNG", "tif": "TIFF", "webp": "WEBP", "bmp": "BMP"}


@pytest.fixture
def photo(clear):
    return Image.fromarray(clear[:60, :80])


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_round_trip_is_bit_exact(photo, suffix, tmp_path):
    encode(Photo.from_image(photo), tmp_path / f"a.{suffix}")
    assert np.array_equal(np.asarray(decode(tmp_path / f"a.{suffix}")), np.asarray(photo))


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_modes_survive_png(photo, mode, tmp_path):
    if mode == "I;16":
        image = Image.fromarray(np.arange(4800, dtype=np.uint16).reshape(60, 80) * 13)
    else:
        image = photo.convert(mode)
    encode(Photo.from_image(image), tmp_path / "a.png")
    again = decode(tmp_path / "a.png")
    assert again.mode == mode
    assert again.tobytes() == image.tobytes()


def test_orientation_is_applied_once(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a cat"
    photo.save(tmp_path / "a.png", exif=exif)
    upright = decode(tmp_path / "a.png")
    assert np.array_equal(np.asarray(upright), np.rot90(np.asarray(photo), -1))
    encode(upright, tmp_path / "b.png")
    again = decode(tmp_path / "b.png")
    assert again.size == upright.size
    assert again.getexif().get(0x0112, 1) == 1
    assert Image.open(tmp_path / "b.png").getexif()[0x010E] == "a cat"


def test_metadata_can_be_stripped_and_the_profile_stays(photo, tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010E] = "a cat"
    photo.save(tmp_path / "a.jpg", exif=exif, icc_profile=profile, dpi=(300, 300))
    image = decode(tmp_path / "a.jpg")
    for keep in (True, False):
        path = tmp_path / f"{keep}.jpg"
        encode(image, path, keep_metadata=keep)
        with Image.open(path) as written:
            assert written.info["icc_profile"] == profile
            assert (written.getexif().get(0x010E) == "a cat") is keep
            assert (written.info.get("dpi") == (300, 300)) is keep


def test_transparent_palette_keeps_its_transparency(photo, tmp_path):
    image = photo.quantize(16)
    image.save(tmp_path / "a.png", transparency=0)
    again = decode(tmp_path / "a.png")
    assert again.mode == "RGBA"
    assert set(np.unique(np.asarray(again)[..., 3])) == {0, 255}


def test_cmyk_becomes_rgb(photo, tmp_path):
    photo.convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert decode(tmp_path / "a.jpg").mode == "RGB"


def test_transparent_photo_as_jpeg(photo, tmp_path):
    encode(Photo.from_image(photo.convert("RGBA"), tmp_path / "a.jpg")
    assert decode(tmp_path / "a.jpg").mode == "RGB"


def test_sixteen_bit_grey_is_scaled_not_clipped():
    image = Image.fromarray(np.array([[0, 32896, 65535]], np.uint16))
    assert pixels(image)[0, :, 0].tolist() == [0, 128, 255]


def broken(tmp_path):
    data = io.BytesIO()
    Image.new("RGB", (400, 400), "red").save(data, "PNG")
    (tmp_path / "cut.png").write_bytes(data.getvalue()[:300])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("I am not a photo")
    (tmp_path / "folder.png").mkdir()
    Image.new("1", (20_000, 10_000)).save(tmp_path / "bomb.png")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cut.png", "damaged or cut off"),
        ("empty.jpg", "it is empty"),
        ("text.jpg", "it is not a photo"),
        ("folder.png", "this is a folder"),
        ("bomb.png", "more than 100 megapixels"),
        ("gone.png", "there is no such file"),
    ],
)
def test_bad_files_get_a_sentence_with_their_name(name, reason, tmp_path):
    broken(tmp_path)
    with pytest.raises(PhotoError, match=rf"^{name}: .*{reason}.*\.$"):
        decode(tmp_path / name)


def test_nothing_is_overwritten_unless_told(photo, tmp_path):
    path = tmp_path / "a.png"
    path.write_text("mine")
    with pytest.raises(PhotoError, match="exists already"):
        encode(Photo.from_image(photo), path)
    assert path.read_text() == "mine"
    encode(Photo.from_image(photo), path, overwrite=True)
    assert decode(path).size == photo.size


def test_a_failed_write_leaves_nothing(photo, tmp_path, monkeypatch):
    def full(self, file, *args, **options):
        with open(file, "wb") as opened:
            opened.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(PhotoError, match="No space left"):
        encode(Photo.from_image(photo), tmp_path / "a.png")
    assert os.listdir(tmp_path) == []


def test_unknown_format(photo, tmp_path):
    with pytest.raises(PhotoError, match=r"cannot be written as '\.xyz'"):
        encode(Photo.from_image(photo), tmp_path / "a.xyz")
