"""`undertow runs`."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.text import Text

from undertow.api import RUNS
from undertow.cli.app import app, aside
from undertow.cli.stored import Below
from undertow.errors import StoreError
from undertow.store import Run, run_folders

__all__: list[str] = []


@app.command()
def runs(below: Below = RUNS) -> None:
    """List the runs there are."""
    from undertow.show import runs_table

    if below != RUNS and not below.is_dir():
        raise StoreError(f"there is no folder {below}\n  Runs are kept below {RUNS} unless --store said otherwise.")
    found, damaged = [], []
    for folder in run_folders(below):
        try:
            run = Run(folder)
            found.append((run, run.steps)[0])
        except StoreError as error:
            damaged.append(error)
    runs_table(found, Console(highlight=False))
    for damage in damaged:
        aside().print(Text(f"undertow: {damage}"), soft_wrap=True)
    if damaged:
        raise typer.Exit(1)
