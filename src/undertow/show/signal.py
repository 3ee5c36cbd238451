"""How much of the gradient is signal: over the run, and module by module."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from undertow.diagnose.signal import Signal, signal, signals
from undertow.show.blocks import Figure
from undertow.show.traces import NAMES, axis, band, dots, line
from undertow.show.words import number
from undertow.store.run import Run

__all__ = ["signal_and_noise"]

TITLE = "Signal and noise of the gradient"
MOST_MODULES = 40


def signal_and_noise(run: Run) -> Iterator[Figure]:
    """The share of signal in the gradient of a batch, over the run; and of each module, over its second half."""
    parts = signals(run)
    if parts:
        yield _over_the_run(run, parts)
        yield from _by_module(run)


def _over_the_run(run: Run, parts: Sequence[Signal]) -> Figure:
    note = (
        "Of the squared gradient of a batch, what the gradients of different steps have in common; all else is the "
        "noise of drawing one batch and not another. Between steps far apart the weights have moved, so there may be "
        f"more signal than is told. {_batch(run, parts)}"
    )
    if len(parts) == 1:
        return _at_once(parts[0], note)
    steps = [float(part.step) for part in parts]
    traces = [
        *band(steps, [part.interval for part in parts], "holds the truth 95 times in 100"),
        line(steps, [part.share for part in parts], "share of signal", "@gain", width=1.6),
    ]
    layout = {"xaxis": axis("optimizer step"), "yaxis": _shares(parts), "showlegend": True}
    return Figure(TITLE, note, traces, layout)


def _at_once(part: Signal, note: str) -> Figure:
    """One number for the whole run."""
    more = (
        " The line holds the truth 95 times in 100. One number stands for the whole run, as its gradient was measured "
        f"at so few steps: {2 * part.pairs}. A larger `--budget` measures at more."
    )
    layout = {"xaxis": _shares([part]), "yaxis": NAMES, "showlegend": False}
    return Figure(TITLE, note + more, [dots(["the run"], [part.share], [part.interval])], layout, 140)


def _batch(run: Run, parts: Sequence[Signal]) -> str:
    """Which batch would hold as much signal as noise."""
    rows = [seen.conditions.batch.rows for seen in run.passes if seen.conditions and seen.conditions.batch]
    when, (low, high) = "In the end" if len(parts) > 1 else "Over the run", parts[-1].times
    if not rows or low == 0:
        return ""
    if math.isinf(low):
        return f"{when} there was no signal to be seen: no batch of any size is large enough."
    least, most = (number(max(times * rows[-1], 1.0), 2) for times in (low, high))
    span = (
        f"of {least} example{'' if least == '1' else 's'} or more"
        if math.isinf(high)
        else f"of {least} to {most} examples"
    )
    return (
        f"{when}, a batch {span} holds as much signal as noise: up to there doubling it saves a quarter of the "
        f"steps or more (McCandlish et al. 2018). Batches had {rows[-1]:,}."
    )


def _by_module(run: Run) -> Iterator[Figure]:
    found = [(path or "the model", part) for path, part in _modules(run) if part is not None][:MOST_MODULES]
    if len(found) < 2:
        return
    parts = [part for _, part in found]
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": [part.share for part in parts],
        "y": [path for path, _ in found],
        "error_x": _bars(parts),
        "name": "share of signal",
        "marker": {"color": "@gain"},
    }
    yield Figure(
        "Signal and noise by module",
        "The same over the second half of the run, for the parameters of each module. "
        "Lines hold the truth 95 times in 100.",
        [trace],
        {
            "xaxis": _shares(parts),
            "yaxis": NAMES,
            "showlegend": False,
        },
        height=110 + 26 * len(found),
    )


def _modules(run: Run) -> Iterator[tuple[str, Signal | None]]:
    """Of each module with parameters, over the second half of the run, in the order of its parameters."""
    of: dict[str, list[int]] = {}
    for place, parameter in enumerate(run.parameters):
        of.setdefault(parameter.module, []).append(place)
    for path in of:
        yield path, signal(run, run.steps // 2, of[path])


def _bars(parts: Sequence[Signal]) -> dict[str, Any]:
    """From one end of the interval to the other."""
    above = [part.interval[1] - part.share for part in parts]
    below = [part.share - part.interval[0] for part in parts]
    return {
        "type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1.2, "color": "@soft",
    }  # fmt: skip


def _shares(parts: Sequence[Signal]) -> dict[str, Any]:
    least = max(min(0.0, *(part.interval[0] for part in parts)), min(-0.3, *(part.share for part in parts)))
    return axis("signal in the squared gradient") | {"range": [least - 0.02, 1.02], "tickformat": ".0%"}
