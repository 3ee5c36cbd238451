"""Reading what PyTorch recorded: which nodes there are, in which order they are swept, and where each sends.

A training step records the same graph over and over, of new nodes. So an outline of the last one is kept, and
a new graph is compared with it in one walk, which takes half as long as making out the order anew.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from operator import methodcaller
from typing import Any

import torch
from torch.autograd.graph import get_gradient_edge

__all__ = ["ACCUMULATE_GRAD", "Outline", "Space", "Start", "Targets", "read"]

Targets = tuple[tuple[int, int] | None, ...]
Space = tuple[tuple[int, ...], torch.dtype]
Start = tuple[Any, int]

ACCUMULATE_GRAD: Any = type(get_gradient_edge(torch.zeros((), requires_grad=True)).node)

KEPT_OUTLINES = 64
_OUTLINES: dict[tuple[type, ...], Outline] = {}
"""The last graph that was read, by the types of the nodes that it starts from."""


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
    def steps(self) -> list[tuple[Any, Targets, tuple[Space, ...]]]:
        """Type, edges and spaces of each node."""
        return [*zip(self.kinds, self.edges, self.spaces, strict=True)]


def read(starts: Sequence[Start]) -> tuple[list[Any], Outline]:
    """The nodes behind some `(node, output)` pairs, in sweep order, and their outline."""
    key = tuple([type(node) for node, _ in starts])
    outline = _OUTLINES.get(key)
    if outline is not None and (nodes := _recognized(outline, starts)) is not None:
        return nodes, outline
    while len(_OUTLINES) >= KEPT_OUTLINES:
        _OUTLINES.pop(next(iter(_OUTLINES)))
    nodes, _OUTLINES[key] = _made_out(starts)
    return nodes, _OUTLINES[key]


def _recognized(outline: Outline, starts: Sequence[Start]) -> list[Any] | None:
    """The nodes in sweep order, if the graph behind them is of this outline and was recorded in its order."""
    nodes: list[Any] = [None] * len(outline.kinds)
    if not _placed(nodes, starts, outline.roots):
        return None
    later = inf
    for index, (kind, targets, spaces) in enumerate(outline.steps):
        node = nodes[index]
        if type(node) is not kind or not _placed(nodes, node.next_functions, targets):
            return None
        if targets:
            recorded = node._sequence_nr()
            if recorded >= later:
                return None
            later = recorded
        if _spaces(node) != spaces:
            return None
    return nodes if len({*nodes}) == len(nodes) else None


def _placed(nodes: list[Any], following: Sequence[Start], targets: Sequence[tuple[int, int] | None]) -> bool:
    """Enter what follows a node where the outline has it; whether it can be there."""
    if len(following) != len(targets):
        return False
    for (fn, slot), target in zip(following, targets, strict=True):
        if target is None or fn is None:
            if target is not fn:
                return False
            continue
        receiver, wanted = target
        known = nodes[receiver]
        if known is None:
            nodes[receiver] = fn
        if (known is not None and known is not fn) or slot != wanted:
            return False
    return True


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
