"""The page: reads the command line and launches what `restore.page` lays out."""

from typing import Annotated

import typer

from restore.page import LAUNCH, build
from restore.page.parts import DEFAULT_MODEL
from restore.page.work import WEIGHTS, restorer
from restore.weights import WeightsError


def main(
    weights: Annotated[
        str | None,
        typer.Option(envvar="RESTORE_WEIGHTS", help="Folder or Hub repo ORG/REPO[@REVISION]."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    share: Annotated[bool, typer.Option(help="Also open a public link through Gradio.")] = False,
) -> None:
    """Open the page in a browser at the address that is printed."""
    WEIGHTS[0] = weights
    try:
        restorer(DEFAULT_MODEL)
    except WeightsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    build().launch(server_name=host, server_port=port, share=share, **LAUNCH)


if __name__ == "__main__":
    typer.run(main)
