"""The page: reads the command line and serves what `restore.page` lays out."""

import logging
import os
from typing import Annotated

import typer

from restore import MODELS
from restore.page import build
from restore.page.parts import DEFAULT_MODEL
from restore.page.serve import keep_memory_flat, outlive, serve
from restore.page.work import WEIGHTS, restorer
from restore.weights import WeightsError, is_local


def main(
    weights: Annotated[
        str | None,
        typer.Option(envvar="RESTORE_WEIGHTS", help="Folder or Hub repo ORG/REPO[@REVISION]."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    share: Annotated[bool, typer.Option(help="Also open a public link through Gradio.")] = False,
    auth: Annotated[
        str | None, typer.Option(envvar="RESTORE_AUTH", help="USER:PASSWORD to ask visitors for.")
    ] = None,
) -> None:
    """Open the page in a browser at the address that is printed."""
    logging.basicConfig(format="%(levelname)s %(message)s")
    user, _, password = (auth or "").partition(":")
    if auth and not (user and password):
        typer.echo("Give --auth as USER:PASSWORD, neither of them empty.", err=True)
        raise typer.Exit(2)
    outlive()
    keep_memory_flat()
    WEIGHTS[0] = weights or None
    try:
        lent = os.environ.get("SPACES_ZERO_GPU")  # a ZeroGPU takes what is loaded before the launch
        for name in [DEFAULT_MODEL] if is_local(weights) and not lent else MODELS:
            restorer(name)
    except WeightsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    serve(build(), host, port, share, (user, password) if auth else None)


if __name__ == "__main__":
    typer.run(main)
