"""What every command hangs on."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer
from rich.console import Console

__all__ = ["Launcher", "app", "aside"]

Launcher = Callable[[], int]
"""A training that waits for the command line to be out of the way; it gives the exit status."""

app = typer.Typer(
    name="undertow",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Watch a training, and be told why its network does not learn.",
)


def aside() -> Console:
    """The console for what is said beside a program's own output."""
    return Console(stderr=True, highlight=False)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"undertow {version('undertow')}")
        except PackageNotFoundError:
            typer.echo("undertow, run from its source and not installed")
        raise typer.Exit


@app.callback()
def undertow(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    """Watch a training, and be told why its network does not learn."""
