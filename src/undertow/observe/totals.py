"""How the result of a loss operation becomes the loss that a backward pass starts from."""

from __future__ import annotations

import math
from typing import Any

from undertow.engine.calculus.node import output_shape
from undertow.engine.graph import Graph
from undertow.observe.saved import saved

__all__ = ["share"]

SAME = frozenset(
    {
        "AliasBackward0",
        "CloneBackward0",
        "ReshapeAliasBackward0",
        "SqueezeBackward0",
        "SqueezeBackward1",
        "SumBackward0",
        "SumBackward1",
        "ToCopyBackward0",
        "UnsqueezeBackward0",
        "ViewBackward0",
    }
)
"""What hands on each entry as it is, added up or not."""

AVERAGES = frozenset({"MeanBackward0", "MeanBackward1"})


def share(graph: Graph, index: int) -> float:
    """What each entry of an operation's result counts in the loss; `nan` where they differ or something else enters."""
    if len(graph.roots) != 1:
        return math.nan
    counts, at = 1.0, graph.roots[0][0]
    while at != index:
        counts *= _factor(graph, at)
        inner = [edge for edge in graph.edges[at] if edge is not None]
        if len(inner) != 1 or math.isnan(counts):
            return math.nan
        at = inner[0][0]
    return counts


def _factor(graph: Graph, index: int) -> float:
    """What one operation multiplies each entry of its one input by."""
    node = graph.nodes[index]
    name = type(node).__name__
    if name in SAME:
        return 1.0
    if name in AVERAGES:
        entries: int = math.prod(node._saved_self_sym_sizes)
        return math.prod(output_shape(node)) / max(1, entries)
    if name == "MulBackward0":
        return _number(node, "other" if graph.edges[index][0] is not None else "self")
    if name == "DivBackward0":
        divisor = _number(node, "other")
        return 1 / divisor if divisor else math.nan
    return math.nan


def _number(node: Any, name: str) -> float:
    """A factor of one entry, that no gradient goes to."""
    factor = saved(node, name)
    return float(factor) if factor is not None and factor.numel() == 1 else math.nan
