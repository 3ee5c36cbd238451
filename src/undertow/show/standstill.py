"""Why a training stands still: what was tried, and what it brought."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from undertow.show.blocks import Block, Figure, Listing, Text
from undertow.show.traces import NAMES, across, axis, dots, line, log_axis, upright
from undertow.show.words import number, sentence
from undertow.standstill import Escape, Standstill

__all__ = ["standstill_blocks"]


def standstill_blocks(seen: Standstill) -> list[Block]:
    """The verdict with its facts, and the gain of each trial."""
    meaning, _, *facts = str(seen).splitlines()
    told = tuple(("", sentence(_opened(fact.strip().rstrip(";")))) for fact in facts if not fact.startswith("    "))
    top = Text(_opened(meaning), paragraphs=(sentence(seen.advice),))
    return [top, Listing("What shows it", items=told), *_trials(seen), *_way_out(seen.escape)]


def _opened(words: str) -> str:
    return words[:1].upper() + words[1:]


def _way_out(way: Escape | None) -> Iterator[Figure]:
    """The loss along the direction in which it curves down most, either way."""
    if way is None:
        return
    sides = ("along it", "@gain", 1), ("the other way", "@soft", -1)
    traces = [
        line(
            [abs(length) for length, _ in way.looks if length * sign > 0],
            [fall for length, fall in way.looks if length * sign > 0],
            name,
            colour,
            1.8,
        )
        | {"mode": "lines+markers", "marker": {"size": 5}}
        for name, colour, sign in sides
    ]
    lengths = np.array([abs(length) for length, _ in way.looks])
    note = (
        f"By how much the loss falls with one step of each length: by {number(way.fall)} at best, with a length of "
        f"{number(way.length)}. Steps that raise it by more than that are left out; straight downhill brings "
        f"{number(way.downhill)} (the dashed line)."
    )
    layout = {
        "xaxis": log_axis("length of the step", lengths),
        "yaxis": axis("fall of the loss") | {"range": [-way.fall, 1.08 * way.fall]},
        "showlegend": True,
        **across(way.downhill, "straight downhill"),
    }
    yield Figure("Along the direction of most negative curvature", note, traces, layout)


def _trials(seen: Standstill) -> list[Figure]:
    going, *others = seen.trials
    if not others:
        return []
    gains = [trial.gain(going) for trial in others]
    drawn = dots([trial.what for trial in others], [gain.value for gain in gains], [g.interval() for g in gains])
    layout = {
        "xaxis": axis(f"by how much the loss is lower, {seen.plan.steps} steps onward"),
        "yaxis": NAMES,
        "shapes": [upright(seen.plan.worth)],
    }
    note = "Against going on as it is, within 95 %. Right of the dashed line, it would be worth having."
    return [Figure("What was tried", note, [drawn], layout, 150 + 42 * len(others))]
