"""What a loss written by hand compares its output with, had back from their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from undertow.engine.graph import Graph
from undertow.observe.outputs import output
from undertow.observe.saved import saved

__all__ = ["Residual", "residual"]

SIZES = frozenset({"AbsBackward0", "MulBackward0", "PowBackward0"})
"""What makes a distance of a difference."""


@dataclass(frozen=True, slots=True)
class Residual:
    """A difference of output and target, and what is made of it.

    Attributes:
        operation: Index of the operation that makes a distance of it.
        output, target: The two, of the same shape.
    """

    operation: int
    output: Tensor
    target: Tensor


def residual(graph: Graph, operations: Sequence[int]) -> Residual | None:
    """The first of these operations that works on the difference of an output that is known and something given."""
    for index in operations:
        difference = saved(graph.nodes[index], "self")
        inner = graph.edges[index][0] if type(graph.nodes[index]).__name__ in SIZES else None
        if inner is None or difference is None or type(graph.nodes[inner[0]]).__name__ != "SubBackward0":
            continue
        sides = graph.edges[inner[0]]
        if sum(side is None for side in sides) != 1 or graph.nodes[inner[0]]._saved_alpha != 1:
            continue
        sign = 1 if sides[0] is not None else -1
        made = output(graph, sides[0] or sides[1])
        if made is not None and made.numel() == difference.numel():
            made, difference = made.detach().reshape(difference.shape), difference.detach()
            return Residual(index, made, made - sign * difference)
    return None
