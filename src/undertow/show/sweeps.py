"""What a sweep by itself brought: a flow, the strongest path, a narrow dtype, the norms of single examples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from undertow.engine.flow import Flow
from undertow.engine.paths import Path
from undertow.engine.per_sample import SampleNorms
from undertow.engine.precision import Precision
from undertow.show.blocks import Block, Facts, Figure, Table, Text
from undertow.show.flowmap import flow_map
from undertow.show.judgement import account
from undertow.show.moments import Moment, furthest, used_at, weights_of
from undertow.show.traces import axis, distinct, line, log_axis, names_axis, positive
from undertow.show.words import TERMS, decades, number, short_operation
from undertow.store.records import LossHead, Pass

__all__ = ["flow_blocks", "path_blocks", "precision_blocks", "sample_blocks"]

Floats = NDArray[np.float64]


def flow_blocks(seen: Flow) -> list[Block]:
    """The flow map, the gradient over depth, and the account of the gradient that is furthest from the loss's."""
    target = furthest(seen)
    alone = Pass(0, 0, math.nan, seen, LossHead((), {}), None, (), ())
    moment = Moment(alone, "", "", target, seen.attribute(target) if target else None)
    drawn = flow_map([moment], (), None)
    told = [{**drawn.moments[0], "label": "this pass"}]
    found: list[Block] = [replace(drawn, moments=told), *_over_depth(seen)]
    if moment.account is not None:
        note = f"{TERMS['decade']} Every account sums to the same total, exactly."
        found.append(replace(account(moment), note=note))
    return found


def _over_depth(seen: Flow) -> Iterator[Figure]:
    leaves = weights_of(seen) or seen.topology.leaves()
    names = sorted(leaves, key=lambda name: -used_at(seen, leaves[name]))
    sizes = positive(np.array([seen.cotangents[leaves[name]] for name in names]))
    if np.isfinite(sizes).sum() < 2:
        return
    trace = line(names, sizes, "gradient", "@gain", 2) | {"mode": "lines+markers", "marker": {"size": 6}}
    layout = {
        "xaxis": names_axis("weights, from the input to the loss", names),
        "yaxis": log_axis("‖gradient‖", sizes),
        "showlegend": False,
    }
    note = "The norm, or overall size, of each weight's gradient. A gap is a gradient of zero, or one not finite."
    yield Figure("Gradient over depth", note, [trace], layout, 380)


def path_blocks(seen: Path) -> list[Block]:
    """How the product of the factors along a path shrinks or grows, step by step."""
    names = distinct([_word(step.operation) for step in seen.steps])
    traces = [
        line(names, [step.log10 for step in seen.steps], "product so far", "@gain", 2) | {"mode": "lines+markers"}
    ]
    layout = {
        "xaxis": names_axis("operations, from the loss to the leaf", names),
        "yaxis": axis("decades from the loss"),
        "showlegend": False,
    }
    told = f"It takes {len(seen.steps) - 1} operations and brings 10 to the power of {decades(seen.log10)}."
    rows = tuple(
        (_word(step.operation), step.module, ", ".join(map(str, step.entry)), decades(step.log10))
        for step in seen.steps
    )
    return [
        Text("The strongest path", paragraphs=(told,)),
        Figure("Along the path", f"The product of its factors so far. {TERMS['decade']}", traces, layout, 380),
        Table("Its steps", "", ("operation", "module", "through entry", "decades"), rows, frozenset({3})),
    ]


def _word(operation: str) -> str:
    return "the parameter" if operation == "AccumulateGrad" else short_operation(operation)


def precision_blocks(seen: Precision) -> list[Block]:
    """How far each gradient is off in the narrow dtype."""
    kind = str(seen.dtype).removeprefix("torch.")
    head = f"Gradients survive in {kind}" if seen.works else f"No loss scale lets gradients survive in {kind}"
    names = [*seen.gradients]
    errors = np.array([gradient.error for gradient in seen.gradients.values()])
    sizes = positive(np.where(np.isfinite(errors), errors, np.nan))
    rows = tuple(
        (name, number(g.error, 2), f"{100 * g.lost:.1f} %", f"{100 * g.overflowed:.1f} %")
        for name, g in seen.gradients.items()
    )
    found: list[Block] = [Text(head, paragraphs=(_judged(seen),))]
    if np.isfinite(sizes).any():
        dots = {"mode": "markers", "marker": {"size": 8, "color": "@gain"}}
        limit = {"line": {"color": "@muted", "width": 1.2, "dash": "dash"}}
        traces = [
            line(names, sizes, "relative error", "@gain", 0) | dots,
            line(names, [seen.tolerance] * len(names), "tolerated", "@muted", 1.2) | limit,
        ]
        layout = {
            "xaxis": names_axis("parameters", names),
            "yaxis": log_axis("relative error", np.append(sizes, seen.tolerance)),
            "showlegend": True,
        }
        note = f"With loss scale {number(seen.tried)}. A gap is a gradient that overflowed, or one that is exact."
        found.append(Figure("Error of each gradient", note, traces, layout, 380))
    columns = ("parameter", "relative error", "lost to zero", "overflowed")
    return [*found, Table("Each gradient", "Shares are of its entries.", columns, rows, frozenset({1, 2, 3}))]


def _judged(seen: Precision) -> str:
    noise = f" Not judged, being rounding noise already: {', '.join(sorted(seen.noise))}." if seen.noise else ""
    scale = f"With loss scale {number(seen.tried)}, the smallest that works. " if seen.works else ""
    return f"{scale}A gradient may be off by {100 * seen.tolerance:.0f} % of its norm.{noise}"


def sample_blocks(seen: SampleNorms) -> list[Block]:
    """How the norms of the examples' gradients are spread, and whose is the largest."""
    norms = seen.norms().double().cpu().numpy()
    known = np.flatnonzero(np.isfinite(norms))
    facts = Facts("The norms in numbers", "Examples are counted from 0.", tuple(_spread(norms, known)))
    return [*_spread_out(norms[known]), facts] if known.size else [facts]


def _spread_out(norms: Floats) -> Iterator[Figure]:
    counts, edges = np.histogram(norms, bins=math.ceil(2 * len(norms) ** (1 / 3)))
    bars = {
        "type": "bar",
        "x": ((edges[1:] + edges[:-1]) / 2).tolist(),
        "y": counts.tolist(),
        "width": np.diff(edges).tolist(),
        "marker": {"color": "@gain"},
    }
    layout = {"xaxis": axis("norm of an example's gradient"), "yaxis": axis("examples"), "showlegend": False}
    note = "How many examples have a gradient of which size."
    yield Figure("Gradients of single examples", note, [bars], layout)


def _spread(norms: Floats, known: NDArray[np.intp]) -> Iterator[tuple[str, str]]:
    yield "examples", f"{len(norms):,}"
    if known.size:
        least, most = (int(known[place]) for place in (norms[known].argmin(), norms[known].argmax()))
        yield "median", number(float(np.median(norms[known])))
        yield "largest", f"{number(float(norms[most]))}, of example {most:,}"
        yield "smallest", f"{number(float(norms[least]))}, of example {least:,}"
    if len(known) < len(norms):
        yield "not finite", f"{len(norms) - len(known):,}"
