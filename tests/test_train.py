"""From photos to weights, at toy size."""

import csv
import dataclasses
import shutil

import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from PIL import Image
from skimage import data

from restore import load
from restore.weights import load_model
from train import recipes, tiles
from train.fit import _load_checkpoint, fit
from train.mixture import Mixture


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Eight real photos, two of them for validation."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "train").mkdir()
    (folder / "val").mkdir()
    for name in ("astronaut", "chelsea", "coffee", "rocket", "brick", "grass"):
        Image.fromarray(getattr(data, name)()).save(folder / "train" / f"{name}.png")
    for name in ("gravel", "hubble_deep_field"):
        Image.fromarray(getattr(data, name)()).save(folder / "val" / f"{name}.png")
    shutil.copy(folder / "train" / "coffee.png", folder / "train" / "coffee-again.png")
    return folder


@pytest.fixture(scope="session")
def tiled(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("tiles")
    tiles.make(photos, out, train=96, val=16)
    return out


def test_tiles_are_as_many_as_asked_and_described(tiled):
    rows = list(csv.DictReader((tiled / "manifest.csv").open()))
    assert np.load(tiled / "train.npy", mmap_mode="r").shape == (96, 128, 128, 3)
    assert np.load(tiled / "val.npy", mmap_mode="r").shape == (16, 128, 128, 3)
    assert len(rows) == 96 + 16


def test_no_photo_is_on_both_sides_and_duplicates_are_dropped(tiled):
    rows = list(csv.DictReader((tiled / "manifest.csv").open()))
    sides = {s: {r["photo"] for r in rows if r["split"] == s} for s in ("train", "val")}
    assert not sides["train"] & sides["val"]
    assert not {"train/coffee.png", "train/coffee-again.png"} <= sides["train"]


def test_hashes_of_the_manifest_are_those_of_the_tiles(tiled):
    import hashlib

    store = np.load(tiled / "train.npy")
    for row in csv.DictReader((tiled / "manifest.csv").open()):
        if row["split"] == "train":
            pixels = store[int(row["index"])]
            assert hashlib.sha256(pixels.tobytes()).hexdigest() == row["sha256"]
            if row["look"] == "grey":
                assert (pixels == pixels[..., :1]).all()


def test_tiles_are_deterministic_by_seed(photos, tiled, tmp_path):
    tiles.make(photos, tmp_path / "same", train=96, val=16)
    assert (tmp_path / "same" / "manifest.csv").read_text() == (tiled / "manifest.csv").read_text()
    tiles.make(photos, tmp_path / "other", train=96, val=16, seed=1)
    assert not np.array_equal(
        np.load(tmp_path / "other" / "train.npy"), np.load(tiled / "train.npy")
    )


def test_an_unsplit_folder_is_dealt_by_photo(photos, tmp_path):
    tiles.make(photos / "train", tmp_path, train=20, val=20)
    rows = list(csv.DictReader((tmp_path / "manifest.csv").open()))
    sides = [{r["photo"] for r in rows if r["split"] == s} for s in ("train", "val")]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_too_few_photos_get_a_sentence(tmp_path):
    with pytest.raises(tiles.NotEnoughPhotosError, match=r"yield .* good tiles, not 3,378"):
        tiles.make(EXAMPLES, tmp_path)


def test_mixture_is_deterministic_and_mixed(tiled):
    clear = torch.from_numpy(np.load(tiled / "train.npy")[:32]).permute(0, 3, 1, 2).float() / 255
    first = Mixture()(clear, torch.Generator().manual_seed(1))
    assert torch.equal(first, Mixture()(clear, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, Mixture()(clear, torch.Generator().manual_seed(2)))
    assert first.shape == clear.shape
    assert 0 <= first.min() < first.max() <= 1
    untouched = (first == clear).flatten(1).all(1).sum()
    assert untouched < 16


def test_the_studys_share_is_exactly_the_studys_blur(tiled):
    from restore.distort import distort

    clear = torch.from_numpy(np.load(tiled / "train.npy")[:4]).permute(0, 3, 1, 2).float() / 255
    only = Mixture(clear=0, study=1, gaussian=0, disk=0, motion=0, shake=0, noisy=0, jpeg=0)
    ours = only(clear, torch.Generator().manual_seed(0))
    for i in range(4):
        difference = (ours[i : i + 1] - distort(clear[i : i + 1], "study", 1)).abs() * 255
        assert difference.max() < 1.01
        assert (difference > 0.5).float().mean() < 1e-3


def toy(name: str, **changes) -> recipes.Recipe:
    return dataclasses.replace(
        recipes.find(name), images=64, batch=8, warmup=1, validate_every=16, **changes
    )


@pytest.mark.parametrize("name", ["cnn", "gan"])
def test_fit_writes_weights_that_restore(name, tiled, tmp_path, blurred):
    weights = fit(toy(name), name, tiled, tmp_path)
    restored = load(name, weights).restore(blurred)
    assert restored.shape == blurred.shape
    rows = list(csv.DictReader((tmp_path / name / "history.csv").open()))
    assert [int(r["images"]) for r in rows] == [16, 32, 48, 64]
    assert ("discriminator_loss" in rows[0]) is (name == "gan")


def test_fit_learns(tiled, tmp_path):
    fit(dataclasses.replace(toy("cnn"), images=400, validate_every=200), "cnn", tiled, tmp_path)
    rows = list(csv.DictReader((tmp_path / "cnn" / "history.csv").open()))
    assert float(rows[-1]["val_study_psnr"]) > float(rows[0]["val_study_psnr"]) + 0.1


@pytest.mark.parametrize("name", ["cnn", "gan"])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(name, tiled, tmp_path):
    fit(toy(name), name, tiled, tmp_path / "whole")
    fit(toy(name), name, tiled, tmp_path / "cut", minutes=0)
    fit(toy(name), name, tiled, tmp_path / "cut", resume=True)
    whole, cut = (_load_checkpoint(tmp_path / run / name) for run in ("whole", "cut"))
    assert whole["history"][-1]["step"] == cut["history"][-1]["step"] == 8
    for key, value in whole["model"].items():
        assert torch.allclose(value, cut["model"][key], atol=1e-6), key


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tiled, tmp_path):
    fit(toy("cnn"), "cnn", tiled, tmp_path)
    last = tmp_path / "cnn" / "checkpoint.pt"
    data = bytearray(last.read_bytes())
    data[len(data) // 2] ^= 1
    last.write_bytes(data)
    assert _load_checkpoint(tmp_path / "cnn")["history"][-1]["images"] == 48
    (tmp_path / "cnn" / "checkpoint-previous.pt").write_bytes(b"")
    assert _load_checkpoint(tmp_path / "cnn") is None


def test_growing_starts_where_the_small_one_ended():
    from train.fit import _start

    grown = _start(recipes.find("unet-1024")).eval()
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(grown(x), load_model("unet-512")(x), atol=1e-4)


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_says_its_command(name):
    recipe = recipes.find(name)
    assert (
        f"python -m train fit {name.replace('_', '-')}"
        in __import__(f"train.recipes.{name}", fromlist=["x"]).__doc__
    )
    assert recipe.images > 0
