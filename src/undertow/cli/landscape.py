"""`undertow landscape`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor, nn

from undertow.cli.app import app, aside
from undertow.cli.made import Point, made, weights
from undertow.errors import LandscapeError
from undertow.landscape import Barrier, Evaluation, Grid, Slice, Track, Work, barrier, principal, spanning
from undertow.landscape import landscape as sliced

__all__: list[str] = []

Given = tuple[nn.Module, Callable[[Any, Any], Tensor], Any]


@app.command()
def landscape(
    problem: Annotated[
        str, typer.Argument(metavar="FILE.py:FUNCTION", help="A function that returns (model, loss_fn, batch).")
    ],
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Weights from torch.save, in the order of the run; the last is looked at."),
    ] = None,
    path: Annotated[bool, typer.Option("--path", help="The straight path between two checkpoints.")] = False,
    along: Annotated[
        str | None, typer.Option(metavar="NAMES", help="One or two of random, gradient, sharpest; with a comma.")
    ] = None,
    points: Annotated[int, typer.Option(metavar="N", help="Points along each direction.", min=2)] = 25,
    tolerance: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Interpolate where the relative error stays below.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep what is measured here, and go on.")] = None,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = Path("landscape.html"),
) -> None:
    """Draw the loss around a point, the way a run came, or the path between two solutions."""
    from undertow.show import write_landscape

    model, loss_fn, batch = made(problem, "model, loss_fn, batch")
    given, states = (model, loss_fn, batch), [weights(file) for file in checkpoint or ()]
    work = Work(file=keep)
    seen: Slice | Barrier
    track = None
    if path:
        seen = _between(given, states, points, work)
    else:
        seen, track = _around(given, states, along, points, Evaluation(tolerance=tolerance, work=work))
    print(seen)
    aside().print(f"drawn in {write_landscape(seen, out, track)}", soft_wrap=True)


def _between(given: Given, states: list[Point], points: int, work: Work) -> Barrier:
    if len(states) != 2:
        raise LandscapeError(f"a path has two ends, and {len(states)} were given\n  Name two with --checkpoint.")
    return barrier(*given, (states[0], states[1]), points, Evaluation(statistics="recomputed", work=work))


def _around(
    given: Given, states: list[Point], along: str | None, points: int, how: Evaluation
) -> tuple[Slice, Track | None]:
    """A slice about the last checkpoint, along what was asked for or else along the run's own directions."""
    model = given[0]
    if states:
        model.load_state_dict(states[-1])
    if along is not None or len(states) < 3:
        names = tuple((along or "random,random").split(","))
        return sliced(*given, names, Grid(points=points), how), None
    directions, _ = principal(model, states[:-1])
    seen = sliced(*given, directions, spanning(model, directions, states, points), how)
    return seen, seen.track(states)
