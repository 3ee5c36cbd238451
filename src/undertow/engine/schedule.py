"""What a sweep does at each operation of a graph, made out beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple

import torch

from undertow.engine.graph import Graph

__all__ = ["Schedule", "Target", "Visit"]

KEPT_SCHEDULES = 64

_SCHEDULES: dict[Any, Schedule] = {}


class Target(NamedTuple):
    """Where one contribution goes: the output it belongs to, by its place among all outputs of the graph."""

    position: int
    place: int
    shape: tuple[int, ...]
    dtype: torch.dtype


class Visit(NamedTuple):
    """What a sweep does at one operation.

    Attributes:
        number: Which operation of the graph.
        name: Its type.
        places: Where the cotangents of its outputs wait, one beside the other.
        taken: What stands there once they are taken: nothing.
        wanted: For each input, whether its contribution leads anywhere.
        unwanted: The inputs whose contributions lead nowhere.
        targets: Where the others go.
    """

    number: int
    name: str
    places: slice
    taken: tuple[None, ...]
    wanted: tuple[bool, ...]
    unwanted: tuple[int, ...]
    targets: tuple[Target, ...]


class Schedule:
    """The visits of a sweep towards some operations of a graph. Graphs of one signature share it.

    Attributes:
        visits: The operations on a path to where the sweep goes, in order.
        places: How many outputs the operations of the graph have together.
        roots: The place of each output that the sweep starts from.
    """

    def __init__(self, graph: Graph, destinations: Iterable[int]):
        ends = [*accumulate(map(len, graph.spaces))]
        self.places = ends[-1]
        self._first = [0, *ends]
        self.roots = [self._first[index] + slot for index, slot in graph.roots]
        needed = graph.towards(destinations)
        self.visits = [self._visit(graph, index, needed) for index in range(len(graph)) if needed[index]]

    @classmethod
    def of(cls, graph: Graph, destinations: Iterable[int]) -> Schedule:
        """The schedule for a graph."""
        key = (graph.signature(), *destinations)
        if key not in _SCHEDULES:
            while len(_SCHEDULES) >= KEPT_SCHEDULES:
                _SCHEDULES.pop(next(iter(_SCHEDULES)))
            _SCHEDULES[key] = cls(graph, destinations)
        return _SCHEDULES[key]

    def _visit(self, graph: Graph, index: int, needed: list[bool]) -> Visit:
        edges = graph.edges[index]
        wanted = tuple([edge is not None and needed[edge[0]] for edge in edges])
        return Visit(
            index,
            type(graph.nodes[index]).__name__,
            slice(self._first[index], self._first[index + 1]),
            (None,) * len(graph.spaces[index]),
            wanted,
            tuple([position for position, want in enumerate(wanted) if not want]),
            tuple(
                [
                    Target(position, self._first[edge[0]] + edge[1], *graph.spaces[edge[0]][edge[1]])
                    for position, edge in enumerate(edges)
                    if edge is not None and wanted[position]
                ]
            ),
        )
