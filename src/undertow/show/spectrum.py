"""The eigenvalues of a matrix as a density."""

from __future__ import annotations

import numpy as np

from undertow.curvature import Density
from undertow.show.blocks import Block, Facts, Figure, Text
from undertow.show.traces import axis, line, log_axis
from undertow.show.words import number

__all__ = ["spectrum_blocks"]

LEAST = 1e-6
"""Of the greatest density: what lies below is not drawn, it is the tail of the bells alone."""


def spectrum_blocks(seen: Density) -> list[Block]:
    """Where the eigenvalues lie, and what is known of them as a whole."""
    places, density, error = seen.curve()
    floor = LEAST * float(density.max())
    drawn, low, high = (np.maximum(level, floor) for level in (density, density - 2 * error, density + 2 * error))
    edge = {"line": {"width": 0}, "hoverinfo": "skip", "fillcolor": "@band"}
    where = places.tolist()
    traces = [
        line(where, low, "", "@band", 0) | edge | {"showlegend": False},
        line(where, high, "two standard errors", "@band", 0) | edge | {"fill": "tonexty"},
        line(where, np.where(density > floor, drawn, np.nan), "density", "@gain", 1.8),
    ]
    layout = {"xaxis": axis("eigenvalue"), "yaxis": log_axis("density", drawn), "showlegend": True}
    note = (
        f"An estimate by Lanczos' method, from {len(seen.nodes)} random starts: each eigenvalue that a start tells of "
        "(a Ritz value) is drawn as a bell, as high as the share of the eigenvalues that it stands for."
    )
    words = "Logarithmic: most eigenvalues lie near 0, and the few others matter."
    return [
        Text(f"The spectrum of {seen.size:,} eigenvalues", paragraphs=(note,)),
        Figure("Spectral density", words, traces, layout),
        Facts("The spectrum in numbers", "Each with its standard error.", _facts(seen)),
    ]


def _facts(seen: Density) -> tuple[tuple[str, str], ...]:
    mean, below = seen.moment(1), seen.share_below(0.0)
    return (
        ("mean eigenvalue", f"{number(mean[0])} ± {number(mean[1])}"),
        ("below zero", f"{100 * below[0]:.1f} % ± {100 * below[1]:.1f}"),
        ("least and greatest Ritz value", f"{number(float(seen.nodes.min()))} to {number(float(seen.nodes.max()))}"),
        ("products with the matrix", f"{seen.products:,}"),
    )
