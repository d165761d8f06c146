"""Weights from a Hub repo, through the real client and a server on loopback that speaks its API."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest
import torch
from hub_server import COMMIT, TOKEN, HubServer
from huggingface_hub import constants
from running import free_port
from safetensors.torch import load as parse
from safetensors.torch import save

from restore import hub
from restore.weights import BUNDLED, WeightsError, load_model

FILES = {
    f"cnn/{name}": (BUNDLED / "cnn" / name).read_bytes()
    for name in ("config.json", "model.safetensors", "metrics.json")
}
PINNED = f"org/repo@{COMMIT}"


@pytest.fixture
def use(tmp_path, monkeypatch):
    """Lets the client ask the Hub at an address; its cache is empty, and its patience short."""
    cache = str(tmp_path / "cache")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", cache)
    monkeypatch.setattr(hub, "DEADLINE", 20)
    monkeypatch.setattr(hub, "ANSWER", 3)
    for key, value in {
        "HF_HUB_CACHE": cache,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "2",
    }.items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return partial(monkeypatch.setenv, "HF_ENDPOINT")


@pytest.fixture
def server(use):
    """A Hub with weights of cnn in org/repo, which can fail in many ways."""
    server = HubServer()
    server.repos["models/org/repo"] = dict(FILES)
    use(server.url)
    yield server
    server.fault = None
    server.shutdown()


@pytest.fixture
def olah(use, tmp_path) -> Iterator[tuple[subprocess.Popen, str]]:
    """A Hub of another make, with the same weights in a git repo, and the commit they are at."""
    command = os.environ.get("OLAH") or shutil.which("olah-cli")
    if not command:
        pytest.skip("no olah: python3 -m venv olah && olah/bin/pip install olah, into its own venv")
    repo, port = tmp_path / "mirrors" / "models" / "org" / "repo", free_port()
    for name, data in FILES.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_bytes(data)
    git = ("git", "-C", repo, "-c", "user.name=a", "-c", "user.email=a@b")
    for step in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "Weights")):
        subprocess.run([*git, *step], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    config = tmp_path / "olah.toml"
    config.write_text(
        f'[basic]\nhost = "127.0.0.1"\nport = {port}\nrepos-path = "{tmp_path / "repos"}"\n'
        f'mirrors-path = ["{tmp_path / "mirrors"}"]\n[accessibility]\noffline = true\n'
    )
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [command, "-c", config], cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT
        )
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
    use(url)
    while True:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < until
        try:
            httpx.get(f"{url}/api/models/org/repo/revision/main")
            break
        except httpx.TransportError:
            time.sleep(0.2)
    yield process, head.stdout.strip()
    process.kill()
    process.wait()


def same_as_bundled(model) -> bool:
    bundled = load_model("cnn").state_dict()
    return all(torch.equal(value, bundled[key]) for key, value in model.state_dict().items())


def reason(weights: str = PINNED) -> str:
    with pytest.raises(WeightsError, match="could not be fetched from org/") as caught:
        load_model("cnn", weights)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_pinned_weights_come_once_and_then_without_network(server, capfd):
    assert same_as_bundled(load_model("cnn", PINNED))
    assert "100%" in capfd.readouterr().err, "progress"
    asked = len(server.calls)
    server.shutdown()
    server.server_close()
    assert same_as_bundled(load_model("cnn", PINNED))
    assert len(server.calls) == asked


def test_a_branch_is_looked_up_and_its_cached_commit_serves_when_the_hub_is_down(server, caplog):
    assert same_as_bundled(load_model("cnn", "org/repo"))
    server.fault = "down"
    with caplog.at_level(logging.WARNING, "restore"):
        assert same_as_bundled(load_model("cnn", "org/repo"))
    assert "comes from the cache" in caplog.text


def test_offline_mode_asks_nobody(server, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in reason()
    assert not server.calls
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    load_model("cnn", "org/repo@main")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert same_as_bundled(load_model("cnn", "org/repo@main"))


@pytest.mark.parametrize("fault", ["down", "hang", "half", "slow"])
def test_a_hub_that_fails_costs_a_sentence_within_the_deadline(fault, server, monkeypatch):
    monkeypatch.setattr(hub, "DEADLINE", 4)
    server.fault = fault
    assert reason().endswith(".")
    server.fault = None
    assert same_as_bundled(load_model("cnn", PINNED)), "and nothing broken stays behind"


def test_what_the_hub_does_not_have(server):
    assert "no such repo, or it is private" in reason("org/other")
    assert "no revision nowhere" in reason("org/repo@nowhere")
    with pytest.raises(WeightsError, match=r"holds no gan/config\.json"):
        load_model("gan", PINNED)


def test_a_private_repo_needs_a_token(server, monkeypatch):
    server.private.add("models/org/repo")
    assert "private and no token" in reason()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert same_as_bundled(load_model("cnn", PINNED))


def test_a_damaged_cache_repairs_itself(server):
    folder = hub.fetch("org/repo", COMMIT, "cnn")
    for name, spoil in {
        "model.safetensors": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        "config.json": lambda data: data[:20],
    }.items():
        path = (folder / name).resolve()
        path.write_bytes(spoil(path.read_bytes()))
        assert same_as_bundled(load_model("cnn", PINNED))


def test_a_repo_whose_file_has_another_hash_is_refused_after_a_second_try(server):
    data = bytearray(FILES["cnn/model.safetensors"])
    data[-1] ^= 1
    server.repos["models/org/repo"]["cnn/model.safetensors"] = bytes(data)
    with pytest.raises(WeightsError, match="is damaged"):
        load_model("cnn", PINNED)
    fetched = [
        path for command, path in server.calls if (command, path[-11:]) == ("GET", "safetensors")
    ]
    assert len(fetched) == 2


def test_a_far_too_large_file_is_not_even_downloaded(server, monkeypatch):
    monkeypatch.setattr(hub, "LARGEST", 100_000)
    assert "far too large" in reason()
    assert not any("resolve" in path for _, path in server.calls)


def test_not_a_number_from_the_hub(server):
    tensors = parse(FILES["cnn/model.safetensors"])
    tensors["layers.0.bias"][0] = float("nan")
    data = save(tensors)
    config = json.loads(FILES["cnn/config.json"])
    config |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    server.repos["models/org/repo"] |= {
        "cnn/model.safetensors": data,
        "cnn/config.json": json.dumps(config).encode(),
    }
    with pytest.raises(WeightsError, match=r"not numbers, in layers\.0\.bias"):
        load_model("cnn", PINNED)


def test_a_hub_of_another_make_serves_from_git(olah, tmp_path, caplog):
    process, commit = olah
    assert same_as_bundled(load_model("cnn", "org/repo"))
    path = next((tmp_path / "cache").glob(f"**/{commit}/cnn/model.safetensors")).resolve()
    path.write_bytes(path.read_bytes()[:-9])
    assert same_as_bundled(load_model("cnn", f"org/repo@{commit}")), "damaged, and repaired"
    assert "could not be fetched" in reason("org/repo@nowhere")
    assert "could not be fetched" in reason("org/other")
    process.kill()
    process.wait()
    assert same_as_bundled(load_model("cnn", f"org/repo@{commit}"))
    with caplog.at_level(logging.WARNING, "restore"):
        assert same_as_bundled(load_model("cnn", "org/repo"))
    assert "comes from the cache" in caplog.text
