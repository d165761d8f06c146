"""From a folder or a Hub repo to verified tensors; safetensors only.

Either has the shape of weights/: per model a folder with `config.json` and `model.safetensors`.
The config carries size and SHA-256 of the tensors' file, and both are checked before use.
"""

import hashlib
import json
import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse
from safetensors.torch import save_file
from torch import Tensor, nn

from . import hub
from .models import NETWORKS, count_parameters

BUNDLED = Path(__file__).resolve().parent.parent / "weights"
DTYPES = {"float16": torch.float16, "float32": torch.float32}
LARGEST_CONFIG = 100_000
LARGEST_HEADER = 1_000_000
"""Bytes that config.json, and all but the numbers in model.safetensors, may need."""


class WeightsError(Exception):
    """The weights cannot be used; the message is one sentence that says why and what to do."""


class DamagedError(WeightsError):
    """The files are not what they were when they were written; another copy may be."""


def build(name: str) -> nn.Module:
    """The network of that name with fresh weights. Raises WeightsError for an unknown name."""
    if name not in NETWORKS:
        raise WeightsError(f"There is no model {name!r}. Choose one of: {', '.join(NETWORKS)}.")
    return NETWORKS[name]()


def load_model(name: str, weights: str | os.PathLike | None = None) -> nn.Module:
    """The network of that name with its trained weights, fp32, in evaluation mode.

    `weights` is None (the bundled folder), a folder, or "org/repo" or "org/repo@revision" on the
    Hugging Face Hub; damaged files of the Hub's cache are fetched once more. Raises WeightsError.
    """
    model = build(name)
    expected = model.state_dict()
    try:
        tensors = _read(name, locate(name, weights), expected)
    except DamagedError:
        if is_local(weights):
            raise
        tensors = _read(name, locate(name, weights, again=True), expected)
    model.load_state_dict({key: tensors[key].to(expected[key].dtype) for key in expected})
    return model.eval()


def is_local(weights: str | os.PathLike | None) -> bool:
    """Whether they lie in a folder, rather than on the Hub."""
    return Path(weights or BUNDLED).is_dir()


def locate(name: str, weights: str | os.PathLike | None = None, again: bool = False) -> Path:
    """The local folder with the files of one model, from the Hub if need be.

    `again` fetches anew what is in the Hub's cache already. Raises WeightsError.
    """
    source = str(weights or BUNDLED)
    if is_local(source):
        return Path(source) / name
    repo, _, revision = source.partition("@")
    if repo.count("/") != 1 or repo.startswith(("/", ".", "~")):
        raise WeightsError(
            f"There are no weights at {source}. Name a folder or a Hub repo such as org/repo."
        )
    try:
        return hub.fetch(repo, revision or "main", name, again)
    except hub.HubError as error:
        raise WeightsError(
            f"The weights of {name} could not be fetched from {repo}: {error}."
        ) from None


def read_config(folder: Path) -> dict:
    """The validated config.json of one model's folder. Raises WeightsError."""
    path = folder / "config.json"
    if not path.exists():
        raise WeightsError(f"There are no weights of {folder.name} in {folder.parent}.")
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise ValueError("it is far too large")
        config = json.loads(path.read_text())
        if not isinstance(config, dict):
            raise ValueError("it is not a JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedError(f"{path} cannot be read ({error}).") from None
    if config.get("model") not in list(NETWORKS):
        raise WeightsError(
            f"{path} names the architecture {str(config.get('model'))[:40]!r}, which is not known "
            f"here; known are {', '.join(NETWORKS)}."
        )
    if config.get("dtype") not in list(DTYPES):
        raise WeightsError(
            f"{path} names the type {str(config.get('dtype'))[:40]!r}; weights are "
            f"{' or '.join(DTYPES)}."
        )
    if type(config.get("bytes")) is not int or not re.fullmatch(
        "[0-9a-f]{64}", str(config.get("sha256"))
    ):
        raise WeightsError(f"{path} does not state `bytes` and `sha256` of model.safetensors.")
    return config


def _read(name: str, folder: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The verified tensors of a model's folder: those expected, of their shapes, all finite."""
    config = read_config(folder)
    if config["model"] != name:
        raise WeightsError(f"{folder} holds weights of {config['model']!r}, not of {name!r}.")
    path = folder / "model.safetensors"
    largest = 4 * sum(tensor.numel() for tensor in expected.values()) + LARGEST_HEADER
    try:
        size = path.stat().st_size
        if size > largest:
            raise WeightsError(
                f"{path} is too large for {name}: {size:,} bytes, where {largest:,} suffice."
            )
        data = path.read_bytes()
    except OSError as error:
        raise DamagedError(f"{path} cannot be read ({error.strerror}).") from None
    if len(data) != config["bytes"] or hashlib.sha256(data).hexdigest() != config["sha256"]:
        raise DamagedError(
            f"{path} is damaged: its size or SHA-256 is not the one in config.json. Delete it and "
            "fetch it again."
        )
    try:
        tensors = parse(data)
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a safetensors file ({error}).") from None
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
    for key, tensor in tensors.items():
        wanted = DTYPES[config["dtype"]] if expected[key].is_floating_point() else torch.int64
        if tensor.dtype != wanted:
            raise WeightsError(
                f"{path} holds {key} as {tensor.dtype}, where config.json promises {wanted}."
            )
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{path} holds values that are not numbers, in {key}.")
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
    described = folder / "config.json.part"
    described.write_text(json.dumps(config, indent=2) + "\n")
    # Both are whole on the disk before either takes its name: a full disk spoils neither.
    partial.replace(folder / "model.safetensors")
    described.replace(folder / "config.json")
    return folder
