"""`undertow report`, and the review that `undertow run` ends with."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

import undertow
from undertow.api import RUNS
from undertow.cli.app import app
from undertow.cli.stored import Below, Named, stored_run
from undertow.errors import StoreError
from undertow.store import Run

if TYPE_CHECKING:
    from undertow.diagnose import Review

__all__ = ["judge", "rewritten"]


@app.command()
def report(
    run: Named,
    below: Below = RUNS,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the findings as a SARIF log too.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the findings as JUnit XML too.")] = None,
) -> None:
    """Judge a stored run again, write its report, and print the verdict."""
    stored = stored_run(run, below)
    verdict = judge(stored, Console(highlight=False))
    _exchange({stored.name: verdict}, sarif, junit)
    if show:
        webbrowser.open((stored.folder / "report.html").resolve().as_uri())


def _exchange(reviews: dict[str, Review], sarif: Path | None, junit: Path | None) -> None:
    from undertow.show import exchange

    if sarif is not None:
        _replace(sarif, exchange.sarif(reviews))
    if junit is not None:
        _replace(junit, exchange.junit(reviews))


def judge(run: Run, console: Console) -> Review:
    """Judge a run, write `review.json` and `report.html` into its folder, and print the verdict."""
    from undertow.show import print_review

    verdict = undertow.review(run)
    try:
        _write(run, verdict)
    except OSError as error:
        print_review(run, verdict, console)
        raise StoreError(
            f"the review could not be kept in {run.folder}: {error}\n"
            f"  The run itself is there: make room, and `undertow report {run.folder}` writes it again."
        ) from error
    print_review(run, verdict, console)
    return verdict


def rewritten(run: Run) -> None:
    """Judge a run and write its report anew, without a word.

    Raises:
        StoreError: There is no room for it.
    """
    try:
        _write(run, undertow.review(run))
    except OSError as error:
        raise StoreError(f"the report could not be written in {run.folder}: {error}\n  Make room.") from error


def _write(run: Run, verdict: Review) -> None:
    from undertow.show import write_report

    _replace(run.folder / "review.json", json.dumps(verdict.to_dict(), indent=2, allow_nan=False) + "\n")
    write_report(run, verdict, run.folder / "report.html")


def _replace(path: Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old one or the new one, whole."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
