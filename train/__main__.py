"""The command line: python -m train photos | tiles | fit | ablate | study | evaluate | ...

`report` writes the tables, `examples` draws the picture, `publish` uploads.
"""

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import TrainingError, recipes

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


def _stop(sentence: str) -> None:
    """A wrong call: say so and leave with 2."""
    typer.secho(sentence, err=True, fg="red")
    raise typer.Exit(2)


class Source(StrEnum):
    pexels = "pexels"
    public = "public"
    folder = "folder"


@app.command()
def photos(
    source: Annotated[Source, typer.Argument(help="Where clear photos come from.")],
    out: Annotated[Path, typer.Option(help="Folder for the photos.")] = Path("photos"),
    folder: Annotated[Path | None, typer.Option(help="With `folder`: your photos.")] = None,
) -> None:
    """Get clear photos: from Pexels, from the public sets of our weights, or from a folder."""
    from . import pexels
    from . import photos as sources
    from .album import SourceError

    try:
        if source is Source.pexels:
            report = pexels.fetch(out)
        elif source is Source.public:
            report = sources.fetch_public(out)
        elif folder:
            report = sources.take_folder(folder, out)
        else:
            _stop("Name your folder of photos: python -m train photos folder --folder FOLDER")
    except (SourceError, OSError) as error:
        _stop(str(error))
    typer.echo(str(report))
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def tiles(
    photos: Annotated[Path | None, typer.Option(help="Folder of clear photos.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the tiles.")] = Path("tiles"),
    train: Annotated[int, typer.Option(help="Tiles to train on.")] = 21_000,
    val: Annotated[int, typer.Option(help="Tiles to validate with.")] = 3_378,
    seed: Annotated[int, typer.Option(help="Settles which crops are taken.")] = 0,
    side: Annotated[int, typer.Option(help="Side of a tile in pixels.", min=16)] = 128,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Also as PNG files, clear and distorted, in pairs/.")
    ] = False,
) -> None:
    """Cut photos into square tiles."""
    from .pairs import write_pairs
    from .tiles import is_made, make

    failed = 0
    try:
        if not (pairs and is_made(out)):
            if photos is None:
                _stop("Name your folder of photos: python -m train tiles --photos FOLDER")
            failed = make(photos, out, train, val, seed, side)
        if pairs:
            typer.echo(f"pairs: {write_pairs(out)}")
    except (TrainingError, OSError) as error:
        _stop(str(error))
    raise typer.Exit(1 if failed else 0)


@app.command()
def fusion(
    photos: Annotated[Path, typer.Option(help="Folder of clear photos.")],
    out: Annotated[Path, typer.Option(help="Folder for the samples.")] = Path("samples"),
    train: Annotated[int, typer.Option(help="Samples to train on.")] = 1_500,
    val: Annotated[int, typer.Option(help="Samples to validate with.")] = 80,
) -> None:
    """Make what the recipe `fusion` trains on: shaken photos, restored and deconvolved."""
    from .fusion import make

    try:
        typer.echo(f"samples: {make(photos, out, train, val)}")
    except TrainingError as error:
        _stop(str(error))


@app.command()
def fit(
    recipe: Annotated[str, typer.Argument(help=f"One of: {', '.join(recipes.names())}.")],
    tiles: Annotated[Path, typer.Option(help="Folder made by `tiles`.")] = Path("tiles"),
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and weights.")] = Path("runs"),
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = False,
    minutes: Annotated[float, typer.Option(help="Stop after this, with a checkpoint.")] = math.inf,
) -> None:
    """Train the weights that a recipe describes; also under `accelerate launch` or `torchrun`."""
    from restore.weights import WeightsError

    from .checkpoint import exists
    from .fit import fit as run
    from .fit import leave

    try:
        chosen, name = recipes.find(recipe), recipe.replace("_", "-")
        if exists(out / name) and not resume:
            _stop(f"{out / name} holds a run already. Add --resume, or name another --out.")
        run(chosen, name, tiles, out, resume, minutes)
        leave()
    except (KeyError, TrainingError, WeightsError, OSError) as error:
        _stop(str(error.args[0] if isinstance(error, KeyError) else error))


@app.command()
def study(
    runs: Annotated[Path, typer.Option(help="Folder of `fit`'s runs.")] = Path("runs"),
    tiles: Annotated[Path, typer.Option(help="Folder made by `tiles`.")] = Path("tiles"),
    out: Annotated[Path | None, typer.Option(help="JSON file; RUNS/study.json.")] = None,
) -> None:
    """Score what the study's recipes have trained beside the study's own figures."""
    from restore.weights import WeightsError

    from .study import compare

    try:
        compare(runs, tiles, out)
    except (TrainingError, WeightsError, OSError) as error:
        _stop(str(error))


@app.command()
def ablate(
    runs: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs"),
    tiles: Annotated[Path, typer.Option(help="Folder made by `tiles`.")] = Path("tiles"),
    out: Annotated[Path, typer.Option(help="JSON file.")] = Path("weights/ablations.json"),
    images: Annotated[int, typer.Option(help="Crops that a run sees.")] = 12_000,
) -> None:
    """Measure in short runs what each choice of a recipe is worth."""
    from .ablations import ablate as run

    try:
        run(tiles, runs, out, images)
    except (TrainingError, OSError) as error:
        _stop(str(error))


@app.command()
def evaluate(
    models: Annotated[
        list[str] | None, typer.Argument(help="Which models; all by default.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Folder or Hub repo ORG/REPO.")] = None,
    photos: Annotated[list[Path] | None, typer.Option(help="Clear photos; repeatable.")] = None,
    suite: Annotated[str, typer.Option(help="Suites, with commas between; or all.")] = "all",
    validation: Annotated[
        Path | None, typer.Option(help="Clear photos to tune the plain opponents on.")
    ] = None,
    levin: Annotated[Path | None, typer.Option(help="Levin09.mat, for the suite shake.")] = None,
    pairs: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Folders of blurred and of clear photos.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only so many photos, evenly spread.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    write: Annotated[bool, typer.Option(help="Record the figures beside the weights.")] = False,
    shake: Annotated[
        bool, typer.Option("--shake", help="Models also look for camera shake.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write all rows to this JSON file.")] = None,
) -> None:
    """Measure models beside plain opponents."""
    from restore.models import MODELS

    from .evaluate import evaluate as run
    from .suites import SUITES, EvaluationError

    try:
        run(
            models or list(MODELS),
            weights,
            photos or [],
            list(SUITES) if suite == "all" else suite.split(","),
            out=out,
            levin=levin,
            validation=validation,
            pairs=pairs,
            device=device,
            opponents=validation is not None,
            limit=limit,
            write=write,
            shake=shake,
        )
    except EvaluationError as error:
        _stop(str(error))


@app.command()
def scales(
    photos: Annotated[list[Path], typer.Option(help="Clear photos; repeatable.")],
    model: Annotated[str, typer.Option(help="Which model.")] = "unet-512",
    limit: Annotated[int | None, typer.Option(help="Only so many photos, evenly spread.")] = None,
    out: Annotated[Path, typer.Option(help="JSON file.")] = Path("weights/scales.json"),
) -> None:
    """Measure which working size suits which blur, and whether auto finds it."""
    from .scales import scales as run
    from .suites import EvaluationError

    try:
        run(model, photos, out, limit)
    except EvaluationError as error:
        _stop(str(error))


@app.command()
def shake(
    photos: Annotated[list[Path], typer.Option(help="Clear photos; repeatable.")],
    levin: Annotated[Path, typer.Option(help="Levin09.mat, the kernels of camera shake.")],
    model: Annotated[str, typer.Option(help="Which model.")] = "unet-512",
    limit: Annotated[int | None, typer.Option(help="Only so many photos, evenly spread.")] = None,
    out: Annotated[Path, typer.Option(help="JSON file.")] = Path("weights/shake.json"),
) -> None:
    """Measure what taking camera shake out brings, where there is shake and where there is none."""
    from .shake import shake as run
    from .suites import EvaluationError

    try:
        run(model, photos, levin, out, limit)
    except EvaluationError as error:
        _stop(str(error))


@app.command()
def report(
    weights: Annotated[Path, typer.Option(help="Folder of weights.")] = Path("weights"),
) -> None:
    """Write the tables of README and model card from what `evaluate` and `bench` recorded."""
    from .report import ReportError, write

    try:
        for path in write(weights):
            typer.echo(f"{path}: tables written")
    except (ReportError, OSError) as error:
        _stop(str(error))


@app.command()
def examples(
    weights: Annotated[Path, typer.Option(help="Folder of weights.")] = Path("weights"),
    photos: Annotated[Path, typer.Option(help="The example photos.")] = Path("assets/examples"),
    out: Annotated[Path | None, typer.Option(help="JPEG; WEIGHTS/examples.jpg.")] = None,
) -> None:
    """Draw what the models make of the example photos, at 100 %."""
    from restore.photo import PhotoError
    from restore.weights import WeightsError

    from .examples import draw

    try:
        draw(photos, weights, out or weights / "examples.jpg")
    except (PhotoError, WeightsError, OSError) as error:
        _stop(str(error))


@app.command()
def publish(
    repo: Annotated[str, typer.Argument(help="ORG/REPO on the Hugging Face Hub.")],
    space: Annotated[bool, typer.Option("--space", help="Publish the app, as a Space.")] = False,
    weights: Annotated[Path | None, typer.Option(help="Folder; weights/ by default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Even if it scores lower.")] = False,
) -> None:
    """Upload the weights with their card, or the app; only what has changed."""
    from restore.weights import BUNDLED

    from .publish import PublishError
    from .publish import publish as run

    try:
        run(repo, space, dry_run, force, weights or BUNDLED, typer.echo)
    except (PublishError, OSError) as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
