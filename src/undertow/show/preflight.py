"""What two steps before a training told."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from undertow.preflight import Preflight, Reach
from undertow.show.blocks import Block, Figure, Listing, Table, Text
from undertow.show.traces import line, log_axis, names_axis
from undertow.show.words import duration, number, sentence

__all__ = ["preflight_blocks"]

FOUND, REMARK, WELL, UNKNOWN = "✗", "!", "✓", "–"


def preflight_blocks(seen: Preflight) -> list[Block]:
    """What would stop the run, what was measured, and the gradient over depth."""
    head = "Ready to train" if seen.ok else "Something would stop this network from learning"
    told = "Nothing was found that would stop this network from learning." if seen.ok else ""
    found = [(f"{FOUND} {f.code} {f.name}", f"{sentence(f.message)} {sentence(f.advice)}") for f in seen.findings]
    found += [(f"{REMARK} {f.code} {f.name}", sentence(f.message)) for f in seen.review.remarks]
    return [
        Text(head, paragraphs=(told,) if told else ()),
        *([Listing("What was found", items=tuple(found))] if found else []),
        Table(
            "What was measured",
            f"From two steps on one batch, at {duration(seen.seconds)} a step, observed in full; both were undone. "
            f"{WELL} is as it should be, {REMARK} is worth a look.",
            ("", "what", "measured", "beside"),
            tuple(_rows(seen)),
        ),
        *_depth(seen),
    ]


def _rows(seen: Preflight) -> Iterator[tuple[str, ...]]:
    chance = "not known for this loss" if math.isnan(seen.chance) else f"guessing costs {number(seen.chance, 4)}"
    yield WELL if math.isfinite(seen.loss) else REMARK, "first loss", number(seen.loss, 4), chance
    silent = sum(not math.isfinite(scale) for _, scale in seen.scales)
    if seen.scales:
        known = [scale for _, scale in seen.scales if math.isfinite(scale)]
        reached = f"{len(known)} of {len(seen.scales)}"
        yield REMARK if silent else WELL, "weights that get a gradient", reached, "all should, unless meant to stand"
        if known:
            spread = f"{number(max(known) - min(known), 2)} decades"
            yield UNKNOWN, "greatest over least gradient", spread, "a decade is a factor of ten"
    if seen.reach is not None:
        yield _reach(seen.reach)


def _reach(reach: Reach) -> tuple[str, ...]:
    fall = f"from {number(reach.before, 4)} to {number(reach.after, 4)}"
    far = (
        "as far as the gradient promised"
        if math.isinf(reach.best)
        else f"best: {number(reach.best, 2)} times this step"
    )
    return (WELL if reach.after < reach.before else REMARK), "loss of the batch, one step on", fall, far


def _depth(seen: Preflight) -> Iterator[Figure]:
    sizes = np.array([10.0**scale if math.isfinite(scale) else math.nan for _, scale in seen.scales])
    if np.isfinite(sizes).sum() < 2:
        return
    names = [name for name, _ in seen.scales]
    trace = line(names, sizes, "at the first step", "@gain", 2) | {"mode": "lines+markers", "marker": {"size": 6}}
    note = (
        "For each weight, the norm of its gradient times its own norm: how much the loss would feel a change of the "
        "whole weight, whatever its scale. A gap is a weight that gets no gradient."
    )
    layout = {
        "xaxis": names_axis("weights, from the input to the loss", names),
        "yaxis": log_axis("‖gradient‖ · ‖weight‖", sizes),
        "showlegend": False,
    }
    yield Figure("Gradient over depth", note, [trace], layout, 380)
