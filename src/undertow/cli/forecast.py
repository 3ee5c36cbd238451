"""`undertow forecast`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from undertow.api import RUNS
from undertow.cli.app import app
from undertow.cli.stored import Below, Named, stored_run
from undertow.errors import ForecastError
from undertow.forecast import Outlook, outlook
from undertow.store import Run

__all__: list[str] = []

EVERY = 2.0
"""Seconds between two looks at a run that is followed."""


@app.command()
def forecast(
    run: Named,
    target: Annotated[float | None, typer.Option(metavar="LOSS", help="A loss to come down to.")] = None,
    by: Annotated[
        float | None, typer.Option(metavar="HOURS", help="A deadline, in hours from the start of the run.")
    ] = None,
    price: Annotated[float | None, typer.Option(metavar="MONEY", help="What an hour of training costs.")] = None,
    until: Annotated[int | None, typer.Option(metavar="STEP", help="The optimizer step to look ahead to.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Look again every two seconds until the run ends.")] = False,
    below: Below = RUNS,
) -> None:
    """Say where a run's loss is going, when it will reach a target, and at what cost."""
    from undertow.show import Question, outlook_screen

    if target is None and (by is not None or price is not None):
        raise typer.BadParameter("--by and --price are asked of a target; --target LOSS names it")
    question = Question(target, by, price, until)
    stored = stored_run(run, below)
    if follow:
        _follow(stored.folder, lambda seen: outlook_screen(seen, question))
    else:
        Console(highlight=False).print(outlook_screen(outlook(stored), question))


def _seen(run: Run, screen: Callable[[Outlook], RenderableType]) -> RenderableType:
    """What there is to tell as yet; a run that goes on may still come to hold enough for it."""
    try:
        return screen(outlook(run))
    except ForecastError as error:
        if run.state != "running":
            raise
        return Text(str(error))


def _follow(folder: Path, screen: Callable[[Outlook], RenderableType]) -> None:
    """The run is read from its store alone, so that following it costs the training nothing."""
    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        while True:
            run = Run(folder)
            live.update(_seen(run, screen), refresh=True)
            if run.state != "running":
                return
            time.sleep(EVERY)
