"""What Plotly figures are made of: lines and axes, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NAMES",
    "across",
    "axis",
    "band",
    "beside",
    "distinct",
    "dots",
    "finite",
    "line",
    "log_axis",
    "loss_axis",
    "names_axis",
    "positive",
    "thinned",
    "upright",
]

MOST_POINTS = 1500
MOST_NAMES = 40
NAMES = {"type": "category", "autorange": "reversed", "automargin": True}
"""An axis of names, the first on top."""
Floats = NDArray[np.float64]


def thinned(steps: NDArray[Any], values: Floats, most: int = MOST_POINTS) -> tuple[list[int], Floats]:
    """At most so many points: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(steps) <= most:
        return [int(step) for step in steps], values
    kept: list[int] = []
    for stretch in np.array_split(np.arange(len(steps)), most // 2):
        known = np.nan_to_num(values[stretch], nan=0.0)
        kept += sorted({int(stretch[known.argmin()]), int(stretch[known.argmax()])})
    return [int(steps[place]) for place in kept], values[kept]


def line(x: Sequence[Any], y: Iterable[float], name: str, colour: str, width: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": finite(y),
        "name": name,
        "line": {"color": colour, "width": width},
    }


def band(x: Sequence[float], ends: Sequence[tuple[float, float]], name: str) -> Iterator[dict[str, Any]]:
    """The area between two ends."""
    edge = {"line": {"width": 0}, "hoverinfo": "skip"}
    yield line(x, [low for low, _ in ends], name, "@band", 0) | edge | {"showlegend": False}
    yield line(x, [high for _, high in ends], name, "@band", 0) | edge | {"fill": "tonexty", "fillcolor": "@band"}


def dots(names: Sequence[str], values: Iterable[float], ends: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """A dot for each name, and a line from one end to the other of where the truth lies."""
    at = finite(values)
    reach = [(0.0, 0.0) if x is None else (x - low, high - x) for x, (low, high) in zip(at, ends, strict=True)]
    below, above = (finite(each) for each in zip(*reach, strict=True)) if reach else ([], [])
    marks = {"size": 9, "color": "@gain"}
    error = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": "@gain"}
    return {"type": "scatter", "mode": "markers", "x": at, "y": [*names], "marker": marks, "error_x": error}


def upright(place: float, colour: str = "@muted") -> dict[str, Any]:
    """A dashed line from top to bottom."""
    line = {"dash": "dash", "width": 1.2, "color": colour}
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": place, "x1": place, "line": line}


def beside(place: float, words: str) -> dict[str, Any]:
    """Words at the top of an upright line, to its left."""
    return {"yref": "paper", "x": place, "y": 1, "text": words, "xanchor": "right", "showarrow": False}


def positive(sizes: Floats) -> Floats:
    """An exact zero has no place on a logarithmic axis: it becomes a gap."""
    return np.where(sizes > 0, sizes, np.nan)


def finite(values: Iterable[float]) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def axis(title: str) -> dict[str, Any]:
    return {"title": {"text": title}}


def log_axis(title: str, sizes: Floats) -> dict[str, Any]:
    """Marked at powers of ten, as many as can be read; at 1, 2 and 5 too where there are few, or evenly."""
    known = sizes[np.isfinite(sizes)]
    decades = float(np.log10(known.max() / known.min())) if known.size else 1.0
    within = {"tickformat": ",~g"} | ({"dtick": "D2"} if decades >= 0.7 else {"nticks": 6})
    marks = {"dtick": math.ceil(decades / 7)} if decades >= 2 else within
    return axis(title) | {"type": "log", "exponentformat": "power"} | marks


def loss_axis(losses: Iterable[float | None]) -> dict[str, Any]:
    """Logarithmic where losses are above zero and vary by more than a factor of ten."""
    known = np.array([loss for loss in losses if loss is not None and math.isfinite(loss)])
    wide = known.size > 0 and known.min() > 0 and known.max() > 10 * known.min()
    return log_axis("loss", known) if wide else axis("loss")


def names_axis(title: str, names: Sequence[str]) -> dict[str, Any]:
    return {
        "title": {"text": title},
        "type": "category",
        "showticklabels": len(names) <= MOST_NAMES,
        "automargin": True,
    }


def across(level: float, words: str) -> dict[str, Any]:
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": level, "y1": level}
    label = {
        "xref": "paper",
        "x": 1,
        "xanchor": "right",
        "y": level,
        "yanchor": "bottom",
        "text": words,
        "showarrow": False,
        "bgcolor": "@paper",
    }
    return {"shapes": [line | {"line": {"dash": "dash", "width": 1.2, "color": "@muted"}}], "annotations": [label]}


def distinct(names: Sequence[str]) -> list[str]:
    """Names of a category axis must differ: a name met again is numbered."""
    met: dict[str, int] = {}
    found = []
    for name in names:
        met[name] = met.get(name, 0) + 1
        found.append(name if met[name] == 1 else f"{name} ({met[name]})")
    return found
