"""Reading what PyTorch recorded: which nodes there are, in which order they are swept, and where each sends.

A training step records the same graph over and over, of new nodes. So outlines are kept, and a new graph is
recognised by one walk from its outputs, which meets the nodes of equal graphs in equal order and takes a third
of the time of making out the order anew.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import attrgetter, gt, methodcaller
from typing import Any

import torch
from torch.autograd.graph import get_gradient_edge

__all__ = ["ACCUMULATE_GRAD", "Outline", "Space", "Start", "Targets", "read"]

Targets = tuple[tuple[int, int] | None, ...]
Space = tuple[tuple[int, ...], torch.dtype]
Start = tuple[Any, int]

ACCUMULATE_GRAD: Any = type(get_gradient_edge(torch.zeros((), requires_grad=True)).node)

FORESEEN: frozenset[Any] = frozenset(
    vars(torch._C._functions).get(name)
    for name in (
        "AddBackward0",
        "AddmmBackward0",
        "BmmBackward0",
        "CloneBackward0",
        "DivBackward0",
        "EluBackward0",
        "GeluBackward0",
        "LeakyReluBackward0",
        "MmBackward0",
        "MulBackward0",
        "NegBackward0",
        "ReluBackward0",
        "SigmoidBackward0",
        "SiluBackward0",
        "SubBackward0",
        "TBackward0",
        "TanhBackward0",
    )
)
"""Operations whose output's shape and dtype follow from those of their inputs, if all are in the graph.

Reading shapes is what takes longest.
"""

END = ()
"""Where in a walk the next node follows."""

MOST_KEPT = 64


@dataclass(frozen=True)
class Outline:
    """A graph without its nodes: what one training step has in common with the next.

    Attributes:
        kinds: The type of each node, in sweep order.
        edges: For each node, one entry per input: `(receiver, slot)`, or `None` where nothing flows.
        spaces: For each node, shape and dtype of each of its outputs.
        roots: `(node, slot)` of each output that it was read from.
    """

    kinds: tuple[type, ...]
    edges: tuple[Targets, ...]
    spaces: tuple[tuple[Space, ...], ...]
    roots: tuple[tuple[int, int], ...]

    @cached_property
    def structure(self) -> int:
        """A number that two graphs share if they have the same operations, edges and roots, of whatever shapes."""
        return hash((self.kinds, self.edges, self.roots))

    @cached_property
    def signature(self) -> int:
        """A number that two graphs share if they have the same shapes and dtypes, too."""
        return hash((self.structure, self.spaces))

    @cached_property
    def leaves(self) -> tuple[int, ...]:
        """The nodes that accumulate into a leaf."""
        return tuple([index for index, kind in enumerate(self.kinds) if kind is ACCUMULATE_GRAD])

    @cached_property
    def early(self) -> tuple[tuple[int, ...], Outline]:
        """An order in which each leaf stands where it is complete, and the outline in that order."""
        last: dict[int, int] = {}
        for sender, edges in enumerate(self.edges):
            last.update((edge[0], sender) for edge in edges if edge is not None)
        leaf = {*self.leaves}
        order = sorted(range(len(self.kinds)), key=lambda i: (last.get(i, i) if i in leaf else i, i))
        place = {old: new for new, old in enumerate(order)}
        outline = Outline(
            tuple(self.kinds[old] for old in order),
            tuple(tuple(edge and (place[edge[0]], edge[1]) for edge in self.edges[old]) for old in order),
            tuple(self.spaces[old] for old in order),
            tuple((place[index], slot) for index, slot in self.roots),
        )
        return tuple(order), outline


@dataclass(frozen=True, slots=True)
class _Kept:
    """A graph that was read: the places, in the order of a walk, of its nodes as swept and as recorded."""

    outline: Outline
    order: list[int]
    recorded: list[int]


_KEPT: dict[int, _Kept] = {}
"""By the number of the walk."""


def read(starts: Sequence[Start]) -> tuple[list[Any], Outline]:
    """The nodes behind some `(node, output)` pairs, in sweep order, and their outline."""
    met, mark = _walk(starts)
    kept = _KEPT.get(mark)
    if kept is not None and _falling(met, kept.recorded):
        return [met[place] for place in kept.order], kept.outline
    nodes, outline = _made_out(starts)
    while len(_KEPT) >= MOST_KEPT:
        _KEPT.pop(next(iter(_KEPT)))
    places = {node: place for place, node in enumerate(met)}
    inner = sorted((node for node in nodes if node.next_functions), key=_recorded_at, reverse=True)
    _KEPT[mark] = _Kept(outline, [places[node] for node in nodes], [places[node] for node in inner])
    return nodes, outline


def _walk(starts: Sequence[Start]) -> tuple[list[Any], int]:
    """Nodes as they are met, and a number that only graphs of the same operations, edges and shapes share."""
    places: dict[Any, int] = {}
    nodes: list[Any] = []
    seen: list[Any] = []
    partly: set[int] = set()
    # The list of nodes grows while it is gone through.
    for number, following in enumerate(chain((starts,), map(_following, nodes)), -1):
        for fn, slot in following:
            place = places.get(fn)
            if place is None and fn is not None:
                place = places[fn] = len(nodes)
                nodes.append(fn)
            elif place is None:
                partly.add(number)
            seen += (place, slot)
        seen.append(END)
    kinds = [*map(type, nodes)]
    seen += kinds
    for number, kind in enumerate(kinds):
        if kind is ACCUMULATE_GRAD:
            leaf = nodes[number].variable
            seen += (leaf.shape, leaf.dtype)
        elif kind not in FORESEEN or number in partly:
            seen += _spaces(nodes[number])
    return nodes, hash(tuple(seen))


def _falling(nodes: Sequence[Any], places: Sequence[int]) -> bool:
    """Whether these were recorded one before the other, the latest first."""
    recorded = [nodes[place]._sequence_nr() for place in places]
    return all(map(gt, recorded, recorded[1:]))


def _made_out(starts: Sequence[Start]) -> tuple[list[Any], Outline]:
    after = _reach([node for node, _ in starts])
    nodes = sorted((node for node in after if after[node]), key=_recorded_at, reverse=True)
    index = {node: i for i, node in enumerate(nodes)}
    edges, in_order = _edges(nodes, index, after)
    if not in_order:
        nodes = _by_readiness(nodes, after)
        index = {node: i for i, node in enumerate(nodes)}
        edges, _ = _edges(nodes, index, after)
    for node, _ in starts:
        if node not in index:
            index[node] = len(nodes)
            nodes.append(node)
            edges.append(())
    roots = tuple([(index[node], slot) for node, slot in starts])
    return nodes, Outline(tuple(map(type, nodes)), tuple(edges), tuple(map(_spaces, nodes)), roots)


def _spaces(node: Any) -> tuple[Space, ...]:
    if type(node) is ACCUMULATE_GRAD:
        leaf = node.variable
        return ((tuple(leaf.shape), leaf.dtype),)
    outputs = node._input_metadata
    first = outputs[0]
    # Nearly every operation has one output, and reading these is what a small net waits for.
    if len(outputs) == 1:
        return ((tuple(first.shape), first.dtype),)
    return tuple([(tuple(output.shape), output.dtype) for output in outputs])


def _reach(roots: list[Any]) -> dict[Any, Any]:
    """What follows each node that can be reached; nothing, for leaves."""
    after: dict[Any, Any] = {}
    stack = [*roots]
    while stack:
        node = stack.pop()
        if node not in after:
            after[node] = following = node.next_functions
            for fn, _ in following:
                if fn is not None and fn not in after:
                    stack.append(fn)
    return after


_following = attrgetter("next_functions")
_recorded_at = methodcaller("_sequence_nr")


def _edges(nodes: list[Any], index: dict[Any, int], after: dict[Any, Any]) -> tuple[list[Targets], bool]:
    """Where each node sends to, and whether that is always further on. Leaves are appended as they are met."""
    edges: list[Targets] = []
    in_order = True
    for i, node in enumerate([*nodes]):
        targets: list[tuple[int, int] | None] = []
        for fn, slot in after[node]:
            if fn is None:
                targets.append(None)
                continue
            receiver = index.get(fn)
            if receiver is None:
                receiver = index[fn] = len(nodes)
                nodes.append(fn)
            elif receiver <= i:
                in_order = False
            targets.append((receiver, slot))
        edges.append(tuple(targets))
    edges += [()] * (len(nodes) - len(edges))
    return edges, in_order


def _by_readiness(nodes: list[Any], after: dict[Any, Any]) -> list[Any]:
    """In the order of PyTorch's own ready queue: of the nodes that wait for nothing, the latest recorded first.

    In-place writes record anew what came before them, so that order of recording is not enough.
    """
    inner = [node for node in nodes if after[node]]
    waiting = Counter(fn for node in inner for fn, _ in after[node] if fn is not None)
    ready = [(-_recorded_at(node), i, node) for i, node in enumerate(inner) if not waiting[node]]
    heapq.heapify(ready)
    ordered = []
    while ready:
        node = heapq.heappop(ready)[2]
        ordered.append(node)
        for fn, _ in after[node]:
            if fn is not None and after[fn]:
                waiting[fn] -= 1
                if not waiting[fn]:
                    heapq.heappush(ready, (-_recorded_at(fn), len(inner) + len(ordered), fn))
    return ordered
