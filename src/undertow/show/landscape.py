"""A slice of the loss as a map and as a surface, and a path between two solutions as a curve."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.landscape import Barrier, Slice, Track
from undertow.show.blocks import Block, Facts, Figure, Text
from undertow.show.traces import across, axis, line, log_axis
from undertow.show.words import number

__all__ = ["path_blocks", "slice_blocks"]

Floats = NDArray[np.float64]

LEVELS = 24
"""Lines of equal loss on the map."""

SCENE = {"color": "@muted", "gridcolor": "@rule", "showbackground": False, "zeroline": False}

LOGARITHMIC = 10.0
"""By how much the loss must vary to be drawn on a logarithmic scale."""


def slice_blocks(seen: Slice, track: Track | None = None) -> list[Block]:
    """What there is to show of a slice, with a trajectory in it if one is given."""
    pictures = _curve(seen) if len(seen.axes) == 1 else [*_map(seen, track), *_surface(seen)]
    return [
        Text(_title(seen), paragraphs=(_reading(seen),)),
        *pictures,
        Facts("The slice in numbers", "", (*_facts(seen, track),)),
    ]


def path_blocks(seen: Barrier) -> list[Block]:
    """The loss on the way from one solution to another, and how high it rises."""
    straight = seen.losses - seen.rises
    top = float(seen.losses[int(seen.rises.argmax())])
    traces = [
        line(seen.positions.tolist(), seen.losses, "on the straight path", "@loss", 2),
        line(seen.positions.tolist(), straight, "straight between the ends' losses", "@muted", 1.2),
        *([_mark((seen.top, top), f"barrier, {number(seen.height)} high", "circle")] if seen.height > 0 else []),
    ]
    rise = (
        f"The loss rises by {number(seen.height)} above the line between its ends, at {seen.top:.2f} of the way."
        if seen.height > 0
        else "The loss rises nowhere above the line between its ends: there is no barrier."
    )
    note = f"{rise} Batch normalisation: {seen.statistics} statistics. {len(seen.positions)} points."
    layout = {"xaxis": axis("from the first solution (0) to the second (1)"), "yaxis": axis("loss"), "showlegend": True}
    return [Text("Between two solutions", paragraphs=(note,)), Figure("Loss on the path", "", traces, layout)]


def _title(seen: Slice) -> str:
    told, names = seen.settings, " and ".join(dict.fromkeys(seen.names))
    along = names if len(seen.axes) == 1 else f"two directions, {names}"
    return f"The loss of {told['model']} on {told['data']}, along {along}"


def _reading(seen: Slice) -> str:
    return (
        f"{_length(seen)} Batch normalisation: {seen.settings['batch statistics']} statistics. A slice shows one or "
        "two of very many directions: what looks like a minimum in it need not be one."
    )


def _length(seen: Slice) -> str:
    """What 1 on an axis is."""
    if all(name == "given" for name in seen.names):
        return "The directions are drawn as they were given; 1 is one length of a direction."
    given = " Directions given as tensors are drawn as they are." if "given" in seen.names else ""
    return f"Directions are normalised by {seen.settings['normalisation']}; 1 is one length of a direction.{given}"


def _facts(seen: Slice, track: Track | None) -> Iterator[tuple[str, str]]:
    where, least = seen.minimum
    yield "points", " × ".join(str(len(one)) for one in seen.axes)
    yield "least loss on the slice", f"{number(least)} at ({', '.join(map(number, where))})"
    yield "greatest", number(float(np.nanmax(seen.losses)))
    if seen.interpolation is None:
        yield "evaluated", f"every point, {seen.way}"
    else:
        fit = seen.interpolation
        yield "evaluated", f"{fit.measured} points, then a polynomial of degree {fit.order}; {seen.way}"
        yield "its greatest relative error, by points held out", number(fit.error)
    if track is not None:
        yield "of the trajectory lies outside the slice", f"{100 * float(np.median(track.outside)):.0f} % (median)"


def _scaled(losses: Floats) -> tuple[Floats, bool]:
    """Losses as they are drawn: their logarithms where they vary much."""
    known = losses[np.isfinite(losses)]
    logarithmic = bool(known.size and known.min() > 0 and known.max() > LOGARITHMIC * known.min())
    with np.errstate(divide="ignore", invalid="ignore"):
        return (np.log10(losses) if logarithmic else losses), logarithmic


def _grid(values: Floats) -> list[list[float | None]]:
    return [[float(v) if np.isfinite(v) else None for v in row] for row in values]


def _colours(heights: Floats, logarithmic: bool) -> dict[str, Any]:
    """The scale of colours, labelled in loss."""
    known = heights[np.isfinite(heights)]
    ticks = np.linspace(known.min(), known.max(), 6)
    words = [number(10**tick if logarithmic else float(tick)) for tick in ticks]
    bar = {"title": {"text": "loss"}, "tickvals": ticks.tolist(), "ticktext": words, "thickness": 12, "outlinewidth": 0}
    return {"colorscale": "Viridis", "colorbar": bar}


def _map(seen: Slice, track: Track | None) -> Iterator[Figure]:
    x, y = (one.tolist() for one in seen.axes)
    heights, logarithmic = _scaled(seen.losses)
    known = heights[np.isfinite(heights)]
    step = float(np.ptp(known)) / LEVELS or 1.0
    contour = {
        "type": "contour",
        "x": x,
        "y": y,
        "z": _grid(heights.T),
        "customdata": _grid(seen.losses.T),
        "hovertemplate": "(%{x:.3g}, %{y:.3g})<br>loss %{customdata:.4g}<extra></extra>",
        "contours": {"start": float(known.min()), "end": float(known.max()), "size": step},
        "line": {"width": 0.5, "color": "rgba(255,255,255,0.45)"},
        "showlegend": False,
        **_colours(heights, logarithmic),
    }
    where, least = seen.minimum
    marks = [_mark((0.0, 0.0), "the model", "circle"), _mark(where, f"least, {number(least)}", "star")]
    layout = {
        "xaxis": axis(f"{seen.names[0]} (1st direction)") | {"range": [x[0], x[-1]]},
        "yaxis": axis(f"{seen.names[1]} (2nd direction)") | {"range": [y[0], y[-1]]},
        "showlegend": True,
    }
    scale = "logarithmic" if logarithmic else "linear"
    yield Figure("Map", f"Lines of equal loss, {scale} in the loss.", [contour, *_trail(track), *marks], layout, 560)


def _mark(at: tuple[float, ...], name: str, symbol: str) -> dict[str, Any]:
    edge = {"color": "black", "width": 1.5}
    marker = {"size": 14 if symbol == "star" else 10, "symbol": symbol, "color": "white", "line": edge}
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [at[0]],
        "y": [at[1]],
        "name": name,
        "marker": marker,
        "cliponaxis": False,
    }


def _trail(track: Track | None) -> list[dict[str, Any]]:
    """The run on the map: white on black, so that it shows on every colour."""
    if track is None:
        return []
    x, y = track.coordinates.T.tolist()
    outside = track.outside.tolist()
    under = line(x, y, "", "black", 5) | {"hoverinfo": "skip", "showlegend": False}
    told = "checkpoint %{pointNumber}<br>%{customdata:.0%} of its way outside<extra></extra>"
    over = line(x, y, "trajectory, projected", "white", 2.5)
    marker = {"size": 5, "color": "white", "line": {"color": "black", "width": 1}}
    return [under, over | {"mode": "lines+markers", "marker": marker, "customdata": outside, "hovertemplate": told}]


def _surface(seen: Slice) -> Iterator[Figure]:
    heights, logarithmic = _scaled(seen.losses)
    surface = {
        "type": "surface",
        "x": seen.axes[0].tolist(),
        "y": seen.axes[1].tolist(),
        "z": _grid(heights.T),
        "customdata": _grid(seen.losses.T),
        "hovertemplate": "(%{x:.3g}, %{y:.3g})<br>loss %{customdata:.4g}<extra></extra>",
        "contours": {"z": {"show": True, "width": 1, "usecolormap": True, "project": {"z": True}}},
        **_colours(heights, logarithmic),
    }
    titles = f"{seen.names[0]} (1st)", f"{seen.names[1]} (2nd)", "log₁₀ loss" if logarithmic else "loss"
    scene = {
        **{f"{letter}axis": axis(title) | SCENE for letter, title in zip("xyz", titles, strict=True)},
        "camera": {"eye": {"x": 1.15, "y": -1.25, "z": 0.85}, "center": {"x": 0, "y": 0, "z": -0.15}},
        "aspectratio": {"x": 1, "y": 1, "z": 0.65},
    }
    yield Figure("Surface", "The same as a surface; drag to turn it.", [surface], {"scene": scene}, 560)


def _curve(seen: Slice) -> list[Figure]:
    x = seen.axes[0].tolist()
    _, logarithmic = _scaled(seen.losses)
    centre = float(np.interp(0.0, seen.axes[0], seen.losses))
    traces = [line(x, seen.losses, "loss", "@loss", 2)]
    loss = log_axis("loss", seen.losses) if logarithmic else axis("loss")
    layout = {"xaxis": axis(f"along {seen.names[0]}"), "yaxis": loss, "showlegend": False}
    if not logarithmic:
        layout |= across(centre, "where the model is")
    return [Figure("Curve", "The loss along the direction.", traces, layout)]
