"""Publishing, through the real client to a Hub on loopback, and back again."""

import io
import json
import shutil

import pytest
import torch
from conftest import ROOT
from hub_server import TOKEN, HubServer
from huggingface_hub import ModelCard, constants
from PIL import Image
from typer.testing import CliRunner

from restore.weights import BUNDLED, load_model, measured
from train.__main__ import app


@pytest.fixture(scope="module")
def server():
    server = HubServer()
    yield server
    server.shutdown()


@pytest.fixture(autouse=True)
def hub(server, tmp_path, monkeypatch):
    """The empty Hub, and a client that knows it and holds a token that may write."""
    server.repos.clear()
    server.commits.clear()
    server.objects.clear()
    server.fault = None
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return server


@pytest.fixture
def weights(tmp_path):
    """The smallest weights with their figures and history, to publish and to spoil."""
    folder = tmp_path / "weights"
    shutil.copytree(BUNDLED / "cnn", folder / "cnn")
    for name in ("README.md", "examples.jpg"):
        shutil.copy(BUNDLED / name, folder)
    (folder / "cnn" / "checkpoint.pt").write_bytes(b"a pickle")
    return folder


def run(*arguments: object):
    return CliRunner().invoke(app, ["publish", *map(str, arguments)])


def change_psnr(weights, by: float) -> None:
    path = weights / "cnn" / "metrics.json"
    metrics = json.loads(path.read_text())
    metrics["suites"]["seed"]["psnr"] += by
    path.write_text(json.dumps(metrics))


def test_what_goes_up_is_what_load_takes_down(hub, weights, tmp_path):
    result = run("org/repo", "--weights", weights)
    assert result.exit_code == 0, result.output
    files = hub.repos["models/org/repo"]
    with Image.open(io.BytesIO(files["cnn/curves.png"])) as curves:
        assert curves.width > 1000, "loss, PSNR and SSIM side by side"
    for name in ("config.json", "model.safetensors", "metrics.json", "history.csv"):
        assert files[f"cnn/{name}"] == (weights / "cnn" / name).read_bytes()
    assert "cnn/checkpoint.pt" not in files, "no pickles"
    assert {"LICENSE", "examples/cat.jpg", "examples/cat-study.png"} <= files.keys()
    assert files["examples.jpg"] == (weights / "examples.jpg").read_bytes(), "the card shows it"
    fetched = tmp_path / "fetched"
    for name, data in files.items():
        (fetched / name).parent.mkdir(parents=True, exist_ok=True)
        (fetched / name).write_bytes(data)
    ours, theirs = load_model("cnn", weights).state_dict(), load_model("cnn", fetched).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_the_card_carries_metadata_and_measured_figures(hub, weights):
    run("org/repo", "--weights", weights)
    card = ModelCard(hub.repos["models/org/repo"]["README.md"].decode())
    assert card.data.license == "other"
    assert card.data.pipeline_tag == "image-to-image"
    assert card.data.metrics == ["psnr", "ssim"]
    assert card.data.datasets == ["ILSVRC/imagenet-1k"]
    sources = (ROOT / "train" / "sources.tsv").read_text()
    assert "\tEliSchwartz/imagenet-sample-images\t" in sources, "where photos of it come from"
    assert "# Model card" in card.text
    figures = json.loads((weights / "cnn" / "metrics.json").read_text())["suites"]["seed"]
    assert {result.metric_name: result.metric_value for result in card.data.eval_results} == {
        "PSNR (dB, RGB), cnn": round(figures["psnr"], 4),
        "SSIM, cnn": round(figures["ssim"], 4),
    }


def test_a_card_that_states_too_little_is_not_published(hub, weights):
    card = weights / "README.md"
    card.write_text(card.read_text().replace("datasets:\n  - ILSVRC/imagenet-1k\n", ""))
    result = run("org/repo", "--weights", weights)
    assert result.exit_code == 1
    assert "states no datasets" in result.output
    assert not hub.repos


def test_a_dry_run_sends_nothing(hub, weights):
    result = run("org/repo", "--weights", weights, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "cnn/model.safetensors" in result.output
    assert "files would go to org/repo." in result.output
    assert not hub.repos
    assert not hub.commits


def test_a_second_run_sends_only_what_changed(hub, weights):
    run("org/repo", "--weights", weights)
    assert "has all" in run("org/repo", "--weights", weights).output
    assert len(hub.commits) == 1
    change_psnr(weights, +0.5)
    result = run("org/repo", "--weights", weights)
    assert result.exit_code == 0, result.output
    assert hub.commits[1:] == [["README.md", "cnn/metrics.json"]]


def test_worse_weights_are_refused_unless_forced(hub, weights):
    run("org/repo", "--weights", weights)
    worse = measured("cnn", weights)["seed"]["psnr"] - 1
    change_psnr(weights, -1)
    result = run("org/repo", "--weights", weights)
    assert result.exit_code == 1
    assert f"cnn scores {worse:.2f} dB" in result.output
    assert "--force" in result.output
    assert len(hub.commits) == 1
    assert run("org/repo", "--weights", weights, "--force").exit_code == 0
    assert len(hub.commits) == 2


def test_figures_of_other_weights_are_no_figures(hub, weights):
    path = weights / "cnn" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    result = run("org/repo", "--weights", weights)
    assert result.exit_code == 1
    assert "python -m train evaluate cnn" in result.output
    assert not hub.commits


def test_damaged_weights_are_not_published(hub, weights):
    (weights / "cnn" / "model.safetensors").write_bytes(b"half")
    result = run("org/repo", "--weights", weights)
    assert result.exit_code == 1
    assert "is damaged" in result.output
    assert not hub.calls or not hub.commits


def test_the_app_goes_to_a_space(hub):
    result = run("org/app", "--space")
    assert result.exit_code == 0, result.output
    files = hub.repos["spaces/org/app"]
    assert {"README.md", "requirements.txt", "app.py", "restore/page/guard.py"} <= files.keys()
    assert (
        files["weights/cnn/model.safetensors"]
        == (ROOT / "weights" / "cnn" / "model.safetensors").read_bytes()
    )
    assert not any(name.startswith(("tests/", "train/", ".")) for name in files)
    assert not any("__pycache__" in name for name in files)
    assert "has all" in run("org/app", "--space").output
    assert len(hub.commits) == 1


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda hub, patch: patch.setenv("HF_TOKEN", "hf_unknown"), "Set HF_TOKEN to a token"),
        (lambda hub, patch: setattr(hub, "fault", "down"), "Try again later"),
        (
            lambda hub, patch: patch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9"),
            "out of reach",
        ),
    ],
)
def test_a_hub_that_refuses_gets_a_sentence(hub, weights, monkeypatch, spoil, sentence):
    spoil(hub, monkeypatch)
    result = run("org/repo", "--weights", weights)
    assert result.exit_code == 1
    assert sentence in result.output
    assert "Traceback" not in result.output
