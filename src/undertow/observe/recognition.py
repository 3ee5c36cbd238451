"""Recognising a graph that was met before, for a fraction of what reading it costs."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from undertow.engine.graph import Graph
from undertow.engine.reading import ACCUMULATE_GRAD
from undertow.observe.catalogue import Known

__all__ = ["Met", "Recognition", "starts_of"]

Start = tuple[Any, int]

MOST_KEPT = 64


class Met(NamedTuple):
    """A graph about to be swept: what is known of it, its nodes in sweep order, its leaves and their numbers."""

    known: Known
    nodes: Sequence[Any]
    leaves: Sequence[Tensor]
    numbers: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Kept:
    known: Known
    order: list[int]
    leaves: list[weakref.ref[Tensor]]
    numbers: Sequence[int]


class Recognition:
    """Remembers graphs by a walk from their outputs, which meets the nodes of equal graphs in equal order."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    def find(self, starts: Sequence[Start]) -> Met | None:
        """The graph behind some outputs, if an equal one with the same leaves was kept."""
        nodes, leaves, mark = _walk(starts)
        kept = self._kept.get(mark)
        if kept is None or any(ref() is not leaf for ref, leaf in zip(kept.leaves, leaves, strict=True)):
            return None
        return Met(kept.known, [nodes[place] for place in kept.order], leaves, kept.numbers)

    def keep(self, starts: Sequence[Start], graph: Graph, known: Known, numbers: Sequence[int]) -> None:
        """Remember a graph that was read, with the numbers of its leaves in the order of sweeping."""
        nodes, leaves, mark = _walk(starts)
        places = {node: place for place, node in enumerate(nodes)}
        by_leaf = {id(leaf): number for (_, leaf), number in zip(graph.leaves(), numbers, strict=True)}
        while len(self._kept) >= MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        order = [places[node] for node in graph.nodes]
        self._kept[mark] = _Kept(known, order, [*map(weakref.ref, leaves)], [by_leaf[id(leaf)] for leaf in leaves])


def starts_of(outputs: Sequence[Any]) -> list[Start]:
    """Where a pass starts: the nodes of the outputs that have one."""
    starts = []
    for output in outputs:
        if isinstance(output, GradientEdge):
            starts.append((output.node, output.output_nr))
        elif output.requires_grad:
            edge = get_gradient_edge(output)
            starts.append((edge.node, edge.output_nr))
    return starts


def _walk(starts: Sequence[Start]) -> tuple[list[Any], list[Tensor], int]:
    """Nodes and leaves as they are met, and a number that only equal graphs with the same leaves share."""
    places: dict[Any, int] = {}
    nodes: list[Any] = []
    leaves: list[Tensor] = []
    seen: list[Any] = []
    for node, slot in starts:
        seen += (places.setdefault(node, len(nodes)), slot)
        if len(places) > len(nodes):
            nodes.append(node)
    for node in nodes:
        kind = type(node)
        seen.append(kind)
        if kind is ACCUMULATE_GRAD:
            leaf = node.variable
            leaves.append(leaf)
            seen += (id(leaf), leaf.shape, leaf.dtype)
            continue
        for output in node._input_metadata:
            seen += (*output.shape, output.dtype)
        for before, slot in node.next_functions:
            if before is None:
                seen.append(None)
                continue
            place = places.get(before)
            if place is None:
                place = places[before] = len(nodes)
                nodes.append(before)
            seen += (place, slot)
    return nodes, leaves, hash(tuple(seen))
