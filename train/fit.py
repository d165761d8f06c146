"""The training loop, on Hugging Face Accelerate: one process or many, on CPUs or GPUs.

What is random in a step depends on the seed and the step's number alone (`batches`), so a run that
was killed goes on exactly as if it had not been, and many processes train as one would.
"""

import math
import shutil
import time
from copy import deepcopy
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from restore.engine import choose_device, choose_precision
from restore.weights import build, load_model, save_model

from . import TrainingError, checkpoint, fusion
from .batches import Batches
from .gan import Adversarial
from .log import Log
from .recipes import Recipe
from .synchronise import synchronise
from .throughput import flops_per_image, matrix_rate
from .validation import Pairs, freeze, restore, validate
from .widen import widen_unet

SHOWN = 4
"""Photos in the figure that is drawn after a run."""


def fit(
    recipe: Recipe,
    name: str,
    tiles: Path,
    out: Path,
    resume: bool = False,
    minutes: float = math.inf,
) -> Path:
    """Run `recipe` on the folder `tiles`; returns the folder with the best weights.

    For a recipe of the fusion, that folder holds samples instead.

    `out`/`name` receives two checkpoints by turns, history.csv, TensorBoard's logs, weights/, and
    at the end curves.png and figure.png. With `resume`, it goes on from the last checkpoint that is
    whole; after `minutes` it validates, writes a checkpoint and stops. Raises TrainingError and
    WeightsError.
    """
    # Without being told, Accelerate takes processes on CPUs for strangers.
    cpu = choose_device().type == "cpu"
    precision = choose_precision(PartialState(cpu).device)
    mixed = "bf16" if precision == torch.bfloat16 else "no"
    accelerator = Accelerator(mixed_precision=mixed, cpu=cpu)
    device, world, folder = accelerator.device, accelerator.num_processes, out / name
    if recipe.batch % world:
        raise TrainingError(
            f"A batch of {recipe.batch} cannot be shared by {world} processes evenly."
        )
    if recipe.model == "fusion":
        read, validation = fusion.Samples, fusion.freeze(tiles)
    else:
        read, validation = Batches, freeze(recipe.mixture, tiles)
    batches = read(recipe, tiles, device, accelerator.process_index, world)
    if recipe.border:  # what the run is to learn would lower its scores beside a mirror
        inside = slice(recipe.border, -recipe.border)
        cut = (part[..., inside, inside] for part in validation[:2])
        validation = Pairs(*cut, validation.study)
    torch.manual_seed(recipe.seed)
    torch.backends.cudnn.benchmark = True

    started = _start(recipe).to(device, memory_format=torch.channels_last)
    model = synchronise(deepcopy(started), world, device)
    objective = _objective(recipe, accelerator)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True
    )
    steps, every = recipe.images // recipe.batch, recipe.validate_every // recipe.batch
    schedule = _schedule(recipe, optimizer, steps)
    ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
    parts = {"model": model, "ema": ema, "optimizer": optimizer, "schedule": schedule}
    if recipe.adversarial:
        parts["objective"] = objective
    history = _resume(parts, folder, device, name) if resume else []
    with checkpoint.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        log = Log(folder, history, accelerator.is_main_process)
    model, optimizer = accelerator.prepare(model, optimizer)

    began = window = time.monotonic()
    trained = waited = 0.0
    sums: dict[str, Tensor] = {}
    first = log.step
    progress = tqdm(
        batches.ahead(range(first, steps)),
        desc=name,
        initial=first,
        total=steps,
        unit_scale=recipe.batch,
        unit="image",
        disable=not accelerator.is_main_process,
    )
    asked = time.monotonic()
    for done, (distorted, clear) in enumerate(progress, first + 1):
        if _has_converged(recipe, log, done - 1):
            tqdm.write(f"{name}: no better weights for {recipe.patience} validations, so it ends.")
            break
        waited += time.monotonic() - asked
        model.train()
        if recipe.frozen:
            _freeze(model)
        with accelerator.autocast():
            restored = model(distorted)
        loss, logs = objective(distorted, restored.float(), clear)
        optimizer.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        if recipe.schedule == "cosine":
            schedule.step()
        if done > recipe.warmup:
            ema.update_parameters(accelerator.unwrap_model(model))
        for key, value in logs.items():
            sums[key] = sums.get(key, 0) + value

        late = _any(time.monotonic() - began > 60 * minutes, minutes, accelerator)
        if done % every == 0 or done == steps or late:
            since = done - log.step
            means = _means(sums, since, accelerator)
            if not math.isfinite(means["loss"]):
                raise TrainingError(
                    f"After {done * recipe.batch:,} tiles the loss is not a number. Lower the "
                    f"recipe's lr or clip; what was good before is in {folder}."
                )
            spent = time.monotonic() - window
            trained += spent
            result = mix(ema.module, started, recipe.kept)
            scores = validate(result, validation, accelerator)
            if recipe.schedule == "plateau" and done % every == 0:
                schedule.step(scores["val_psnr"])
            rate = since * recipe.batch / spent
            row = {"step": done, "images": done * recipe.batch, "images_per_s": rate}
            row["lr"] = optimizer.param_groups[0]["lr"]
            with checkpoint.writing(folder):
                log.add(row | means | scores)
                if accelerator.is_main_process:
                    if log.best is log.history[-1]:
                        _publish(result, recipe, name, folder, row["images"])
                    state = {key: part.state_dict() for key, part in parts.items()}
                    checkpoint.save(folder, {**state, "history": log.history})
            shown = {"loss": means["loss"], "PSNR": scores["val_psnr"], "SSIM": scores["val_ssim"]}
            progress.set_postfix({key: f"{value:.4g}" for key, value in shown.items()})
            sums, window = {}, time.monotonic()
        if late:
            break
        asked = time.monotonic()
    progress.close()
    with checkpoint.writing(folder):
        log.close()
    if accelerator.is_main_process:
        if trained:
            images = (log.step - first) * recipe.batch
            print(_efficiency(recipe, images / trained, waited / trained, device, precision, world))
        with checkpoint.writing(folder):
            _draw(recipe, log, folder, validation, accelerator)
        print(f"weights: {folder / 'weights'}")
    return folder / "weights"


def leave() -> None:
    """Part from the other processes, after the last run; one that just ends may abort instead.

    https://github.com/pytorch/pytorch/issues/190489
    """
    PartialState().destroy_process_group()


class L1:
    """Mean absolute error, the study's loss, and `frequency` times that between the spectra.

    The second term is that of MIMO-UNet: Cho et al., 2021, https://arxiv.org/abs/2108.05054. With
    `charbonnier`, the first is sqrt(d^2 + charbonnier^2) instead of |d|: Charbonnier et al., 1994.
    """

    def __init__(self, frequency: float = 0.0, charbonnier: float = 0.0):
        self.frequency, self.charbonnier = frequency, charbonnier

    def __call__(self, _: Tensor, restored: Tensor, clear: Tensor) -> tuple[Tensor, dict]:
        difference = restored - clear
        l1 = difference.abs().mean()
        loss, logs = l1, {"loss": l1.detach()}
        if self.charbonnier:
            loss = (difference.square() + self.charbonnier**2).sqrt().mean()
        if self.frequency:
            spectrum = torch.view_as_real(torch.fft.rfft2(difference)).abs().mean()
            loss = loss + self.frequency * spectrum
            logs["spectrum"] = spectrum.detach()
        return loss, logs


class Decibels:
    """Minus the PSNR of each tile, which is what is scored in the end; it levels off at `cap` dB.

    Chen et al., 2021, https://arxiv.org/abs/2105.06086. Tiles that are nearly perfect would count
    most, so a cap leaves more to the others.
    """

    def __init__(self, cap: float):
        self.least = 10 ** (-cap / 10)

    def __call__(self, _: Tensor, restored: Tensor, clear: Tensor) -> tuple[Tensor, dict]:
        errors = (restored - clear).square().mean((1, 2, 3))
        loss = 10 * (errors + self.least).log10().mean()
        return loss, {"loss": loss.detach()}


def mix(trained: nn.Module, started: nn.Module, kept: float) -> nn.Module:
    """A model of `trained`'s weights and buffers, but for the share `kept` of `started`'s."""
    if not kept:
        return trained
    mixed, old = deepcopy(trained), started.state_dict()
    for name, value in mixed.state_dict().items():
        if value.is_floating_point():
            value.lerp_(old[name].to(value), kept)
    return mixed


def _objective(recipe: Recipe, accelerator: Accelerator) -> Adversarial | Decibels | L1:
    if recipe.adversarial:
        return Adversarial(accelerator)
    if recipe.decibels:
        return Decibels(recipe.decibels)
    return L1(recipe.frequency, recipe.charbonnier)


def _freeze(model: nn.Module) -> None:
    """Let BatchNorm neither use nor learn the statistics of batches; its scales still learn."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _start(recipe: Recipe) -> nn.Module:
    if recipe.start is None:
        return build(recipe.model)
    started = load_model(recipe.start)
    if recipe.start == recipe.model:
        return started
    return widen_unet(started, build(recipe.model), recipe.seed)


def _schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    if recipe.schedule == "plateau":
        return ReduceLROnPlateau(optimizer, mode="max")
    return LambdaLR(
        optimizer,
        lambda step: (
            min(step / max(recipe.warmup, 1), 1) * (1 + math.cos(math.pi * step / steps)) / 2
        ),
    )


def _resume(parts: dict, folder: Path, device: torch.device, name: str) -> list[dict]:
    """Fill the parts from the last whole checkpoint; returns the history, empty without one."""
    saved = checkpoint.load(folder, device)
    if saved is None:
        tqdm.write(f"There is no whole checkpoint in {folder}: the run starts from the beginning.")
        return []
    try:
        for key, part in parts.items():
            part.load_state_dict(saved[key])
        return saved["history"]
    except (KeyError, RuntimeError, ValueError):
        raise TrainingError(
            f"The checkpoint in {folder} does not fit the recipe {name}. Name another --out."
        ) from None


def _has_converged(recipe: Recipe, log: Log, done: int) -> bool:
    """Early stopping: no validation was better for as many as the recipe has patience for."""
    if recipe.patience is None or not log.history:
        return False
    every = recipe.validate_every // recipe.batch
    return done - log.best["step"] >= recipe.patience * every


def _any(late: bool, minutes: float, accelerator: Accelerator) -> bool:
    """Whether time is up in any process: clocks differ, and all must stop at the same step."""
    if math.isinf(minutes):
        return False
    if accelerator.num_processes == 1:  # nothing to ask, so no waiting for the device either
        return late
    flag = torch.tensor([float(late)], device=accelerator.device)
    return accelerator.reduce(flag, "sum").item() > 0


def _means(sums: dict[str, Tensor], steps: int, accelerator: Accelerator) -> dict[str, float]:
    """Per step, over all processes; this waits for the device."""
    return {key: accelerator.reduce(value, "mean").item() / steps for key, value in sums.items()}


def _publish(model: nn.Module, recipe: Recipe, name: str, folder: Path, images: int) -> None:
    facts = {"recipe": name, "images": images, "start": recipe.start}
    published = save_model(model, recipe.model, folder / "weights", **facts)
    shutil.copy(folder / "history.csv", published)  # the curve that led to these weights


def _efficiency(
    recipe: Recipe,
    rate: float,
    waited: float,
    device: torch.device,
    precision: torch.dtype,
    world: int,
) -> str:
    used, there = rate * flops_per_image(recipe), world * matrix_rate(device, precision)
    return (
        f"{rate:.1f} images/s: {used / 1e12:.3g} TFLOP/s, {used / there:.0%} of the "
        f"{there / 1e12:.3g} that matrix products in {str(precision).split('.')[-1]} reach here. "
        f"{waited:.1%} of the time went into waiting for tiles and distortions."
    )


def _draw(
    recipe: Recipe, log: Log, folder: Path, validation: Pairs, accelerator: Accelerator
) -> None:
    """The curves, and a few validation tiles as the best weights restore them."""
    from .curves import draw_curves, draw_figure

    if not log.history:
        return
    draw_curves(log.history, folder / "curves.png")
    chosen = torch.linspace(0, len(validation[0]) - 1, min(SHOWN, len(validation[0]))).long()
    distorted, clear = (part[chosen] for part in validation[:2])
    best = load_model(recipe.model, folder / "weights").to(accelerator.device)
    restored = (restore(best, distorted, accelerator).clamp(0, 1) * 255).round().byte()
    draw_figure(distorted[:, :3], restored, clear, folder / "figure.png")
