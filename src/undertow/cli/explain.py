"""`undertow explain`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from undertow.cli.app import app
from undertow.diagnose.table import explain as explain_diagnosis

__all__: list[str] = []


@app.command()
def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="Such as UT101, or vanishing-gradient.")]) -> None:
    """Say what a diagnosis means, when it is harmless, and what to do."""
    from undertow.show import explain_page

    explain_page(*explain_diagnosis(code), Console(highlight=False))
