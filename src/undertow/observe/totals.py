"""How the result of a loss operation becomes the loss that a backward pass starts from."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from undertow.engine.graph import Graph
from undertow.observe.saved import saved

__all__ = ["Share", "Shares", "shares"]

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
        entry: What each entry of it counts.
        smoothed: Share of each target that is spread evenly over all classes (label smoothing).
    """

    entry: float
    smoothed: float = 0.0


@dataclass(frozen=True, slots=True)
class Shares:
    """What each of some operations is of a loss that is made of nothing else.

    Attributes:
        of: The share of each that enters.
        constant: Whether numbers are added that no gradient goes to.
    """

    of: Mapping[int, Share]
    constant: bool


def shares(graph: Graph, losses: Collection[int]) -> Shares | None:
    """What these operations' results are of the loss, by way of all that is done to them; `None` if others enter."""
    found: dict[int, Share] = {}
    ways, constant = [(root, 1.0) for root, _ in graph.roots], False
    while ways:
        at, entry = ways.pop()
        inner = [edge[0] for edge in graph.edges[at] if edge is not None]
        name = type(graph.nodes[at]).__name__
        if at in losses:
            found[at] = Share(entry + (found[at].entry if at in found else 0.0))
        elif len(inner) == 2 and (spread := _smoothing(graph, at, losses)) is not None:
            found[spread[0]] = Share(entry, spread[1])
        elif name == "StackBackward0" or (name == "AddBackward0" and graph.nodes[at]._saved_alpha == 1):
            constant = constant or None in graph.edges[at]
            ways += [(below, entry) for below in inner]
        elif len(inner) == 1 and not math.isnan(factor := _factor(graph, at)):
            ways.append((inner[0], entry * factor))
        else:
            return None
    return Shares(found, constant) if found and len(graph.roots) == 1 else None


SPREADING = SAME | {"DivBackward0", "MaskedFillBackward0", "NegBackward0"}


def _smoothing(graph: Graph, index: int, losses: Collection[int]) -> tuple[int, float] | None:
    """Of a sum of a loss and the mean of the same log-probabilities over classes, the loss and the share of the mean.

    This is what PyTorch's own cross-entropy makes of `label_smoothing`.
    """
    first, second = (edge[0] for edge in graph.edges[index] if edge is not None)
    names = [type(graph.nodes[at]).__name__ for at in (index, first, second)]
    if names != ["AddBackward0", "MulBackward1", "MulBackward1"]:
        return None
    inner, at = graph.edges[first][0], graph.edges[second][0]
    while at is not None and type(graph.nodes[at[0]]).__name__ in SPREADING:
        at = graph.edges[at[0]][0]
    if inner is None or inner[0] not in losses or at != graph.edges[inner[0]][0]:
        return None
    weighted = saved(graph.nodes[inner[0]], "weight") is not None
    return None if weighted else (inner[0], 1 - float(graph.nodes[first]._saved_other))


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
