"""The pictures of a run, as Plotly figures in plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.finding import Review
from undertow.show.blocks import Block, Figure, Text
from undertow.show.moments import Moment, used_at
from undertow.show.traces import (
    across,
    axis,
    distinct,
    finite,
    line,
    log_axis,
    loss_axis,
    names_axis,
    positive,
    thinned,
)
from undertow.show.words import short_operation
from undertow.store.records import Activation, Pass
from undertow.store.run import Run
from undertow.store.updates import Updates

__all__ = ["activations", "depth", "gradients", "losses", "ratios"]

MOST_LINES = 40
MOST_LAYERS = 40
USUAL = 1e-3
BAND = (3e-4, 3e-3)
LOSSES = ("@line", "@gain", "@warn", "@soft")
Floats = NDArray[np.float64]
T = TypeVar("T")


def losses(run: Run, review: Review) -> Iterator[Figure]:
    """The loss over the run, with what guessing would cost."""
    traces: list[dict[str, Any]] = []
    for site, seen in run.losses.items():
        steps, values = thinned(seen.steps, seen.values)
        name = run.sites[site].source if site < len(run.sites) else f"site {site}"
        colour = LOSSES[site % len(LOSSES)]
        traces.append(line(steps, values, name, colour, width=1.6 if len(steps) < 400 else 1))
    traces += _evaluated(run)
    loss = loss_axis(loss for trace in traces for loss in trace["y"])
    layout: dict[str, Any] = {"xaxis": axis("optimizer step"), "yaxis": loss, "showlegend": len(traces) > 1}
    meant = "What training is meant to bring down" if review.outcome.kind != "unknown" else "What was differentiated"
    note = f"{meant}, at every step."
    if run.evaluations:
        note += " Dotted: the same computed without a gradient, as on held-out data; each point is one evaluation."
    if math.isfinite(review.outcome.chance):
        if "type" not in loss:
            layout |= across(review.outcome.chance, "chance")
        else:
            traces.append(_level(traces, review.outcome.chance))
        note += " The dashed line is chance: the loss of a network that ignores its input."
    broken = sorted(int(step) for seen in run.losses.values() for step in seen.steps[~np.isfinite(seen.values)])
    if broken:
        note += f" It was not a finite number at {len(broken):,} steps, first at step {broken[0]:,}."
    if traces:
        yield Figure("Loss", note, traces, layout)


def _evaluated(run: Run) -> Iterator[dict[str, Any]]:
    """The losses that were computed without a gradient, by the line that did; by those around it where that is one."""
    lines = [place.partition(" < ")[0] for place in run.evaluations]
    for number, (place, seen) in enumerate(run.evaluations.items()):
        name = place if lines.count(lines[number]) > 1 else lines[number]
        steps, values = thinned(seen.steps, seen.values)
        trace = line(steps, values, name, LOSSES[::-1][number % len(LOSSES)], width=1.6)
        dots = {"mode": "lines+markers", "marker": {"size": 5}} if len(steps) <= MOST_LINES else {}
        yield trace | dots | {"line": trace["line"] | {"dash": "dot"}}


def _level(traces: Sequence[Mapping[str, Any]], chance: float) -> dict[str, Any]:
    """Chance as a line of its own: words beside a shape would be set by exponents on a logarithmic axis."""
    steps = [step for trace in traces for step in trace["x"]]
    dashed = {"line": {"dash": "dash", "width": 1.2, "color": "@muted"}, "showlegend": False}
    return line([min(steps), max(steps)], [chance] * 2, "chance", "@muted", 1.2) | dashed


def depth(run: Run) -> Iterator[Figure]:
    """How much each layer's weights matter to the loss, from input to output, at several steps."""
    weights = _weights(run)
    if len(weights) < 2 or not run.updates:
        return
    names = [run.parameters[number].name for number in weights]
    chosen = list(_spread(run.updates, 4))
    table = positive(np.array([update.weight[weights] * update.gradient[weights] for _, update in chosen]))
    if not np.isfinite(table).any():
        return
    mode = {"mode": "lines+markers", "marker": {"size": 5}} if len(weights) <= MOST_LINES else {}
    traces = [
        line(names, sizes, f"step {update.step:,}", f"@depth:{0.12 + 0.76 * part:.3f}", width=2) | mode
        for (part, update), sizes in zip(chosen, table, strict=True)
    ]
    yield Figure(
        "Gradient over depth",
        "For each weight, the norm of its gradient times its own norm: how much the loss would feel a change of the "
        "whole weight, whatever its scale. A straight fall towards the input is a gradient that vanishes.",
        traces,
        {
            "xaxis": names_axis("weights, from the input to the loss", names),
            "yaxis": log_axis("‖gradient‖ · ‖weight‖", table),
        },
        height=380,
    )


def gradients(run: Run) -> Iterator[Figure]:
    """The gradient norm of each weight over the steps that were sampled."""
    yield from _over_steps(
        run,
        "Gradient norms",
        "The overall size of each weight's gradient, as the optimizer found it; one line a weight.",
        "‖gradient‖",
        lambda update: update.gradient,
        {},
    )


def ratios(run: Run) -> Iterator[Figure]:
    """How far each weight moved at a step, over its own size."""
    band = {
        "type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": BAND[0], "y1": BAND[1],
        "fillcolor": "@band", "line": {"width": 0}, "layer": "below",
    }  # fmt: skip
    yield from _over_steps(
        run,
        "Update ratios",
        "How far one optimizer step moved each weight, over the weight's own norm. About 0.001 is usual (the band; "
        "Stanford CS231n, “Neural Networks 3”): far below, a layer stands still; far above, it is thrown about.",
        "‖update‖ / ‖weight‖",
        lambda update: np.divide(
            update.update, update.weight, out=np.full_like(update.update, np.nan), where=update.weight > 0
        ),
        {"shapes": [band]},
    )


def activations(shown: Sequence[Moment]) -> Iterator[Block]:
    """For each activation, how much of it has no slope."""
    moment = max((moment for moment in shown if moment.seen.activations), key=lambda m: m.seen.step, default=None)
    if moment is None:
        return
    seen = list(moment.seen.activations)[:MOST_LAYERS]
    names = distinct([_activation_name(moment.seen, activation) for activation in seen])
    dead = [100 * float(np.mean(activation.flat)) if activation.units else 0.0 for activation in seen]
    flat = [100 * activation.flat_share for activation in seen]
    if not any([*dead, *flat]):
        told = f"At step {moment.seen.step:,}, no entry of an activation was without slope: all let the gradient pass."
        yield Text("Activations", paragraphs=(told,))
        return
    bars = [("units without slope on any input", dead, "@loss"), ("entries with next to no slope", flat, "@soft")]
    more = f" The {MOST_LAYERS} nearest the loss of {len(moment.seen.activations)}." if len(seen) == MOST_LAYERS else ""
    yield Figure(
        "Activations",
        f"At step {moment.seen.step:,}. Where an activation has no slope, no gradient passes: a unit without slope on "
        f"any input is dead; an entry with next to none is saturated, or switched off for that input.{more}",
        [
            {"type": "bar", "orientation": "h", "y": names, "x": finite(x), "name": n, "marker": {"color": c}}
            for n, x, c in bars
        ],
        {
            "xaxis": {"range": [0, 100], "ticksuffix": " %"},
            "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
            "barmode": "group",
            "showlegend": True,
        },
        height=110 + 34 * len(seen),
    )


def _activation_name(seen: Pass, activation: Activation) -> str:
    operation = seen.flow.topology.operations[activation.operation]
    return " ".join(filter(None, (operation.module, short_operation(operation.name))))


def _over_steps(
    run: Run, title: str, note: str, unit: str, size: Callable[[Updates], Floats], layout: Mapping[str, Any]
) -> Iterator[Figure]:
    weights = _weights(run)
    if not weights or not run.updates:
        return
    steps = [update.step for update in run.updates]
    table = positive(np.array([size(update) for update in run.updates]))
    if not np.isfinite(table[:, weights]).any():
        return
    chosen = list(_spread(weights, MOST_LINES))
    traces = [
        line(*thinned(np.array(steps), table[:, number]), run.parameters[number].name, f"@depth:{part:.3f}", width=1.4)
        for part, number in chosen
    ]
    if len(steps) == 1:
        traces = [trace | {"mode": "markers"} for trace in traces]
    shown = f" {len(chosen)} of {len(weights)} weights are drawn." if len(chosen) < len(weights) else ""
    axes = {
        "xaxis": axis("optimizer step"),
        "yaxis": log_axis(unit, table[:, weights]),
        "showlegend": False,
        "meta": {"depth": True},
    }
    yield Figure(title, note + shown, traces, axes | dict(layout), height=360)


def _weights(run: Run) -> list[int]:
    """The numbers of the trainable weights, from the input to the loss; biases and scales say little about depth."""
    numbered = [number for number, p in enumerate(run.parameters) if p.trainable]
    weights = [number for number in numbered if len(run.parameters[number].shape) > 1] or numbered
    place: dict[str, int] = {}
    for flow in {id(seen.flow.topology): seen.flow for seen in run.passes}.values():
        place |= {leaf: used_at(flow, index) for leaf, index in flow.topology.leaves().items()}
    return sorted(weights, key=lambda number: -place.get(run.parameters[number].name, 0))


def _spread(items: Sequence[T], most: int) -> Iterator[tuple[float, T]]:
    """At most so many of the items, evenly, each with its place between 0 and 1."""
    count = min(most, len(items))
    for place in range(count):
        part = place / (count - 1) if count > 1 else 0.0
        yield part, items[round(part * (len(items) - 1))]
