"""Why a training stands still: what was tried, and what it brought."""

from __future__ import annotations

from undertow.show.blocks import Block, Figure, Listing, Text
from undertow.show.traces import axis
from undertow.show.words import sentence
from undertow.standstill import Standstill

__all__ = ["standstill_blocks"]


def standstill_blocks(seen: Standstill) -> list[Block]:
    """The verdict with its facts, and the gain of each trial."""
    meaning, _, *facts = str(seen).splitlines()
    told = tuple(("", sentence(fact.strip().rstrip(";"))) for fact in facts if not fact.startswith("    "))
    top = Text(f"{seen.kind}: {meaning}", paragraphs=(sentence(seen.advice),))
    return [top, Listing("What shows it", items=told), *_trials(seen)]


def _trials(seen: Standstill) -> list[Figure]:
    going, *others = seen.trials
    if not others:
        return []
    gains = [trial.gain(going) for trial in others]
    ends = [gain.interval() for gain in gains]
    bars = {
        "type": "scatter",
        "mode": "markers",
        "x": [gain.value for gain in gains],
        "y": [trial.what for trial in others],
        "marker": {"size": 9, "color": "@gain"},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - gain.value for gain, (_, high) in zip(gains, ends, strict=True)],
            "arrayminus": [gain.value - low for gain, (low, _) in zip(gains, ends, strict=True)],
            "color": "@gain",
        },
    }
    worth = {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": seen.plan.worth, "x1": seen.plan.worth}
    layout = {
        "xaxis": axis(f"by how much the loss is lower, {seen.plan.steps} steps onward"),
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
        "shapes": [worth | {"line": {"dash": "dash", "width": 1.2, "color": "@muted"}}],
    }
    note = "Against going on as it is, within 95 %. Right of the dashed line, it would be worth having."
    return [Figure("What was tried", note, [bars], layout, 150 + 42 * len(others))]
