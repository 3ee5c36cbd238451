"""How the result of a loss operation becomes the loss that a backward pass starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from undertow.engine.graph import Graph
from undertow.observe.saved import saved

__all__ = ["Share", "share"]

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


@dataclass(frozen=True, slots=True)
class Share:
    """What an operation's result is of the loss.

    Attributes:
        entry: What each entry of it counts; `nan` where they differ, or something else enters.
        smoothed: Share of each target that is spread evenly over all classes (label smoothing).
    """

    entry: float
    smoothed: float = 0.0


UNKNOWN = Share(math.nan)


def share(graph: Graph, index: int) -> Share:
    """What an operation's result is of the loss, by way of all that is done to it."""
    if len(graph.roots) != 1:
        return UNKNOWN
    entry, at = 1.0, graph.roots[0][0]
    while at != index:
        inner = [edge for edge in graph.edges[at] if edge is not None]
        if len(inner) == 2 and (spread := _smoothing(graph, at, index)):
            return Share(entry, spread)
        entry *= _factor(graph, at)
        if len(inner) != 1 or math.isnan(entry):
            return UNKNOWN
        at = inner[0][0]
    return Share(entry)


SPREADING = SAME | {"DivBackward0", "MaskedFillBackward0", "NegBackward0"}


def _smoothing(graph: Graph, index: int, loss: int) -> float:
    """Of a sum of the loss operation and the mean of the same log-probabilities over classes, the share of the latter.

    This is what PyTorch's own cross-entropy makes of `label_smoothing`; 0 of any other sum.
    """
    first, second = (edge[0] for edge in graph.edges[index] if edge is not None)
    names = [type(graph.nodes[at]).__name__ for at in (index, first, second)]
    if names != ["AddBackward0", "MulBackward1", "MulBackward1"] or graph.edges[first][0] != (loss, 0):
        return 0.0
    at = graph.edges[second][0]
    while at is not None and type(graph.nodes[at[0]]).__name__ in SPREADING:
        at = graph.edges[at[0]][0]
    weighted = saved(graph.nodes[loss], "weight") is not None
    return 1 - float(graph.nodes[first]._saved_other) if at == graph.edges[loss][0] and not weighted else 0.0


def _factor(graph: Graph, index: int) -> float:
    """What one operation multiplies each entry of its one input by."""
    node = graph.nodes[index]
    name = type(node).__name__
    if name in SAME:
        return 1.0
    if name in AVERAGES:
        left, entries = math.prod(node._input_metadata[0].shape), math.prod(node._saved_self_sym_sizes)
        return float(left / max(1, entries))
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
