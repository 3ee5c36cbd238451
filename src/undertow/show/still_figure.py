"""Figures made of lines, drawn beforehand for a page whose script does not run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from undertow.show.blocks import Figure
from undertow.show.traces import thinned

__all__ = ["StillFigure", "still_figure"]

POINTS = 4000
"""Of all lines of a figure together."""
SIDE = 1000
"""Of the drawing, which is stretched to its place."""
TONES = 9
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MARKS = 6
DOT = 6


@dataclass(frozen=True)
class StillFigure:
    """What a template needs to draw a figure; places are in thousandths of its width and height, from the left and top.

    Attributes:
        areas: Path and colour of what is filled.
        lines: Path, colour, width and dashes of what is drawn.
        across, down: Places and words of the marks along each side.
        names: Axis titles, of x and of y.
        legend: Name and colour of each line, where the figure has a legend.
        words: Place from the top, and words, of what is said of a level.
    """

    areas: Sequence[tuple[str, str]]
    lines: Sequence[tuple[str, str, float, bool]]
    across: Sequence[tuple[float, str]]
    down: Sequence[tuple[float, str]]
    names: tuple[str, str]
    legend: Sequence[tuple[str, str]]
    words: Sequence[tuple[float, str]]


def still_figure(block: Figure) -> StillFigure | None:
    """A figure of lines over numbers; `None` of one that is made of anything else, or of no points."""
    named = block.layout.get("yaxis", {}).get("type") == "category"
    if named or any(trace["type"] != "scatter" for trace in block.data):
        return None
    layout, shapes = block.layout, block.layout.get("shapes", ())
    names = _names(block)
    xs = [[names.index(x) for x in trace["x"]] if names else trace["x"] for trace in block.data]
    levels = [y for trace in block.data for y in trace["y"]] + [shape[key] for shape in shapes for key in ("y0", "y1")]
    across, down = _Axis.of(layout["xaxis"], [x for row in xs for x in row]), _Axis.of(layout["yaxis"], levels)
    if across is None or down is None:
        return None
    paths = [_path(across, down, x, trace["y"], POINTS // len(xs)) for x, trace in zip(xs, block.data, strict=True)]
    filled = [place for place, trace in enumerate(block.data) if trace.get("fill") == "tonexty" and place]
    areas = [(_between(paths[place - 1], paths[place]), _tone(block.data[place]["fillcolor"])) for place in filled]
    drawn = [(path, *_pen(trace), False) for path, trace in zip(paths, block.data, strict=True)]
    return StillFigure(
        areas=[*areas, *((_level(down, s), _tone(s["fillcolor"])) for s in shapes if s["type"] == "rect")],
        lines=[
            *(line for line in drawn if line[2] and line[0]),
            *((_level(down, s), _tone(s["line"]["color"]), 1.2, True) for s in shapes if s["type"] == "line"),
        ],
        across=_labelled(names) if names else list(across.marks()),
        down=[(SIDE - place, words) for place, words in down.marks()],
        names=(layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"]),
        legend=[(t["name"], tone) for t, (_, tone, width, _) in zip(block.data, drawn, strict=True) if width]
        if layout.get("showlegend", len(block.data) > 1)
        else [],
        words=[(SIDE - down.at(told["y"]), told["text"]) for told in layout.get("annotations", ())],
    )


@dataclass(frozen=True)
class _Axis:
    """From numbers to thousandths."""

    low: float
    high: float
    log: bool

    @classmethod
    def of(cls, layout: Mapping[str, Any], values: Sequence[float | None]) -> _Axis | None:
        log = layout.get("type") == "log"
        known = [v for v in values if v is not None and math.isfinite(v) and (v > 0 or not log)]
        if not known:
            return None
        low, high = (math.log10(v) if log else float(v) for v in (min(known), max(known)))
        room = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
        return cls(low - room, high + room, log)

    def at(self, value: float) -> float:
        return SIDE * ((math.log10(value) if self.log else value) - self.low) / (self.high - self.low)

    def marks(self) -> Iterator[tuple[float, str]]:
        """At round numbers; of a logarithmic axis of a decade and more, at powers of ten."""
        if self.log and self.high - self.low >= 1:
            step = float(math.ceil((self.high - self.low) / MARKS))
        else:
            step = _round((self.high - self.low) / MARKS)
        for number in range(math.ceil(self.low / step), math.floor(self.high / step) + 1):
            value = number * step
            yield SIDE * (value - self.low) / (self.high - self.low), self._words(value, step)

    def _words(self, value: float, step: float) -> str:
        if not self.log:
            return _words(value)
        return f"10{f'{value:.0f}'.translate(RAISED)}" if step >= 1 else _words(10**value)


def _round(step: float) -> float:
    """The next of 1, 2, 5, 10, …"""
    power = 10.0 ** math.floor(math.log10(step))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step * (1 - 1e-9))


def _words(value: float) -> str:
    return (f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}").replace("-", "−")


def _names(block: Figure) -> list[str]:
    """What stands along an axis of names, in order; nothing where it is one of numbers."""
    if block.layout["xaxis"].get("type") != "category":
        return []
    return list(dict.fromkeys(name for trace in block.data for name in trace["x"]))


def _labelled(names: Sequence[str]) -> list[tuple[float, str]]:
    """The first and the last of them, for which there is room."""
    return [(40.0, names[0]), (960.0, names[-1])] if len(names) > 1 else [(500.0, names[0])]


def _path(across: _Axis, down: _Axis, x: Sequence[float], y: Sequence[float | None], most: int) -> str:
    """Broken where there is no value."""
    values = np.array([np.nan if value is None else value for value in y], dtype=float)
    kept, _ = thinned(np.arange(len(values)), values, max(most, 20))
    parts, broken = [], True
    for place in kept:
        value = values[place]
        if math.isfinite(value) and (value > 0 or not down.log):
            parts.append(f"{'M' if broken else 'L'}{across.at(x[place]):.0f} {SIDE - down.at(value):.0f}")
        broken = not math.isfinite(value)
    return "".join(parts) if len(parts) != 1 else f"{parts[0]}h0"


def _pen(trace: Mapping[str, Any]) -> tuple[str, float]:
    """Colour and width, of a line or of a dot; a dot may have no line."""
    drawn = trace.get("line", {})
    return _tone(drawn.get("color", "@line")), DOT if trace.get("mode") == "markers" else drawn["width"]


def _between(low: str, high: str) -> str:
    """The area between two lines, which are not broken."""
    back = "".join(f"L{point}" for point in reversed(high[1:].split("L")))
    return f"{low}{back}Z"


def _level(down: _Axis, shape: Mapping[str, Any]) -> str:
    """Across the whole figure: a line, or a band."""
    top, bottom = (min(max(SIDE - down.at(shape[key]), 0), SIDE) for key in ("y1", "y0"))
    return f"M0 {top:.0f}H{SIDE}" + (f"V{bottom:.0f}H0Z" if shape["type"] == "rect" else "")


def _tone(colour: str) -> str:
    """The page's colour of a name that begins with `@`."""
    name, _, place = colour.removeprefix("@").partition(":")
    return f"var(--s{round(0.95 * TONES * float(place))})" if name == "depth" else f"var(--{name})"
