"""Weights: the round trip, and every way in which they can be wrong."""

import hashlib
import json
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from restore import MODELS, Restorer, load
from restore.metrics import psnr
from restore.weights import BUNDLED, WeightsError, load_model, read_config, save_model

names = pytest.mark.parametrize("name", MODELS)


@pytest.fixture
def folder(tmp_path):
    """A copy of the smallest bundled weights, to spoil."""
    shutil.copytree(BUNDLED / "cnn", tmp_path / "cnn")
    return tmp_path


@names
def test_bundled_weights_are_fp16_and_described(name):
    tensors = load_file(BUNDLED / name / "model.safetensors")
    assert {t.dtype for t in tensors.values() if t.is_floating_point()} == {torch.float16}
    config = read_config(BUNDLED / name)
    assert config["bytes"] == (BUNDLED / name / "model.safetensors").stat().st_size
    assert config["model"] == name


@names
def test_round_trip(name, tmp_path):
    model = load_model(name)
    save_model(model, name, tmp_path)
    again = load_model(name, tmp_path).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in model.state_dict().items())


def test_rounding_to_fp16_costs_less_than_a_hundredth_of_a_decibel(tmp_path, clear, blurred):
    model = load_model("gan")
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data *= 1 + 2e-4 * (torch.rand(parameter.shape, generator=generator) - 0.5)
    save_model(model, "gan", tmp_path)
    rounded = load("gan", tmp_path, "cpu").restore(blurred)
    exact = Restorer("gan", model, torch.device("cpu")).restore(blurred)
    assert psnr(rounded, clear) == pytest.approx(psnr(exact, clear), abs=0.01)


def test_any_folder(folder, blurred):
    assert np.array_equal(load("cnn", folder).restore(blurred), load("cnn").restore(blurred))


def test_flipped_bit(folder):
    path = folder / "cnn" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="is damaged"):
        load("cnn", folder)


def test_half_a_file(folder):
    path = folder / "cnn" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="is damaged"):
        load("cnn", folder)


def test_missing_file(folder):
    (folder / "cnn" / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        load("cnn", folder)
    with pytest.raises(WeightsError, match="There are no weights of gan"):
        load("gan", folder)


def rewrite(folder, change):
    """Change the tensors and make the config fit, as a careless publisher would."""
    path = folder / "cnn" / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    config = json.loads((folder / "cnn" / "config.json").read_text())
    config["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    config["bytes"] = path.stat().st_size
    (folder / "cnn" / "config.json").write_text(json.dumps(config))


def test_not_a_number(folder):
    rewrite(folder, lambda tensors: tensors["layers.0.bias"].fill_(float("nan")))
    with pytest.raises(WeightsError, match=r"not numbers, in layers\.0\.bias"):
        load("cnn", folder)


def test_wrong_shape(folder):
    rewrite(folder, lambda tensors: tensors.update({"layers.0.bias": torch.zeros(3)}))
    with pytest.raises(WeightsError, match="do not fit cnn"):
        load("cnn", folder)


def test_unknown_tensor(folder):
    rewrite(folder, lambda tensors: tensors.update(more=torch.zeros(3)))
    with pytest.raises(WeightsError, match="do not fit cnn"):
        load("cnn", folder)


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_broken_config(folder, text):
    (folder / "cnn" / "config.json").write_text(text)
    with pytest.raises(WeightsError, match="cannot be read"):
        load("cnn", folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "resnet"}, "architecture 'resnet', which is not known"),
        ({"model": ["cnn"]}, "which is not known"),
        ({"dtype": "float8"}, "the type 'float8'; weights are float16 or float32"),
        ({"dtype": "float32"}, "promises torch.float32"),
        ({"bytes": "many"}, "does not state `bytes` and `sha256`"),
        ({"bytes": 5}, "is damaged"),
        ({"sha256": None}, "does not state `bytes` and `sha256`"),
    ],
)
def test_a_config_that_cannot_be_right(folder, change, sentence):
    path = folder / "cnn" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(WeightsError, match=re.escape(sentence) + r".*\.$"):
        load("cnn", folder)


def test_oversized_files_are_not_read(folder):
    with (folder / "cnn" / "model.safetensors").open("r+b") as file:
        file.truncate(5_000_000_000)
    with pytest.raises(WeightsError, match="is too large for cnn"):
        load("cnn", folder)
    (folder / "cnn" / "config.json").write_text(" " * 200_000)
    with pytest.raises(WeightsError, match="it is far too large"):
        load("cnn", folder)


def test_weights_of_another_model(folder):
    (folder / "cnn").rename(folder / "gan")
    with pytest.raises(WeightsError, match="'cnn', not of 'gan'"):
        load("gan", folder)


@pytest.mark.parametrize("weights", ["/nowhere/at/all", "nowhere", "../nowhere"])
def test_neither_folder_nor_repo(weights):
    with pytest.raises(WeightsError, match="Name a folder or a Hub repo"):
        load("cnn", weights)


def test_unknown_model():
    with pytest.raises(WeightsError, match="Choose one of: unet-512"):
        load("resnet")
