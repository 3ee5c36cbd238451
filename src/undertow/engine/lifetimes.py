"""Which operations let go of what they saved while a sweep runs, so that little more is held at once than before it."""

from __future__ import annotations

from itertools import accumulate
from math import prod

from undertow.engine.graph import Graph
from undertow.engine.reading import Space
from undertow.engine.saved import saves_input, saves_output

__all__ = ["LARGE", "SPARE", "letting_go"]

LARGE = 1 << 18
"""Bytes. As much is let go of in any case; of less, as gradients take up, for each tensor takes some microseconds."""

SPARE = 1 / 20
"""The share of what was saved by which a sweep may come to hold more than that: half of the tenth that is aimed at."""

MOST_KNOWN = 64
_KNOWN: dict[int, list[bool]] = {}

VIEWS = frozenset(
    name + "Backward0"
    for name in ("Alias", "Expand", "Permute", "ReshapeAlias", "Squeeze", "T", "Transpose", "UnsafeView", "Unsqueeze")
) | {"SqueezeBackward1", "ViewBackward0"}
"""Operations whose output is their input's memory."""


def letting_go(graph: Graph) -> list[bool]:
    """For each operation, whether it lets go: where a tensor is large, or else as far as gradients take its place.

    Graphs of one signature share the answer.
    """
    key = graph.signature()
    if key not in _KNOWN:
        while len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = _made_out(graph)
    return _KNOWN[key]


def _made_out(graph: Graph) -> list[bool]:
    weights = [_is_weight(graph, index) for index in range(len(graph))]
    let_go = [_largest(graph, index, weights) >= LARGE for index in range(len(graph))]
    sizes, holders = _memory(graph, weights)
    taken_by = [*accumulate(_taken(graph, index, weights) for index in range(len(graph)))]
    given, left = sum(sizes.values()) * SPARE, sum(sizes.values())
    for index, size in sizes.items():
        left -= size
        # As late as can be: what is let go of long before its place is taken goes back to the system, and costs more.
        if taken_by[index] > given or taken_by[-1] > given + left:
            for holder in holders[index]:
                let_go[holder] = True
        if all(let_go[holder] for holder in holders[index]):
            given += size
    return let_go


def _memory(graph: Graph, weights: list[bool]) -> tuple[dict[int, int], dict[int, list[int]]]:
    """For each operation whose output was saved, the size of that in bytes, and the operations that saved it."""
    made_by = _made_by(graph)
    holders: dict[int, list[int]] = {maker: [] for maker in made_by if not weights[maker]}
    for index, node in enumerate(graph.nodes):
        if saves_output(type(node)) and made_by[index] in holders:
            holders[made_by[index]].append(index)
        for edge in graph.edges[index] if saves_input(type(node)) else ():
            if edge is not None and made_by[edge[0]] in holders:
                holders[made_by[edge[0]]].append(index)
    sizes = {maker: sum(map(_bytes, graph.spaces[maker])) for maker in sorted(holders) if holders[maker]}
    return sizes, holders


def _made_by(graph: Graph) -> list[int]:
    """For each operation, the one that made the memory of its output: another one where it is a view."""
    made_by = [*range(len(graph))]
    for index in reversed(range(len(graph))):
        first = next((edge for edge in graph.edges[index] if edge is not None), None)
        if first is not None and type(graph.nodes[index]).__name__ in VIEWS:
            made_by[index] = made_by[first[0]]
    return made_by


def _taken(graph: Graph, index: int, weights: list[bool]) -> int:
    """Bytes of the gradients that come into being at an operation, and stay."""
    if weights[index]:
        return 0
    return sum(_bytes(graph.spaces[edge[0]][edge[1]]) for edge in graph.edges[index] if edge and weights[edge[0]])


def _largest(graph: Graph, index: int, weights: list[bool]) -> int:
    """Bytes of the largest of an operation's outputs and inputs, weights left out."""
    inputs = [graph.spaces[edge[0]][edge[1]] for edge in graph.edges[index] if edge and not weights[edge[0]]]
    return max(map(_bytes, [*graph.spaces[index], *inputs]))


def _bytes(space: Space) -> int:
    shape, dtype = space
    return prod(shape) * dtype.itemsize


def _is_weight(graph: Graph, index: int) -> bool:
    """Whether an operation is a leaf, or a view or the like of leaves."""
    return all(edge is None or not graph.edges[edge[0]] for edge in graph.edges[index])
