"""Gradient noise: of one batch, along a run, and what follows for the batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.noise import Estimate, GradientNoise, NoiseOfBatch, NoiseOfRun, Tradeoff
from undertow.show.blocks import Block, Facts, Figure, Text
from undertow.show.traces import NAMES, axis, band, dots, line, log_axis, positive
from undertow.show.words import number

__all__ = ["batch_blocks", "noise_blocks", "scale_blocks", "tradeoff_blocks"]

MEANING = "Below the noise scale, doubling the batch nearly halves the steps; far above it, examples are wasted."
BEST = (
    "With the step size that is best for each batch. Left of the bend, a batch twice as large halves the steps; right "
    "of it, it costs twice the examples (McCandlish et al. 2018, arXiv:1812.06162)."
)
AROUND = 30.0
"""By what factor the batches that are drawn lie above and below the one that pays."""

MOST_MODULES = 40
FLOOR = 1e-4
"""Of the largest: where an interval that reaches below 0 is cut off on a logarithmic axis."""

Ends = tuple[float, float]
Floats = NDArray[np.float64]


def noise_blocks(seen: NoiseOfRun) -> list[Block]:
    """The noise scale of each window of a run, with where it lies, and what other batches would have taken."""
    windows = seen.windows()
    steps = [step for step, _ in windows]
    low, high = (np.array([noise.interval[end] for _, noise in windows]) for end in (0, 1))
    known = np.where(np.isfinite(high), high, np.nan)
    scale = np.array([noise.scale.value if noise.scale.value > 0 else math.nan for _, noise in windows])
    dotted = {"line": {"color": "@soft", "width": 1.2, "dash": "dot"}}
    edge = {"mode": "lines+markers", "marker": {"size": 5}}
    traces = [
        line(steps, scale, "noise scale", "@gain", 2) | edge,
        line(steps, low, "at least, 95 %", "@soft", 1.2) | edge,
        line(steps, known, "at most, 95 %", "@soft", 1.2) | edge | dotted,
    ]
    sizes = np.concatenate([scale, low, known])
    layout = {"xaxis": axis("optimizer step"), "yaxis": log_axis("examples", sizes[sizes > 0]), "showlegend": True}
    last = windows[-1][1]
    note = f"From step {steps[-1]:,} on, {_scale(last)} {MEANING}"
    what = "the run to come as far"
    return [
        Text("Gradient noise", paragraphs=(note,)),
        Figure("Noise scale over the run", "", traces, layout),
        *_by_batch(seen.steps, seen.examples, _about(last.interval), what),
    ]


def scale_blocks(seen: GradientNoise) -> list[Block]:
    """The noise scale, and what it says of other batches."""
    return [
        Text("Gradient noise", paragraphs=(f"Of {seen.examples:,} examples, {_scale(seen)} {MEANING}",)),
        *_relative(seen),
        Facts("The noise in numbers", "Each with its standard error, in units of the squared gradient.", _facts(seen)),
    ]


def batch_blocks(seen: NoiseOfBatch) -> list[Block]:
    """The same of a batch, and module by module."""
    top, *others = scale_blocks(seen.whole)
    return [top, *_by_module(seen), *others]


def tradeoff_blocks(seen: Tradeoff) -> list[Block]:
    """Steps and examples to the target by batch."""
    low, high = seen.interval()
    told = "The runs do not tell the critical batch: no batch was large enough to be too large."
    if math.isfinite(seen.critical):
        told = (
            f"The critical batch is {number(seen.critical)} examples, between {number(low)} and {_end(high)} (95 %): "
            "it takes twice the least steps and twice the least examples."
        )
    rows = (("least steps", _estimated(seen.least_steps)), ("least examples", _estimated(seen.least_examples)))
    return [
        Text("Steps against examples", paragraphs=(told,)),
        *_by_batch(seen.steps, seen.examples, _about((low, high)), "the target"),
        Facts("The trade-off in numbers", "Each with its standard error.", rows),
    ]


def _scale(seen: GradientNoise) -> str:
    value, (low, high) = seen.scale.value, seen.interval
    if not math.isfinite(low):
        return "there is nothing to be told of noise: there is no gradient, or no noise in it."
    if not math.isfinite(high):
        return f"the noise scale is at least {number(low)} examples (95 %); how large, the signal is too faint to tell."
    return f"the noise scale is {number(value)} examples, between {number(low)} and {number(high)} (95 %)."


def _end(value: float) -> str:
    return number(value) if math.isfinite(value) else "no upper end"


def _estimated(found: Estimate) -> str:
    return f"{number(found.value)} ± {number(found.error, 2)}"


def _facts(seen: GradientNoise) -> tuple[tuple[str, str], ...]:
    return (
        ("signal", _estimated(seen.signal)),
        ("noise of one example", _estimated(seen.noise)),
        (f"signal over noise, batch of {seen.examples:,}", _estimated(seen.signal_to_noise)),
    )


def _by_module(seen: NoiseOfBatch) -> Iterator[Figure]:
    """The noise scale of each module, all of whose ends are known or cut off at the edge."""
    found = [(path or "the model", noise) for path, noise in seen.by_module().items()][:MOST_MODULES]
    ends = [noise.interval for _, noise in found]
    sizes = [end for pair in ends for end in pair if 0 < end < math.inf]
    if len(found) < 2 or not sizes:
        return
    least, most = min(sizes) / 2, max(sizes) * 2
    names = [path + ("" if math.isfinite(high) else " →") for (path, _), (_, high) in zip(found, ends, strict=True)]
    values = [noise.scale.value if least < noise.scale.value < most else math.nan for _, noise in found]
    middles = [math.sqrt(max(low, least) * min(high, most)) for low, high in ends]
    drawn = [middle if math.isnan(value) else value for value, middle in zip(values, middles, strict=True)]
    kept = [(max(low, least), min(high, most)) for low, high in ends]
    trace = dots(names, drawn, kept)
    trace["marker"] |= {"opacity": [0.0 if math.isnan(value) else 1.0 for value in values]}
    note = "Lines hold the truth 95 times in 100. With →, there is no upper end, and no dot where signal was not seen."
    examples = log_axis("noise scale, in examples", np.array(sizes))
    layout = {"xaxis": examples, "yaxis": NAMES, "showlegend": False}
    yield Figure("Noise scale by module", note, [trace], layout, 110 + 28 * len(found))


def _relative(seen: GradientNoise) -> Iterator[Figure]:
    """What a target takes, over the least that any batch would, for each batch."""
    scale, (low, high) = seen.scale.value, seen.interval
    if scale <= 0 or not (about := _about((low, high))) or not math.isfinite(high):
        return
    sizes = np.geomspace(*about, 60)
    steps = Curve("steps", "@gain", 1 + scale / sizes, 1 + low / sizes, 1 + high / sizes)
    examples = Curve("examples", "@loss", 1 + sizes / scale, 1 + sizes / high, 1 + sizes / low)
    yield _drawn(
        ("Steps and examples by batch", BEST), "times the least that any batch takes", sizes, (steps, examples)
    )


def _by_batch(
    steps: Callable[[float], Estimate], examples: Callable[[float], Estimate], about: Ends | None, what: str
) -> Iterator[Figure]:
    """Steps and examples to a target, for each batch."""
    if about is None:
        return
    sizes = np.geomspace(*about, 24)
    asked = (("Steps", BEST, "@gain", steps), ("Examples", "The same in examples.", "@loss", examples))
    for name, note, colour, told in asked:
        found = [told(float(size)) for size in sizes]
        values = np.array([estimate.value for estimate in found])
        low, high = np.maximum(np.array([estimate.interval() for estimate in found]), FLOOR * values.max()).T
        curve = Curve(name.lower(), colour, positive(values), low, high)
        yield _drawn((f"{name} by batch", note), f"{name.lower()} for {what}", sizes, [curve])


@dataclass(frozen=True)
class Curve:
    """A number for each batch, and the ends between which it lies."""

    name: str
    colour: str
    values: Floats
    low: Floats
    high: Floats


def _drawn(words: tuple[str, str], unit: str, sizes: Floats, curves: Sequence[Curve]) -> Figure:
    traces: list[dict[str, Any]] = []
    for curve in curves:
        ends = [*zip(curve.low.tolist(), curve.high.tolist(), strict=True)]
        traces += band(sizes.tolist(), ends, f"{curve.name}, 95 in 100")
        traces.append(line(sizes.tolist(), curve.values, curve.name, curve.colour, 1.8))
    known = np.concatenate([end for curve in curves for end in (curve.low, curve.high)])
    layout = {"xaxis": log_axis("examples in a batch", sizes), "yaxis": log_axis(unit, known), "showlegend": True}
    return Figure(*words, traces, layout)


def _about(ends: Ends) -> Ends | None:
    """The batches to draw: well below and well above the one that pays."""
    low, high = ends
    if not 0 < low < math.inf:
        return None
    return max(low / AROUND, 1.0), (high if math.isfinite(high) else low) * AROUND
