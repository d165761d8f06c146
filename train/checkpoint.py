"""Checkpoints: written whole or not at all, and the one before is kept."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from tqdm import tqdm

from . import TrainingError

LAST, PREVIOUS = "checkpoint.pt", "checkpoint-previous.pt"


def exists(folder: Path) -> bool:
    """Whether a run has left a checkpoint here, whole or not."""
    return any((folder / name).exists() for name in (LAST, PREVIOUS))


def save(folder: Path, state: dict) -> None:
    """Write atomically, a SHA-256 in front, and keep the one before. Raises OSError."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getbuffer()
    partial = folder / "checkpoint.part"
    with partial.open("wb") as file:
        file.write(hashlib.sha256(data).digest())
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    last = folder / LAST
    if last.exists():
        last.replace(folder / PREVIOUS)
    partial.replace(last)
    if os.name == "posix":  # the names too must be on the disk before the power may fail
        entry = os.open(folder, os.O_RDONLY)
        os.fsync(entry)
        os.close(entry)


def load(folder: Path, device: torch.device | str = "cpu") -> dict | None:
    """The newest checkpoint that is whole, or None. Raises TrainingError."""
    for path in (folder / LAST, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TrainingError(f"{path} cannot be read ({error.strerror}).") from None
        if hashlib.sha256(data[32:]).digest() == data[:32]:
            return torch.load(io.BytesIO(data[32:]), map_location=device, weights_only=True)
        tqdm.write(f"{path} is damaged; the checkpoint before it is taken, if there is one.")
    return None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What cannot be written below `folder` becomes a TrainingError; what was half written goes."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        for partial in folder.rglob("*.part"):
            with suppress(OSError):
                partial.unlink()
        raise TrainingError(
            f"{folder} cannot be written ({getattr(error, 'strerror', None) or error}). Make room; "
            "the last checkpoint is whole, and the same command with --resume goes on from it."
        ) from None
