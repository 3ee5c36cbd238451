"""Finding a stored run by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undertow.api import RUNS
from undertow.errors import StoreError
from undertow.store import Run, run_folders

__all__ = ["Below", "Named", "stored_run"]

Named = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or its folder.")]
Below = Annotated[Path, typer.Option("--in", metavar="DIR", help="The folder that runs are kept in.")]


def stored_run(name: str, below: Path = RUNS) -> Run:
    """The run of that name below a folder, or in the folder of that name.

    Raises:
        StoreError: There is none.
    """
    folder = Path(name) if not (below / name).is_dir() else below / name
    if folder.is_dir():
        return Run(folder)
    names = ", ".join(folder.name for folder in run_folders(below)) or "none"
    raise StoreError(
        f"there is no run {name}\n  Neither a folder of that name, nor one below {below}.\n  Runs there: {names}."
    )
