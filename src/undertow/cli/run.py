"""`undertow run`."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

import undertow
from undertow.api import RUNS, Observation, new_folder, observe
from undertow.cli.app import app, aside
from undertow.cli.report import judge
from undertow.errors import UndertowError
from undertow.launch import NOTHING, Program, launch, module, script
from undertow.progress import Progress
from undertow.ranks import apart, rank
from undertow.store import Run

if TYPE_CHECKING:
    from undertow.diagnose import Review

__all__: list[str] = []

WORDS = {"allow_interspersed_args": False}
"""What comes after the script belongs to the script."""

CANNOT_STORE = 74
"""Exit status (EX_IOERR) when a training ended well and could not be kept."""


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
    preflight: Annotated[
        bool,
        typer.Option("--preflight", help="Stop after two optimizer steps, and say what would hinder it."),
    ] = False,
    no_report: Annotated[bool, typer.Option("--no-report", help="Print no review and write no report.")] = False,
) -> None:
    """Run a training script, watch it, and say why its network does not learn.

    Its output, its arguments and its exit status stay its own; but --preflight exits with 1 if something was found.
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
        folder = store / apart(name) if name else new_folder(program.name, store)
        program.become_main()
        every = 1 if every_step or preflight else None
        observation = observe(budget=budget, every=every, focus=focus or (), store=folder)
        told = not no_report and rank() == 0
        if not preflight:
            return _observed(program, observation, told)[0]
        from undertow.preflight import first_steps

        status, verdict = _observed(program, observation, told, first_steps())
        return status or int(bool((verdict or undertow.review(Run(folder))).findings))

    context.obj.append(start)


def _observed(
    program: Program, observation: Observation, reviewed: bool, within: AbstractContextManager[None] = NOTHING
) -> tuple[int, Review | None]:
    """The exit status, and the review if one was wanted and could be made."""
    kept, verdict = True, None
    progress = Progress(observation)

    def end() -> None:
        nonlocal kept, verdict
        progress.stop()
        kept, verdict = _told(observation, reviewed)

    with progress if rank() == 0 else NOTHING:
        status = launch(program, observation, end, within)
    return status or (0 if kept else CANNOT_STORE), verdict


def _told(observation: Observation, reviewed: bool) -> tuple[bool, Review | None]:
    """Review the run, unless that is not wanted. A fault in doing so is told, and changes nothing.

    Returns:
        Whether all could be kept, and the review.
    """
    console, verdict = aside(), None
    try:
        if observation.unstored is not None:
            raise observation.unstored
        if reviewed:
            verdict = judge(Run(observation.folder), console)
    except (UndertowError, OSError) as error:
        console.print(Text(f"undertow: {error}"), soft_wrap=True)
        return False, None
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
    return True, verdict
