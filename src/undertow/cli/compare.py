"""`undertow compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from undertow.api import RUNS
from undertow.cli.app import app
from undertow.cli.stored import Below, stored_run
from undertow.compare import compare as beside

__all__: list[str] = []


@app.command()
def compare(
    reference: Annotated[str, typer.Argument(metavar="RUN", help="What to compare with: a run's name, or its folder.")],
    others: Annotated[list[str], typer.Argument(metavar="RUN …", help="What to compare with it.")],
    below: Below = RUNS,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the comparison as a page too, with both losses.")
    ] = None,
) -> None:
    """Say what differs between runs: what was changed, what came of it, and from which step on."""
    from undertow.show import comparison_screen, write_comparison

    if html is not None and len(others) > 1:
        raise typer.BadParameter("a page holds one comparison; name two runs", param_hint="--html")
    console = Console(highlight=False)
    for other in others:
        seen = beside(stored_run(reference, below), stored_run(other, below))
        console.print(comparison_screen(seen))
        if html is not None:
            console.print(f"Page: {write_comparison(seen, html)}", soft_wrap=True)
