"""python -m train: each command does its work or ends in one clear sentence."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from toy import toy
from typer.testing import CliRunner

from restore.distort import distort
from restore.metrics import psnr
from train import TrainingError, tiles
from train.__main__ import app
from train.fit import fit


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "300"})


def assert_refused(result, sentence: str) -> None:
    assert result.exit_code == 2, result.output
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_photos_need_a_key_or_a_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PEXELS_API_KEY", raising=False)
    assert_refused(run("photos", "pexels", "--out", tmp_path / "out"), "PEXELS_API_KEY")
    assert_refused(run("photos", "folder", "--out", tmp_path / "out"), "--folder FOLDER")
    none = run("photos", "folder", "--folder", tmp_path / "none", "--out", tmp_path / "out")
    assert_refused(none, "There is no folder")
    assert not (tmp_path / "out").exists()


def test_tiles_of_nothing(photos, tmp_path):
    out = ("--out", tmp_path / "tiles")
    assert_refused(run("tiles", *out), "--photos FOLDER")
    assert_refused(run("tiles", "--photos", tmp_path / "none", *out), "There is no folder")
    assert_refused(run("tiles", "--photos", tmp_path, *out), "No photos in")
    few = run("tiles", "--photos", photos, *out)
    assert_refused(few, "Add photos, or ask for fewer tiles with --val")
    assert_refused(run("tiles", "--photos", photos, "--train", 0, *out), "at least one tile")
    file = tmp_path / "file"
    file.touch()
    nowhere = run("tiles", "--photos", photos, "--train", 9, "--val", 9, "--out", file / "tiles")
    assert_refused(nowhere, "cannot be written")


def test_a_folder_without_permission(photos, tmp_path, monkeypatch):
    locked = tmp_path / "locked"
    shutil.copytree(photos, locked)
    locked.chmod(0)
    if os.access(locked, os.R_OK):  # root may read all
        may = os.access
        monkeypatch.setattr(
            os, "access", lambda path, mode: "locked" not in str(path) and may(path, mode)
        )
    assert_refused(run("tiles", "--photos", locked, "--out", tmp_path / "tiles"), "is not readable")
    with pytest.raises(TrainingError, match=r"locked may not be read\. Check"):
        tiles.make(locked, tmp_path / "tiles")
    locked.chmod(0o700)


def test_tiles_are_made_but_for_photos_that_cannot_be_read(photos, tmp_path):
    some = tmp_path / "photos"
    shutil.copytree(photos, some)
    (some / "train" / "broken.jpg").write_bytes(b"no photo")
    out = tmp_path / "tiles"
    result = run("tiles", "--photos", some, "--out", out, "--train", 9, "--val", 4)
    assert result.exit_code == 1
    assert len(np.load(out / "train.npy")) == 9
    again = run("tiles", "--photos", some, "--out", out, "--train", 5, "--val", 4)
    assert_refused(again, "holds tiles already")
    assert len(np.load(out / "train.npy")) == 9


def test_pairs_are_the_studys_and_go_on_where_they_stopped(tiled, tmp_path):
    out = tmp_path / "tiles"
    shutil.copytree(tiled, out)
    assert run("tiles", "--out", out, "--pairs").exit_code == 0
    clear, distorted = (
        sorted((out / "pairs" / "train" / s).iterdir()) for s in ("clear", "distorted")
    )
    assert [p.name for p in clear] == [p.name for p in distorted]
    assert len(clear) == 96
    store = np.load(out / "train.npy")
    assert np.array_equal(np.asarray(Image.open(clear[7])), store[7])
    tile = torch.from_numpy(store[7]).permute(2, 0, 1)[None].float() / 255
    expected = (distort(tile, "study", 1) * 255).round()[0].permute(1, 2, 0).numpy()
    assert np.abs(np.asarray(Image.open(distorted[7]), float) - expected).max() <= 1
    distorted[7].unlink()
    before = clear[0].stat().st_mtime_ns
    assert run("tiles", "--out", out, "--pairs").exit_code == 0
    assert distorted[7].exists()
    assert clear[0].stat().st_mtime_ns == before
    assert not list(out.rglob("*.part"))


def test_fit_refuses_what_it_cannot_do(tiled, tmp_path):
    assert_refused(run("fit", "resnet", "--tiles", tiled), "Choose one of: cnn, ")
    assert_refused(run("fit", "cnn", "--tiles", tmp_path / "none"), "There are no tiles in")
    runs = tmp_path / "runs"
    (runs / "cnn").mkdir(parents=True)
    (runs / "cnn" / "checkpoint.pt").write_bytes(b"precious")
    assert_refused(run("fit", "cnn", "--tiles", tiled, "--out", runs), "Add --resume")
    assert (runs / "cnn" / "checkpoint.pt").read_bytes() == b"precious"
    assert_refused(run("fit", "cnn", "--tiles", tiled, "--out", tiled / "train.npy"), "cannot be")


def test_a_recipe_of_larger_crops_asks_for_larger_tiles(photos, tmp_path):
    out, sizes = tmp_path / "tiles", ("--train", 16, "--val", 2)
    assert run("tiles", "--photos", photos, "--out", out, *sizes, "--side", 64).exit_code == 0
    assert np.load(out / "train.npy").shape == (16, 64, 64, 3)
    result = run("fit", "gan", "--tiles", out, "--out", tmp_path / "runs")
    assert_refused(result, "python -m train tiles --side 128")


@pytest.mark.parametrize("split", ["train", "val"])
def test_fit_refuses_damaged_tiles(split, tiled, tmp_path):
    out = tmp_path / "tiles"
    shutil.copytree(tiled, out)
    store = out / f"{split}.npy"
    store.write_bytes(store.read_bytes()[:-1000])
    result = run("fit", "cnn", "--tiles", out, "--out", tmp_path / "runs")
    assert_refused(result, "it is damaged or cut off")
    np.save(store, np.zeros((9, 64, 64), np.float32))
    result = run("fit", "cnn", "--tiles", out, "--out", tmp_path / "runs")
    assert_refused(result, "not square tiles")
    np.save(store, np.load(tiled / f"{split}.npy")[:0])
    result = run("fit", "cnn", "--tiles", out, "--out", tmp_path / "runs")
    assert_refused(result, "not square tiles")
    assert not (tmp_path / "runs").exists()


def test_the_study_stands_beside_what_its_recipes_reach(tiled, tmp_path):
    assert_refused(run("study", "--runs", tmp_path, "--tiles", tiled), "fit study-cnn")
    recipe = toy("study-gan", images=8)
    fit(recipe, "study-gan", tiled, tmp_path)
    result = run("study", "--runs", tmp_path, "--tiles", tiled)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "study.json").read_text())
    given, ours = report["rows"]
    assert report["pairs"] == len(np.load(tiled / "val.npy"))
    inputs = []
    for tile in np.load(tiled / "val.npy"):
        x = torch.from_numpy(tile).permute(2, 0, 1)[None].float() / 255
        blurred = (distort(x, "study", 1) * 255).round().byte()[0].permute(1, 2, 0)
        inputs.append(psnr(blurred.numpy(), tile))
    assert given["psnr"] == pytest.approx(np.mean(inputs), abs=0.02)
    assert ours["images"] == 8
    assert ours["study"]["generator_loss"] == 10.98
    assert ours["generator_loss"] > 0
    assert "10.98" in result.output
