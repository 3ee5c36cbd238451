"""Gradient noise along a run."""

from __future__ import annotations

import math

import numpy as np

from undertow.noise import NoiseOfRun
from undertow.show.blocks import Block, Figure, Text
from undertow.show.traces import axis, line, log_axis
from undertow.show.words import number

__all__ = ["noise_blocks"]


def noise_blocks(seen: NoiseOfRun) -> list[Block]:
    """The noise scale of each window of a run, with where it lies."""
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
    note = (
        f"From step {steps[-1]:,} on, the noise scale is {number(last.scale.value)} examples, between "
        f"{number(last.interval[0])} and {_end(last.interval[1])} (95 %). Below it, doubling the batch nearly halves "
        "the steps; far above it, examples are wasted. Where there is no upper end, the signal cannot be told from 0."
    )
    return [Text("Gradient noise", paragraphs=(note,)), Figure("Noise scale over the run", "", traces, layout)]


def _end(value: float) -> str:
    return number(value) if math.isfinite(value) else "no upper end"
