"""Two runs beside each other: what was changed, what came of it, and both losses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from undertow.compare import Comparison, Difference
from undertow.diagnose.outcome import main_losses
from undertow.show.blocks import Block, Figure, Listing, Text
from undertow.show.traces import axis, line, loss_axis, thinned
from undertow.show.words import number
from undertow.store import Run

__all__ = ["beside"]

MOST = 12
KINDS = {
    "verdict": "verdict",
    "loss": "loss",
    "gradient": "gradient norm",
    "update": "size of updates",
    "weight": "weight norm",
    "rate": "learning rate",
    "pace": "pace",
}


def beside(seen: Comparison) -> list[Block]:
    """What there is to tell of a comparison."""
    names = seen.left.name, seen.right.name
    return [
        Text(f"{names[1]}, compared with {names[0]}", paragraphs=(_start(seen), _parting(seen))),
        *_listed("What was changed", f"In {names[0]} → in {names[1]}.", seen.changed),
        *_listed("What came of it", "The greatest difference first.", seen.parted),
        *_losses(seen),
    ]


def _start(seen: Comparison) -> str:
    if not seen.same_until:
        return "The runs differ from their first loss on."
    if seen.same_until == seen.losses:
        return f"All {seen.losses:,} losses are the same to the last digit."
    losses = "loss is" if seen.same_until == 1 else f"{seen.same_until:,} losses are"
    return f"The first {losses} the same to the last digit: both runs started alike, and were alike until then."


def _parting(seen: Comparison) -> str:
    if not seen.parted:
        return "Nothing parts by more than two runs of one script do."
    if seen.since is None:
        return "Loss, gradients and updates go together, as far as two runs of one script do."
    first = min((d for d in seen.parted if d.kind in {"loss", "gradient", "update", "weight"}), key=lambda d: d.since)
    return f"From step {seen.since:,} on they part by more than two runs of one script do: {_named(first)} first."


def _listed(title: str, note: str, differences: Sequence[Difference]) -> Iterator[Listing]:
    if differences:
        items = [(_named(d), _told(d)) for d in differences[:MOST]]
        more = f" The first {MOST} of {len(differences)}." if len(differences) > MOST else ""
        yield Listing(title, note + more, tuple(items), brief=MOST)


def _named(difference: Difference) -> str:
    kind = KINDS.get(difference.kind, "")
    return f"{kind} of {difference.name}" if kind and difference.name else kind or difference.name


def _told(difference: Difference) -> str:
    parts = [f"{difference.left} → {difference.right}"]
    if difference.kind != "loss" and math.isfinite(difference.decades):
        parts.append(_factor(difference))
    if difference.kind in {"loss", "gradient", "update", "weight", "rate"}:
        parts.append(f"from step {difference.since:,} on")
    if difference.others:
        parts.append(f"and {difference.others} more parameter{'s' if difference.others > 1 else ''} alike")
    return ", ".join(parts)


def _factor(difference: Difference) -> str:
    if abs(difference.decades) > 20:
        return "nothing at all in one of them"
    times = number(10 ** abs(difference.decades), 2)
    return f"{times} times {'more' if difference.decades > 0 else 'less'}"


def _losses(seen: Comparison) -> Iterator[Figure]:
    drawn = [(run, colour) for run, colour in ((seen.left, "@gain"), (seen.right, "@loss")) if run.losses]
    if drawn:
        traces = [line(*_curve(run), run.name, colour, width=1.2) for run, colour in drawn]
        layout = {
            "xaxis": axis("optimizer step"),
            "yaxis": loss_axis(loss for trace in traces for loss in trace["y"]),
            "showlegend": True,
        }
        yield Figure("Both losses", "As they were at every step.", traces, layout)


def _curve(run: Run) -> tuple[list[int], NDArray[np.float64]]:
    seen = main_losses(run)
    return ([], np.empty(0)) if seen is None else thinned(seen.steps, seen.values)
