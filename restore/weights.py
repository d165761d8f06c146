"""From a folder or a Hub repo to verified tensors; safetensors only.

Either has the shape of weights/: per model a folder with `config.json` and `model.safetensors`.
The config carries size and SHA-256 of the tensors' file, and both are checked before use.
"""

import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save_file
from torch import Tensor, nn

from .models import MODELS, count_parameters

BUNDLED = Path(__file__).resolve().parent.parent / "weights"


class WeightsError(Exception):
    """The weights cannot be used; the message is one sentence that says why and what to do."""


def build(name: str) -> nn.Module:
    """The network of that name with fresh weights. Raises WeightsError for an unknown name."""
    if name not in MODELS:
        raise WeightsError(f"There is no model {name!r}. Choose one of: {', '.join(MODELS)}.")
    return MODELS[name].build()


def load_model(name: str, weights: str | os.PathLike | None = None) -> nn.Module:
    """The network of that name with its trained weights, fp32, in evaluation mode.

    `weights` is None (the bundled folder), a folder, or "org/repo" or "org/repo@revision" on the
    Hugging Face Hub. Raises WeightsError.
    """
    model = build(name)
    tensors = _read(name, locate(name, weights))
    expected = model.state_dict()
    wrong = sorted(
        key
        for key in expected.keys() | tensors.keys()
        if key not in expected or key not in tensors or expected[key].shape != tensors[key].shape
    )
    if wrong:
        raise WeightsError(
            f"The weights do not fit {name}: {len(wrong)} tensors are missing, unknown or of "
            f"another shape, {wrong[0]} among them."
        )
    model.load_state_dict({key: tensors[key].to(expected[key].dtype) for key in expected})
    return model.eval()


def locate(name: str, weights: str | os.PathLike | None = None) -> Path:
    """The local folder with the files of one model, fetched from the Hub if need be."""
    source = str(weights or BUNDLED)
    folder = Path(source)
    if folder.is_dir():
        return folder / name
    repo, _, revision = source.partition("@")
    if repo.count("/") != 1 or repo.startswith(("/", ".", "~")):
        raise WeightsError(
            f"There are no weights at {source}. Name a folder or a Hub repo such as org/repo."
        )
    return _download(repo, revision or None, name) / name


def _download(repo: str, revision: str | None, name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    fetch = {"revision": revision, "allow_patterns": [f"{name}/*.json", f"{name}/*.safetensors"]}
    try:
        return Path(snapshot_download(repo, **fetch))
    except LocalEntryNotFoundError:
        reason = "the Hub is out of reach and the weights are not in the cache yet"
    except RevisionNotFoundError:
        reason = f"the repo has no revision {revision}"
    except RepositoryNotFoundError:
        reason = "there is no such repo, or it is private and no token is set"
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
    raise WeightsError(f"The weights of {name} could not be fetched from {repo}: {reason}.")


def read_config(folder: Path) -> dict:
    """The validated config.json of one model's folder. Raises WeightsError."""
    path = folder / "config.json"
    if not path.exists():
        raise WeightsError(f"There are no weights of {folder.name} in {folder.parent}.")
    try:
        config = json.loads(path.read_text())
        if not isinstance(config, dict):
            raise ValueError("it is not a JSON object")
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}).") from None
    return config


def _read(name: str, folder: Path) -> dict[str, Tensor]:
    config = read_config(folder)
    if config.get("model") != name:
        raise WeightsError(f"{folder} holds weights of {config.get('model')!r}, not of {name!r}.")
    path = folder / "model.safetensors"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}).") from None
    if hashlib.sha256(data).hexdigest() != config.get("sha256"):
        raise WeightsError(
            f"{path} is damaged: its SHA-256 is not the one in config.json. Delete it and fetch "
            "it again."
        )
    try:
        tensors = parse(data)
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file ({error}).") from None
    broken = [key for key, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise WeightsError(f"{path} holds values that are not numbers, in {broken[0]}.")
    return tensors


PUBLISHED: dict[str, tuple[float, float | None]] = {
    "cnn": (24.84, None),
    "unet-512": (30.85, 0.9229),
    "unet-1024": (30.90, 0.9261),
}
"""What the study states for its own networks, on photos of its own: PSNR in dB, and SSIM."""


def measured(name: str, weights: str | os.PathLike | None = None) -> dict[str, dict]:
    """Suite -> what `python -m train evaluate` measured there: psnr, ssim, input_psnr, input_ssim.

    Empty where metrics.json is missing, cannot be read, or was measured on other weights. Raises
    WeightsError where the weights themselves are missing.
    """
    folder = locate(name, weights)
    sha256 = read_config(folder).get("sha256")
    try:
        metrics = json.loads((folder / "metrics.json").read_text())
        return dict(metrics["suites"]) if metrics["sha256"] == sha256 else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def save_model(model: nn.Module, name: str, weights: Path, **facts: object) -> Path:
    """Write a model's folder below `weights`, tensors as fp16; `facts` go into the config."""
    folder = weights / name
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        key: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for key, value in model.state_dict().items()
    }
    partial = folder / "model.safetensors.part"
    save_file(tensors, partial, metadata={"format": "pt"})
    data = partial.read_bytes()
    config = {
        "model": name,
        "parameters": count_parameters(model),
        "dtype": "float16",
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **facts,
    }
    partial.chmod(0o644)  # safetensors writes for the owner only
    partial.replace(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return folder
