"""`undertow standstill`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from undertow.cli.app import app
from undertow.cli.made import checkpoint, made, weights_of
from undertow.standstill import standstill as tried_out

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
) -> None:
    """Say why a training stands still, by short trainings onward from where it stands."""
    model, loss_fn, batches, optimizer = made(problem, "model, loss_fn, batches, optimizer")
    if at is not None:
        found = checkpoint(at)
        model.load_state_dict(weights_of(found, at))
        state = next((found[name] for name in OPTIMIZER if found.get(name) is not None), None)
        if state is not None:
            optimizer.load_state_dict(state)
    print(tried_out(model, loss_fn, batches, optimizer, steps=steps))
