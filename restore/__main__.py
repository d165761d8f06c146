"""The command line: python -m restore run | models | bench."""

import os
import signal
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from . import MODELS, load
from .engine import DeviceError, choose_device
from .models import count_parameters
from .weights import WeightsError, locate, measured
from .working_size import WAYS

if TYPE_CHECKING:
    from .batch import Row

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
console = Console()
errors = Console(stderr=True)

Model = StrEnum("Model", {name: name for name in MODELS})
Weights = Annotated[str | None, typer.Option(help="Folder or Hub repo ORG/REPO[@REVISION].")]


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


WorkingSize = StrEnum("WorkingSize", {size: size for size in WAYS})


@app.command()
def run(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    model: Annotated[Model, typer.Option(help="Which model restores.")] = Model["unet-1024"],
    weights: Weights = None,
    device: Annotated[Device, typer.Option(help="Where it runs.")] = Device.auto,
    scale: Annotated[
        WorkingSize,
        typer.Option(help="Working size in per cent, smaller for wide blur; or shake."),
    ] = WorkingSize["auto"],
    reference: Annotated[
        Path | None, typer.Option(help="Folder with the clear photos, under the same names.")
    ] = None,
    keep_metadata: Annotated[
        bool, typer.Option("--keep-metadata/--strip-metadata", help="EXIF, XMP and dpi.")
    ] = True,
    strip_location: Annotated[
        bool, typer.Option("--strip-location", help="Leave out where the photo was taken.")
    ] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace results that exist already.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="Write size, time and scores to this .csv or .json.")
    ] = None,
) -> None:
    """Restore photos into a folder, under their own names. Run again to go on after a stop.

    Several processes may share the work on one disk, also under `torchrun` or `accelerate launch`.
    """
    from .batch import Batch, BatchError, Row, find_jobs, make_folder, read_report, write_report

    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if report and report.suffix.lower() not in (".csv", ".json"):
        _stop(f"The report {report} must end in .csv or .json.")
    if report and world > 1:
        report = report.with_stem(f"{report.stem}-{rank}")
    if reference and not reference.is_dir():
        _stop(f"{reference} is not a folder. Name the one that the clear photos are in.")
    try:
        jobs = find_jobs(photos, out, reference)
        if not jobs:
            _stop(f"There are no photos in {', '.join(map(str, photos))}.")
        earlier = read_report(report) if report else {}
        restorer = load(model.value, weights, _own_device(device.value))
        for folder in (out, *([report.parent] if report else [])):
            make_folder(folder)
    except (BatchError, WeightsError, DeviceError, OSError) as error:
        _stop(str(error))
    metadata = "strip" if not keep_metadata else "no-location" if strip_location else "keep"
    batch = Batch(
        restorer,
        metadata,
        overwrite,
        WAYS[scale.value],
        score=report is not None,
        rank=rank,
        world=world,
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[done]}/{task.total:.0f}"),
        TimeRemainingColumn(),
    )
    rows: list[Row] = []
    stopped = False
    used = time.process_time()
    with Progress(*columns, console=errors) as progress:
        bar = progress.add_task(repr(restorer), total=len(jobs), done=0)

        def done(row: Row) -> None:
            rows.append(row)
            style = "red" if row.status == "failed" else None
            progress.console.print(
                _line(row), style=style, highlight=False, markup=False, soft_wrap=True
            )
            progress.update(bar, completed=len(rows), done=len(rows))

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # torchrun's way to stop a rank
        try:
            batch.run(jobs, done, lambda share: progress.update(bar, completed=len(rows) + share))
        except KeyboardInterrupt:
            stopped = True
    unreported = ""
    if report:
        try:
            write_report(report, rows, earlier)
        except OSError as error:
            unreported = f"The report {report} cannot be written ({error.strerror})."
    failed = sum(row.status == "failed" for row in rows)
    there = sum(row.status in ("restored", "skipped") for row in rows)
    errors.print(f"{there} of {len(jobs)} photos are in {out}.", highlight=False)
    if batch.busy:
        cores = (time.process_time() - used) / batch.elapsed / (os.cpu_count() or 1)
        errors.print(
            f"{batch.busy / batch.elapsed:.0%} of {batch.elapsed:.1f} s went into restoring, the "
            f"rest into waiting for files; the processor was {cores:.0%} in use.",
            highlight=False,
            soft_wrap=True,
        )
    if unreported:
        errors.print(unreported, style="red", markup=False, soft_wrap=True)
    if stopped:
        errors.print("Stopped. The same command goes on where it was stopped.")
        raise typer.Exit(130)
    # a launcher takes it for the death of a process, and ends the others in mid-work
    failed = failed and world == 1
    raise typer.Exit(1 if failed or unreported else 0)


def _own_device(device: str) -> str:
    """Under a launcher of several processes, each takes a GPU of its own."""
    local = os.environ.get("LOCAL_RANK")
    if local is None or choose_device(device).type != "cuda":
        return device
    import torch

    return f"cuda:{int(local) % torch.cuda.device_count()}"


def _line(row: "Row") -> str:
    """What came of a photo, for the screen."""
    if row.status == "failed":
        return row.message
    if row.status != "restored":
        replaces = " (--overwrite replaces it)" if row.status == "skipped" else ""
        return f"{row.photo}: {row.message}{replaces}"
    line = f"{row.photo} -> {row.result}"
    if row.scale not in (1, "shake"):
        line += f"  at {row.scale:.0%}"
    if row.psnr_before is not None:
        line += f"  PSNR {row.psnr_before:.2f} -> {row.psnr_after:.2f} dB"
    if row.ssim_before is not None:
        line += f"  SSIM {row.ssim_before:.4f} -> {row.ssim_after:.4f}"
    return f"{line}  {row.message}".rstrip()


@app.command()
def models(weights: Weights = None) -> None:
    """List the models: size, what for, where the weights are, measured quality."""
    table = Table("model", "parameters", "for", "PSNR", "SSIM", Column("weights", overflow="fold"))
    for name, spec in MODELS.items():
        parameters = f"{count_parameters(spec.build()):,}"
        try:
            folder = locate(name, weights)
            table.add_row(name, parameters, spec.blur, *_measured(name, weights), str(folder))
        except WeightsError:
            table.add_row(name, parameters, spec.blur, "", "", "none")
    console.print(table)
    console.print("PSNR (dB) and SSIM: suite `seed`, RGB, as in metrics.json beside the weights.")


def _measured(name: str, weights: str | None) -> tuple[str, str]:
    seed = measured(name, weights).get("seed")
    return (f"{seed['psnr']:.2f}", f"{seed['ssim']:.4f}") if seed else ("not measured", "")


@app.command()
def bench(
    models: Annotated[str, typer.Option(help="Names, with commas between.")] = "unet-512,unet-1024",
    weights: Weights = None,
    device: Annotated[Device, typer.Option(help="Where it runs.")] = Device.auto,
    minutes: Annotated[float, typer.Option(help="What takes longer is cut short.", min=0.1)] = 10,
    quick: Annotated[bool, typer.Option(help="Small photos only: does it work?")] = False,
    out: Annotated[Path | None, typer.Option(help="Also write the figures as JSON.")] = None,
) -> None:
    """Measure speed and memory beside plain PyTorch and the machine's own limit."""
    from .bench import measure, measure_quick, tables, write

    names = models.split(",")
    if unknown := [name for name in names if name not in MODELS]:
        _stop(f"There is no model {unknown[0]!r}. Choose from: {', '.join(MODELS)}.")
    try:
        target = choose_device(device.value)
        if quick:
            result = measure_quick(names, weights, target)
        else:
            result = measure(names, weights, target, minutes * 60)
        if out:
            write(result, out)
    except (WeightsError, DeviceError, OSError) as error:
        _stop(str(error))
    for table in tables(result):
        console.print(table)


def _stop(sentence: str) -> None:
    """A wrong call: say so and leave with 2."""
    errors.print(sentence, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
