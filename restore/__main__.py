"""The command line: python -m restore run | models."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from . import MODELS, Restorer, load
from .metrics import psnr, ssim
from .models import count_parameters
from .photo import SUFFIXES, PhotoError, decode, encode
from .restorer import DeviceError
from .weights import WeightsError, locate, measured

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


@app.command()
def run(
    photos: Annotated[list[Path], typer.Argument(help="Photos, or folders of photos.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    model: Annotated[Model, typer.Option(help="Which model restores.")] = Model["unet-1024"],
    weights: Weights = None,
    device: Annotated[Device, typer.Option(help="Where it runs.")] = Device.auto,
    reference: Annotated[
        Path | None, typer.Option(help="Folder with the clear photos, under the same names.")
    ] = None,
    keep_metadata: Annotated[
        bool, typer.Option("--keep-metadata/--strip-metadata", help="EXIF, XMP and dpi.")
    ] = True,
    overwrite: Annotated[bool, typer.Option(help="Replace results that exist already.")] = False,
) -> None:
    """Restore photos into a folder, under their own names."""
    jobs = _find(photos)
    if not jobs:
        _stop(f"There are no photos in {', '.join(map(str, photos))}.")
    if reference and not reference.is_dir():
        _stop(f"The folder of references {reference} does not exist.")
    try:
        restorer = load(model.value, weights, device.value)
        out.mkdir(parents=True, exist_ok=True)
    except (WeightsError, DeviceError, OSError) as error:
        _stop(str(error))
    failed = 0
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task(repr(restorer), total=len(jobs))
        for source, target in jobs:
            try:
                line = _restore(restorer, source, out / target, reference, keep_metadata, overwrite)
                progress.console.print(line, highlight=False, markup=False, soft_wrap=True)
            except (PhotoError, MemoryError, ValueError) as error:
                failed += 1
                progress.console.print(str(error), style="red", markup=False, soft_wrap=True)
            progress.advance(task)
    errors.print(f"{len(jobs) - failed} of {len(jobs)} photos are in {out}.", highlight=False)
    raise typer.Exit(1 if failed else 0)


def _restore(
    restorer: Restorer,
    source: Path,
    target: Path,
    reference: Path | None,
    keep_metadata: bool,
    overwrite: bool,
) -> str:
    """Restore one file and say in a line what came of it."""
    if target.exists() and not overwrite:
        return f"{source}: {target} is there already (--overwrite replaces it)"
    photo = decode(source)
    restored = restorer.restore(photo)
    target.parent.mkdir(parents=True, exist_ok=True)
    encode(restored, target, "keep" if keep_metadata else "strip", overwrite)
    line = f"{source} -> {target}"
    if reference and (truth := reference / source.name).exists():
        before, after, clear = (p.levels() for p in (photo, restored, decode(truth)))
        line += (
            f"  PSNR {psnr(before, clear):.2f} -> {psnr(after, clear):.2f} dB"
            f"  SSIM {ssim(before, clear):.4f} -> {ssim(after, clear):.4f}"
        )
    return line


def _find(photos: list[Path]) -> list[tuple[Path, Path]]:
    """Each photo with the path of its result below the output folder; folders keep their shape."""
    jobs: list[tuple[Path, Path]] = []
    for path in photos:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            jobs += [(p, p.relative_to(path)) for p in inside]
        else:
            jobs.append((path, Path(path.name)))
    return jobs


@app.command()
def models(weights: Weights = None) -> None:
    """List the models: size, what for, where the weights are, measured quality."""
    table = Table("model", "parameters", "for", "PSNR", "SSIM", "weights")
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


def _stop(sentence: str) -> None:
    """A wrong call: say so and leave with 2."""
    errors.print(sentence, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
