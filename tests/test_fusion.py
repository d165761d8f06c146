"""What joins deconvolutions with a model's result: its network, its samples, its training."""

import shutil

import numpy as np
import pytest
import torch
from conftest import EXAMPLES
from toy import toy

from restore.metrics import psnr
from restore.models import NETWORKS
from restore.models.fusion import ERRORS, PHOTOS, Fusion, joined, weights
from restore.weights import load_model
from train import TrainingError, fusion
from train.fit import fit

PLANES = 3 * (PHOTOS + ERRORS)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Two to train on, of two photos, and one to validate with."""
    photos, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("samples")
    for split, names in (("train", ("boats", "car")), ("val", ("dog",))):
        (photos / split).mkdir()
        for name in names:
            shutil.copy(EXAMPLES / f"{name}.jpg", photos / split)
    return photos, fusion.make(photos, out, train=2, val=1)


def test_a_fresh_fusion_is_the_mean_of_all_photos():
    x = torch.rand(2, PLANES, 32, 48)
    mean = x[:, : 3 * PHOTOS].unflatten(1, (PHOTOS, 3)).mean(1)
    assert torch.allclose(Fusion().eval()(x), mean, atol=1e-5)


def test_one_photo_alone_can_be_chosen():
    x, output = torch.rand(1, PLANES, 8, 8), torch.zeros(1, PHOTOS + 3, 8, 8)
    output[:, 1] = 50
    assert torch.allclose(joined(x, output), x[:, 3:6], atol=1e-5)
    assert torch.allclose(weights(output).sum(1), torch.ones(1, 8, 8))


def test_it_has_weights_like_a_model():
    assert load_model("fusion").state_dict().keys() == NETWORKS["fusion"]().state_dict().keys()


def test_samples_are_what_the_fusion_sees_and_the_clear_photo(samples):
    _, folder = samples
    for index in range(2):
        planes = np.load(folder / "train" / f"{index:05}.npy")
        assert planes.dtype == np.uint8
        assert planes.shape[0] == PLANES + 3
        assert min(planes.shape[1:]) >= fusion.SMALLEST
        photo, model, clear = (np.moveaxis(planes[i : i + 3], 0, -1) for i in (0, 3, PLANES))
        assert 10 < psnr(photo, clear) < 60
        assert psnr(model, clear) > psnr(photo, clear) - 1
        assert abs(float(planes[15:PLANES].mean()) - 127.5) < 8


def test_samples_are_the_same_in_every_run_and_not_made_twice(samples, tmp_path):
    photos, folder = samples
    again = fusion.make(photos, tmp_path, train=1, val=1)
    one = "train/00000.npy"
    assert np.array_equal(np.load(again / one), np.load(folder / one))
    before = (again / one).stat().st_mtime_ns
    fusion.make(photos, tmp_path, train=1, val=1)
    assert (again / one).stat().st_mtime_ns == before


def test_it_is_trained_on_samples_and_goes_on_after_a_stop(samples, tmp_path):
    _, folder = samples
    recipe = toy("fusion")
    whole = load_model("fusion", fit(recipe, "fusion", folder, tmp_path / "whole"))
    fit(recipe, "fusion", folder, tmp_path / "parts", minutes=0)
    parts = load_model("fusion", fit(recipe, "fusion", folder, tmp_path / "parts", resume=True))
    assert "val_study_psnr" not in (tmp_path / "whole" / "fusion" / "history.csv").read_text()
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_what_cannot_be_made_or_trained_on_gets_a_sentence(samples, tmp_path):
    photos, folder = samples
    with pytest.raises(TrainingError, match="at least one sample"):
        fusion.make(photos, tmp_path, train=0, val=1)
    with pytest.raises(TrainingError, match="There are no samples in"):
        fit(toy("fusion"), "fusion", tmp_path, tmp_path)
    for split in ("train", "val"):
        (tmp_path / "small" / split).mkdir(parents=True)
    shutil.copy(EXAMPLES / "cat-study.png", tmp_path / "small" / "train")
    with pytest.raises(TrainingError, match="Add larger ones"):
        fusion.make(tmp_path / "small", tmp_path, train=1, val=1)
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "train" / "00000.npy").write_bytes(b"no array")
    with pytest.raises(TrainingError, match="make them again"):
        fit(toy("fusion"), "fusion", broken, tmp_path)
