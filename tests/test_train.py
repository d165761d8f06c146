"""From photos to weights, at toy size."""

import csv
import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from PIL import Image
from toy import toy

from restore import load
from restore.weights import load_model
from train import TrainingError, recipes, tiles
from train.batches import Batches, prefetch
from train.fit import fit
from train.mixture import Mixture
from train.throughput import flops_per_image, matrix_rate


def test_tiles_are_as_many_as_asked_and_described(tiled):
    rows = list(csv.DictReader((tiled / "manifest.csv").open()))
    assert np.load(tiled / "train.npy", mmap_mode="r").shape == (96, 128, 128, 3)
    assert np.load(tiled / "val.npy", mmap_mode="r").shape == (4, 128, 128, 3)
    assert len(rows) == 96 + 4


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
    tiles.make(photos, tmp_path / "same", train=96, val=4)
    assert (tmp_path / "same" / "manifest.csv").read_text() == (tiled / "manifest.csv").read_text()
    tiles.make(photos, tmp_path / "other", train=96, val=4, seed=1)
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


def test_tiles_are_not_made_over(photos, tiled):
    before = (tiled / "manifest.csv").read_bytes()
    with pytest.raises(TrainingError, match="holds tiles already"):
        tiles.make(photos, tiled, train=5, val=5)
    assert (tiled / "manifest.csv").read_bytes() == before


@pytest.mark.parametrize("crop", [128, 48])
def test_batches_are_the_same_ahead_and_in_shares(crop, tiled):
    recipe, cpu = toy("cnn", crop=crop, brightness=0.2), torch.device("cpu")
    batches = Batches(recipe, tiled, cpu)
    plain = [batches(step) for step in (0, 1, 30)]
    assert plain[0][0].shape == plain[0][1].shape == (4, 3, crop, crop)
    for one, other in zip(plain, prefetch(batches, (0, 1, 30), 2), strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])
    for rank in (0, 1):
        share = Batches(recipe, tiled, cpu, rank, 2)(1)
        assert torch.equal(share[0], plain[1][0][rank::2])
        assert torch.equal(share[1], plain[1][1][rank::2])


def test_steps_that_are_drawn_together_are_what_they_are_one_by_one(tiled):
    batches = Batches(toy("cnn"), tiled, torch.device("cpu"))
    batches.together = 3
    both = batches._make(1)
    for step in (3, 4, 5):
        for one, other in zip(batches(step), batches._take(both, step), strict=True):
            assert len(one) == 4
            assert torch.equal(one, other)
    assert not torch.equal(batches(3)[1], batches(4)[1])


def test_blur_comes_from_beyond_a_border_that_is_cut_off(tiled):
    recipe = toy(
        "cnn",
        crop=96,
        border=16,
        mixture=Mixture(
            clear=0, study=0, gaussian=0, disk=1, motion=0, shake=0, linear=0, noisy=0, jpeg=0
        ),
    )
    batches = Batches(recipe, tiled, torch.device("cpu"))
    whole, cut = batches(4), batches(5)
    halves = Batches(replace(recipe, cut=0.5), tiled, torch.device("cpu"))
    assert [halves(step)[0].shape[-1] < 96 for step in range(4)] == [False, False, True, True]
    assert whole[0].shape[-2:] == whole[1].shape[-2:] == (96, 96)
    assert cut[0].shape[-2:] == cut[1].shape[-2:] == (64, 64)

    def slope(photos):
        """Of the blurred photos at the border, beside that inside: none where it is a mirror."""
        change = (photos[..., 1:] - photos[..., :-1]).abs().mean((0, 1, 2))
        return change[0] / change[8:-8].mean()

    assert slope(whole[0]) < 0.6 < slope(cut[0])


@pytest.mark.parametrize("name", ["cnn", "gan"])
def test_fit_writes_weights_curves_and_logs(name, tiled, tmp_path, blurred, capsys):
    weights = fit(toy(name), name, tiled, tmp_path)
    restored = load(name, weights).restore(blurred)
    assert restored.shape == blurred.shape
    rows = list(csv.DictReader((tmp_path / name / "history.csv").open()))
    assert [int(r["images"]) for r in rows] == [8, 16, 24]
    assert ("discriminator_loss" in rows[0]) is (name == "gan")
    assert "TFLOP/s" in capsys.readouterr().out
    assert list((tmp_path / name / "tensorboard").glob("events*"))
    for picture in ("curves.png", "figure.png"):
        with Image.open(tmp_path / name / picture) as opened:
            assert min(opened.size) > 200


def test_fit_learns(tiled, tmp_path):
    recipe = toy("study-cnn", images=600, batch=8, validate_every=300, lr=5e-4)
    fit(recipe, "study-cnn", tiled, tmp_path)
    rows = list(csv.DictReader((tmp_path / "study-cnn" / "history.csv").open()))
    assert float(rows[-1]["val_study_psnr"]) > float(rows[0]["val_study_psnr"]) + 0.15


def test_what_is_kept_of_the_start_is_mixed_into_what_is_published(tiled, tmp_path):
    """What is trained stays the same, so that the mixture lies on the line between the two."""
    runs = {}
    for kept in (0.0, 0.5):
        recipe = toy("cnn", start="cnn", lr=1e-3, kept=kept, images=8)
        weights = fit(recipe, "cnn", tiled, tmp_path / str(kept))
        runs[kept] = load_model("cnn", weights).state_dict()
    for name, started in load_model("cnn").state_dict().items():
        middle = (runs[0.0][name] + started) / 2
        assert torch.allclose(runs[0.5][name], middle, atol=2e-3 * middle.abs().max().item())
        assert not torch.equal(runs[0.5][name], started)


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
        f"python -m train fit {name}\n"
        in importlib.import_module(f"train.recipes.{name.replace('-', '_')}").__doc__
    )
    assert recipe.images > 0


def test_operations_are_those_of_the_network():
    # 6.03 GFLOP forward (torch's own count of this U-Net) and twice that backward, less the first
    # layer's gradient for the photo.
    assert flops_per_image(recipes.find("unet-512")) == pytest.approx(3 * 6.03e9, rel=0.01)
    assert matrix_rate(torch.device("cpu"), torch.float32, seconds=0.01) > 1e8
