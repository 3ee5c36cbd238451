"""`undertow standstill`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from torch.optim import Optimizer

from undertow.api import RUNS
from undertow.cli.app import app
from undertow.cli.made import checkpoint, made, weights_of
from undertow.cli.report import rewritten
from undertow.cli.stored import Below, stored_run
from undertow.curvature import Curvature, curvature
from undertow.errors import CurvatureError, GraphError
from undertow.standstill import standstill as tried_out
from undertow.store import Run

__all__: list[str] = []

OPTIMIZER = ("optimizer", "optimizer_state_dict")
"""Where a checkpoint has the optimizer's state, by custom."""


@app.command()
def standstill(
    problem: Annotated[
        str,
        typer.Argument(
            metavar="FILE.py:FUNCTION", help="A function that returns (model, loss_fn, batches, optimizer)."
        ),
    ],
    at: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="FILE", help="Where the run stands: weights, and the optimizer's state."),
    ] = None,
    steps: Annotated[int, typer.Option(metavar="N", help="Steps of each trial.")] = 100,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", help="Keep what was found with this run, and show it in its report."),
    ] = None,
    below: Below = RUNS,
) -> None:
    """Say why a training stands still, by short trainings onward from where it stands."""
    stored = None if run is None else stored_run(run, below)
    model, loss_fn, batches, optimizer = made(problem, "model, loss_fn, batches, optimizer")
    if at is not None:
        saved = checkpoint(at)
        model.load_state_dict(weights_of(saved, at))
        state = next((saved[name] for name in OPTIMIZER if saved.get(name) is not None), None)
        if state is not None:
            optimizer.load_state_dict(state)
    found = tried_out(model, loss_fn, batches, optimizer, steps=steps)
    print(found)
    if stored is not None:
        found.keep(stored)
        _keep_curvature(stored, curvature(model, loss_fn, batches), optimizer)
        rewritten(Run(stored.folder))


def _keep_curvature(stored: Run, curved: Curvature, optimizer: Optimizer) -> None:
    """Spectrum and edge, where there is one: a loss need not have a second derivative, nor an optimizer a limit."""
    with suppress(CurvatureError, GraphError):
        curved.density().keep(stored)
        curved.edge(optimizer).keep(stored)
