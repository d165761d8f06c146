"""The command lines, called as a person calls them."""

import shutil

import numpy as np
import pytest
from conftest import EXAMPLES
from typer.testing import CliRunner

from restore.__main__ import app
from restore.metrics import psnr
from restore.photo import decode
from train.__main__ import app as train_app

FAST = ["--model", "cnn"]


def call(*arguments, program=app):
    return CliRunner().invoke(program, [str(a) for a in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def photos(tmp_path):
    """A folder of blurred photos, one of them in a folder below, and one that is none."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    shutil.copy(EXAMPLES / "cat-study.png", folder / "cat.png")
    shutil.copy(EXAMPLES / "coffee-defocus.png", folder / "below" / "coffee.png")
    return folder


def test_run_restores_a_folder_and_keeps_its_shape(photos, tmp_path, clear, blurred):
    out = tmp_path / "out"
    result = call("run", photos, "--out", out, *FAST)
    assert result.exit_code == 0, result.output
    assert (out / "below" / "coffee.png").exists()
    assert psnr(decode(out / "cat.png").levels(), clear) > psnr(blurred, clear) + 1


def test_run_scores_against_references(photos, tmp_path):
    (tmp_path / "clear").mkdir()
    encoded = decode(EXAMPLES / "cat.jpg").to_image()
    encoded.save(tmp_path / "clear" / "cat.png")
    result = call("run", photos, "--out", tmp_path / "o", "--reference", tmp_path / "clear", *FAST)
    assert result.exit_code == 0
    assert "PSNR 33.1" in result.output


def test_one_bad_photo_fails_and_the_others_are_done(photos, tmp_path):
    (photos / "bad.jpg").write_text("no photo")
    result = call("run", photos, "--out", tmp_path / "out", *FAST)
    assert result.exit_code == 1
    assert "bad.jpg: it is not a photo" in result.output
    assert (tmp_path / "out" / "cat.png").exists()
    assert not list((tmp_path / "out").glob("*.part"))


def test_results_are_not_overwritten_unless_told(photos, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "cat.png").write_text("mine")
    assert call("run", photos, "--out", out, *FAST).exit_code == 0
    assert (out / "cat.png").read_text() == "mine"
    assert call("run", photos, "--out", out, "--overwrite", *FAST).exit_code == 0
    assert decode(out / "cat.png").size == (451, 300)


def test_the_input_is_not_overwritten_by_its_own_result(photos):
    before = (photos / "cat.png").read_bytes()
    assert call("run", photos, "--out", photos, *FAST).exit_code == 0
    assert (photos / "cat.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere.png", "--weights", "/nowhere"], "Name a folder or a Hub repo"),
        (["nowhere.png", "--device", "cuda:9"], "is not one of"),
        (["nowhere.png", "--model", "magic"], "is not one of"),
        (["nowhere.png", "--reference", "/nowhere"], "does not exist"),
    ],
)
def test_a_wrong_call_exits_with_two(arguments, sentence, tmp_path):
    result = call("run", *arguments, "--out", tmp_path)
    assert result.exit_code == 2
    assert sentence in result.output


def test_empty_folder(tmp_path):
    result = call("run", tmp_path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "There are no photos in" in result.output


def test_missing_photo(tmp_path):
    result = call("run", tmp_path / "gone.png", "--out", tmp_path / "out", *FAST)
    assert result.exit_code == 1
    assert "gone.png: there is no such file" in result.output


def test_models_lists_all(tmp_path):
    result = call("models")
    assert result.exit_code == 0
    for text in ("unet-512", "7,766,051", "unet-1024", "31,043,651", "cnn", "83,715", "gan"):
        assert text in result.output
    assert "none" in call("models", "--weights", tmp_path).output


def test_metadata_is_stripped_on_wish(photos, tmp_path):
    image = decode(EXAMPLES / "cat.jpg").to_image()
    image.save(photos / "dpi.jpg", dpi=(300, 300))
    call("run", photos / "dpi.jpg", "--out", tmp_path / "a", *FAST)
    call("run", photos / "dpi.jpg", "--out", tmp_path / "b", "--strip-metadata", *FAST)
    kept, stripped = (decode(tmp_path / folder / "dpi.jpg") for folder in "ab")
    assert kept.dpi == (300, 300)
    assert stripped.dpi != (300, 300)
    assert np.array_equal(kept.levels(), stripped.levels())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fit", "nonsense"], "There is no recipe 'nonsense'. Choose one of: cnn, gan"),
        (["fit", "cnn", "--tiles", "/nowhere"], "Make them with: python -m train tiles"),
        (["tiles", "--photos", "/nowhere"], "No photos in /nowhere"),
    ],
)
def test_train_says_what_is_wrong(arguments, sentence):
    result = call(*arguments, program=train_app)
    assert result.exit_code == 2
    assert sentence in result.output
