"""The training loop, on Hugging Face Accelerate.

All that is random in a step is drawn from a generator seeded by the step's number, so a run that
was killed goes on exactly as if it had not been.
"""

import csv
import hashlib
import io
import math
import os
import time
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from restore.metrics import psnr, ssim
from restore.models import MODELS
from restore.restorer import choose_precision
from restore.weights import load_model, save_model

from .gan import Adversarial
from .mixture import Mixture
from .recipes import Recipe
from .widen import widen_unet

VALIDATED = 256
"""Validation tiles, half with the study's blur and half with the recipe's mixture."""


def fit(
    recipe: Recipe,
    name: str,
    tiles: Path,
    out: Path,
    resume: bool = False,
    minutes: float = math.inf,
) -> Path:
    """Run `recipe` on the folder `tiles`; returns the folder with the weights.

    `out`/`name` receives two checkpoints by turns, history.csv and weights/. With `resume`, it goes
    on from the last checkpoint that is whole; after `minutes` it stops at the next one.
    """
    precision = choose_precision(PartialState().device)
    accelerator = Accelerator(mixed_precision="bf16" if precision == torch.bfloat16 else "no")
    device, folder = accelerator.device, out / name
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)

    model = _start(recipe).to(device, memory_format=torch.channels_last)
    objective = Adversarial(recipe, device) if recipe.adversarial else L1()
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=1e-4, fused=True)
    steps = recipe.images // recipe.batch
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            min(step / max(recipe.warmup, 1), 1) * (1 + math.cos(math.pi * step / steps)) / 2
        ),
    )
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
    validation = _freeze_validation(recipe, tiles)
    store = np.load(tiles / "train.npy", mmap_mode="r")
    parts = {"model": model, "ema": ema, "optimizer": optimizer, "schedule": schedule}
    if recipe.adversarial:
        parts["objective"] = objective
    saved = _load_checkpoint(folder) if resume else None
    history: list[dict] = []
    if saved:
        for key, part in parts.items():
            part.load_state_dict(saved[key])
        history = saved["history"]
    first = len(history) and history[-1]["step"]
    model, optimizer = accelerator.prepare(model, optimizer)

    began, window = time.monotonic(), time.monotonic()
    every = recipe.validate_every // recipe.batch
    sums: dict[str, float] = {}
    progress = tqdm(
        range(first, steps),
        desc=name,
        initial=first,
        total=steps,
        unit_scale=recipe.batch,
        unit="image",
    )
    for step in progress:
        share = (recipe.seed * steps + step) * accelerator.num_processes + accelerator.process_index
        generator = torch.Generator(device).manual_seed(share)
        clear = _batch(store, recipe, step, accelerator).to(device).float() / 255
        distorted = recipe.mixture(clear, generator).contiguous(memory_format=torch.channels_last)
        model.train()
        with accelerator.autocast():
            restored = model(distorted)
        loss, logs = objective(distorted, restored.float(), clear)
        optimizer.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        schedule.step()
        if step >= recipe.warmup:
            ema.update_parameters(accelerator.unwrap_model(model))
        for key, value in logs.items():
            sums[key] = sums.get(key, 0.0) + value

        done = step + 1
        if done % every and done < steps:
            continue
        since = done % every or every
        rate = since * recipe.batch / (time.monotonic() - window)
        scores = validate(ema.module, validation, accelerator)
        means = {key: value / since for key, value in sums.items()}
        history.append(
            {"step": done, "images": done * recipe.batch, "images_per_s": rate, **means, **scores}
        )
        if accelerator.is_main_process:
            _write_history(folder / "history.csv", history)
            best = max(history, key=lambda row: row["val_psnr"])
            if best is history[-1]:
                save_model(
                    ema.module,
                    recipe.model,
                    folder / "weights",
                    recipe=name,
                    images=done * recipe.batch,
                    start=recipe.start,
                )
            state = {key: part.state_dict() for key, part in parts.items()}
            _save_checkpoint(folder, {**state, "history": history})
        progress.set_postfix(
            psnr=f"{scores['val_psnr']:.2f}", study=f"{scores['val_study_psnr']:.2f}"
        )
        sums = {}
        if time.monotonic() - began > 60 * minutes:
            break
        window = time.monotonic()
    return folder / "weights"


class L1:
    """Mean absolute error, the study's loss."""

    def __call__(self, _: Tensor, restored: Tensor, clear: Tensor) -> tuple[Tensor, dict]:
        loss = (restored - clear).abs().mean()
        return loss, {"loss": loss.item()}


def _start(recipe: Recipe) -> nn.Module:
    if recipe.start is None:
        return MODELS[recipe.model].build()
    started = load_model(recipe.start)
    if recipe.start == recipe.model:
        return started
    return widen_unet(started, MODELS[recipe.model].build(), recipe.seed)


def _batch(store: np.ndarray, recipe: Recipe, step: int, accelerator: Accelerator) -> Tensor:
    """This process's tiles of a step, turned and mirrored at random: uint8 [B, 3, H, W]."""
    world, rank = accelerator.num_processes, accelerator.process_index
    batches = len(store) // recipe.batch
    epoch, position = divmod(step, batches)
    order = np.random.default_rng([recipe.seed, epoch]).permutation(len(store))
    chosen = order[position * recipe.batch : (position + 1) * recipe.batch][rank::world]
    turns = np.random.default_rng([recipe.seed, step, 1]).integers(0, 8, recipe.batch)[rank::world]
    tiles = [
        np.rot90(store[i][:, ::-1] if turn >= 4 else store[i], turn % 4)
        for i, turn in zip(chosen, turns, strict=True)
    ]
    return torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2)


def _freeze_validation(recipe: Recipe, tiles: Path) -> tuple[Tensor, Tensor]:
    """Distorted and clear validation tiles, uint8 [N, 3, H, W]: the same in every run."""
    store = np.load(tiles / "val.npy", mmap_mode="r")
    chosen = np.linspace(0, len(store) - 1, min(VALIDATED, len(store))).astype(int)
    clear = torch.from_numpy(store[chosen]).permute(0, 3, 1, 2)
    half = len(clear) // 2
    generator = torch.Generator().manual_seed(0)
    study = Mixture(clear=0, study=1, gaussian=0, disk=0, motion=0, shake=0, noisy=0, jpeg=0)
    parts = []
    for mixture, part in ((study, clear[:half]), (recipe.mixture, clear[half:])):
        for some in part.float().div(255).split(32):
            parts.append((mixture(some, generator) * 255).round().byte())
    return torch.cat(parts), clear


@torch.inference_mode()
def validate(model: nn.Module, tiles: tuple[Tensor, Tensor], accelerator: Accelerator) -> dict:
    """PSNR and SSIM of the model, over all validation tiles and over the study's half of them."""
    model.eval()
    losses, psnrs, ssims = [], [], []
    for distorted, clear in zip(*(part.split(32) for part in tiles), strict=True):
        x = (distorted.to(accelerator.device).float() / 255).contiguous(
            memory_format=torch.channels_last
        )
        with accelerator.autocast():
            restored = model(x).float().cpu()
        losses.append((restored - clear / 255).abs().mean().item())
        levels = (restored.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        for output, truth in zip(levels, clear.permute(0, 2, 3, 1).numpy(), strict=True):
            psnrs.append(min(psnr(output, truth), 60.0))
            ssims.append(ssim(output, truth))
    half = len(psnrs) // 2
    return {
        "val_loss": float(np.mean(losses)),
        "val_psnr": float(np.mean(psnrs)),
        "val_ssim": float(np.mean(ssims)),
        "val_study_psnr": float(np.mean(psnrs[:half])),
        "val_study_ssim": float(np.mean(ssims[:half])),
    }


def _write_history(path: Path, history: list[dict]) -> None:
    partial = path.with_suffix(".part")
    with partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[-1]))
        writer.writeheader()
        writer.writerows(history)
    partial.replace(path)


def _save_checkpoint(folder: Path, state: dict) -> None:
    """Write atomically, a SHA-256 in front, and keep the one before."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getbuffer()
    partial = folder / "checkpoint.part"
    with partial.open("wb") as file:
        file.write(hashlib.sha256(data).digest())
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    last = folder / "checkpoint.pt"
    if last.exists():
        last.replace(folder / "checkpoint-previous.pt")
    partial.replace(last)


def _load_checkpoint(folder: Path) -> dict | None:
    """The newest checkpoint that is whole, or None."""
    for path in (folder / "checkpoint.pt", folder / "checkpoint-previous.pt"):
        if not path.exists():
            continue
        data = path.read_bytes()
        if hashlib.sha256(data[32:]).digest() == data[:32]:
            return torch.load(io.BytesIO(data[32:]), weights_only=True)
        tqdm.write(f"{path} is damaged; the checkpoint before it is taken.")
    return None
