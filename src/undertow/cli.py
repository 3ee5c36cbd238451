"""The command line: `undertow run`, `runs`, `report`, `explain`."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from undertow.api import RUNS, Observation, new_folder, observe
from undertow.diagnose import review
from undertow.diagnose.table import explain as explain_diagnosis
from undertow.errors import StoreError, UndertowError
from undertow.launch import Program, launch, module, script
from undertow.progress import Progress
from undertow.store import Run, run_folders

__all__ = ["app", "main"]

app = typer.Typer(
    name="undertow",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Watch a training, and be told why its network does not learn.",
)

Launcher = Callable[[], int]

WORDS = {"allow_interspersed_args": False}
"""What comes after the script belongs to the script."""

CANNOT_STORE = 74
"""Exit status (EX_IOERR) when a training ended well and could not be kept."""


def main() -> None:
    """The entry point. A training runs after the command line has been taken apart, and not inside it."""
    launchers: list[Launcher] = []
    try:
        try:
            app(obj=launchers)
        except SystemExit:
            if not launchers:
                raise
        sys.exit(launchers[0]() if launchers else 0)
    except UndertowError as error:
        _console().print(Text(f"undertow: {error}"), soft_wrap=True)
        sys.exit(1)


def _console() -> Console:
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


@app.command(context_settings=WORDS)
def run(
    context: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="[-m] SCRIPT [ARGUMENT …]", help="What to run, as `python` takes it.")
    ],
    is_module: Annotated[bool, typer.Option("-m", help="SCRIPT is the name of a module.")] = False,
    budget: Annotated[float, typer.Option(help="Share of the training's time that observing may cost.")] = 0.01,
    every_step: Annotated[bool, typer.Option("--every-step", help="See each step in full, whatever it costs.")] = False,
    focus: Annotated[
        list[int] | None, typer.Option(metavar="STEP", help="See this step in full; may be repeated.")
    ] = None,
    store: Annotated[Path, typer.Option(metavar="DIR", help="Keep the run below this folder.")] = RUNS,
    name: Annotated[
        str, typer.Option(help="Keep it under this name; made from the script and the time otherwise.")
    ] = "",
    no_report: Annotated[bool, typer.Option("--no-report", help="Print no review and write no report.")] = False,
) -> None:
    """Run a training script, watch it, and say why its network does not learn.

    Its output, its arguments and its exit status stay its own.
    """
    if not 0 < budget <= 1:
        raise typer.BadParameter(
            f"{budget} is not a share of time between 0 and 1, such as 0.01", param_hint="--budget"
        )
    if any(step < 0 for step in focus or ()):
        raise typer.BadParameter("steps are counted from 0", param_hint="--focus")
    if name in {".", ".."} or os.path.basename(name) != name:
        raise typer.BadParameter(
            f"{name!r} is not the name of one folder; --store says below which", param_hint="--name"
        )

    def start() -> int:
        program = (module if is_module else script)(words[0], words[1:])
        folder = store / name if name else new_folder(program.name, store)
        program.become_main()
        every = 1 if every_step else None
        return _observed(program, observe(budget=budget, every=every, focus=focus or (), store=folder), not no_report)

    context.obj.append(start)


def _observed(program: Program, observation: Observation, reviewed: bool) -> int:
    failed = False
    progress = Progress(observation)

    def end() -> None:
        nonlocal failed
        progress.stop()
        failed = not _told(observation, reviewed)

    with progress:
        status = launch(program, observation, end)
    return status or (CANNOT_STORE if failed else 0)


def _told(observation: Observation, reviewed: bool) -> bool:
    """Review the run, unless that is not wanted. A fault in doing so is told, and changes nothing."""
    console = _console()
    try:
        if observation.unstored is not None:
            raise observation.unstored
        if reviewed:
            _review(Run(observation.folder), console)
    except (UndertowError, OSError) as error:
        console.print(Text(f"undertow: {error}"), soft_wrap=True)
        return False
    except Exception as fault:
        if os.environ.get("UNDERTOW_STRICT") == "1":
            raise
        told = (
            f"undertow: the run is kept in {observation.folder}, but reviewing it failed: "
            f"{type(fault).__name__}: {fault}\n"
            "  This is a fault of Undertow's, not of your script. "
            f"`undertow report {observation.folder}` shows it in full."
        )
        console.print(Text(told), soft_wrap=True)
    return True


def _review(run: Run, console: Console) -> None:
    """Judge a run, write `review.json` and `report.html` into its folder, and print the verdict."""
    from undertow.show import print_review, write_report

    verdict = review(run)
    try:
        _replace(run.folder / "review.json", json.dumps(verdict.to_dict(), indent=2, allow_nan=False) + "\n")
        write_report(run, verdict, run.folder / "report.html")
    except OSError as error:
        print_review(run, verdict, console)
        raise StoreError(
            f"the review could not be kept in {run.folder}: {error}\n"
            f"  The run itself is there: make room, and `undertow report {run.folder}` writes it again."
        ) from error
    print_review(run, verdict, console)


def _replace(path: Path, text: str) -> None:
    """Write a file so that whoever reads it finds the old one or the new one, whole."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


Below = Annotated[Path, typer.Option("--in", metavar="DIR", help="The folder that runs are kept in.")]


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
        _console().print(Text(f"undertow: {damage}"), soft_wrap=True)
    if damaged:
        raise typer.Exit(1)


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="A run's name, or its folder.")],
    below: Below = RUNS,
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser.")] = False,
) -> None:
    """Judge a stored run again, write its report, and print the verdict."""
    folder = Path(run) if not (below / run).is_dir() else below / run
    if not folder.is_dir():
        names = ", ".join(folder.name for folder in run_folders(below)) or "none"
        raise StoreError(
            f"there is no run {run}\n  Neither a folder of that name, nor one below {below}.\n  Runs there: {names}."
        )
    _review(Run(folder), Console(highlight=False))
    if show:
        webbrowser.open((folder / "report.html").resolve().as_uri())


@app.command()
def explain(code: Annotated[str, typer.Argument(help="Such as UT101, or vanishing-gradient.")]) -> None:
    """Say what a diagnosis means, when it is harmless, and what to do."""
    from undertow.show import explain_page

    explain_page(*explain_diagnosis(code), Console(highlight=False))


if __name__ == "__main__":
    main()
