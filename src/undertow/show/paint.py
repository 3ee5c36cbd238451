"""Figures as Plotly's own objects, in the page's colours."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from plotly.graph_objects import Figure as Picture

from undertow.show.blocks import Figure

__all__ = ["painted", "palette"]

LIGHT, DARK = ":root {", ':root[data-theme="dark"] {'


@lru_cache
def palette(dark: bool) -> dict[str, str]:
    """The page's colours by name."""
    style = files("undertow.show").joinpath("templates", "page.css").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for start in (LIGHT, DARK) if dark else (LIGHT,):
        found |= dict(re.findall(r"--([\w-]+): ([^;]+);", style.partition(start)[2].partition("}")[0]))
    return found


def painted(block: Figure, dark: bool) -> Picture:
    """A figure as a page draws it, with its title."""
    colours = palette(dark)
    given = dict(block.layout)
    axes = {name: _axis(given.get(name, {}), colours) for name in ("xaxis", "yaxis") if "scene" not in given}
    title = {"text": block.title, "x": 0, "xref": "paper", "font": {"size": 16}}
    layout = {
        "title": title,
        "height": block.height + 60,
        "paper_bgcolor": "@paper",
        "plot_bgcolor": "@paper",
        "font": {"color": "@ink", "size": 13},
        "margin": {"l": 60, "r": 20, "t": 80, "b": 50},
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"},
        **given,
        **axes,
    }
    return Picture(data=_coloured([*block.data], colours), layout=_coloured(layout, colours))


def _axis(given: Any, colours: dict[str, str]) -> dict[str, Any]:
    ink, rule = colours["muted"], colours["rule"]
    return {"gridcolor": rule, "linecolor": rule, "zeroline": False, "tickfont": {"color": ink, "size": 12}, **given}


def _coloured(value: Any, colours: dict[str, str]) -> Any:
    """The same with its names of colours replaced."""
    if isinstance(value, str) and value.startswith("@"):
        name, _, place = value[1:].partition(":")
        return _strength(0.95 * float(place), colours) if name == "depth" else colours[name]
    if isinstance(value, (list, tuple)):
        return [_coloured(part, colours) for part in value]
    if isinstance(value, dict):
        return {key: _coloured(part, colours) for key, part in value.items()}
    return value


def _strength(place: float, colours: dict[str, str]) -> str:
    """A place on the scale of ten tones, as the page's script mixes it."""
    at = min(max(place, 0.0), 1.0) * 9
    low = min(int(at), 8)
    ends = [[int(colours[f"s{number}"][n : n + 2], 16) for n in (1, 3, 5)] for number in (low, low + 1)]
    mixed = [round(start + (end - start) * (at - low)) for start, end in zip(*ends, strict=True)]
    return f"rgb({', '.join(map(str, mixed))})"
