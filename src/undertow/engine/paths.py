"""`undertow.strongest_path`: by which single path most of a gradient entry arrived."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from undertow.engine.algebras import Extended, MaxProduct, Scaled
from undertow.engine.calculus import CALCULUS, Rule
from undertow.engine.carry import carried, destinations, places_of
from undertow.engine.graph import Graph, outputs_of
from undertow.engine.graph_task import in_graph_task
from undertow.engine.maps import LinearMap
from undertow.engine.outset import seeds_of
from undertow.engine.places import Places
from undertow.errors import GraphError
from undertow.shown import Shown

__all__ = ["Path", "Step", "strongest_path"]

Entry = tuple[int, ...]

SAME = 1e-3
"""By how much the binary logarithms of two products may differ that are the same but for rounding."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on a path, and the entry of its output that the path goes through.

    Attributes:
        operation: The operation's type, such as `AddmmBackward0`; `AccumulateGrad` for a leaf.
        module: The module of a parameter that the operation takes (`of blocks.0`), or else of the nearest that it was
            computed from (`behind blocks.0`).
        entry: Index of the entry.
        log10: Decimal logarithm of the product of the path's factors from the loss to here.
    """

    operation: str
    module: str
    entry: Entry
    log10: float

    def __str__(self) -> str:
        return f"{self.log10:+8.2f}  {self.operation:32} {list(self.entry)!s:20} {self.module}".rstrip()


@dataclass(frozen=True, slots=True)
class Path(Shown):
    """A path from the loss to one entry of a leaf.

    Attributes:
        steps: From the loss to the leaf.
    """

    steps: tuple[Step, ...]

    @property
    def log10(self) -> float:
        """Decimal logarithm of the size of what the path brings."""
        return self.steps[-1].log10

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))


class _Keeper:
    """A watcher that keeps every cotangent."""

    def __init__(self, graph: Graph):
        self.concerns = [True] * len(graph)
        self.cotangents: dict[int, list[Extended | None]] = {}

    def saw(self, index: int, contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:  # noqa: ARG002
        self.cotangents[index] = [*cotangents]


def strongest_path(
    outputs: Tensor | Sequence[Tensor],
    to: str,
    entry: Entry | None = None,
    *,
    inputs: Mapping[str, Tensor] | None = None,
    model: nn.Module | None = None,
    calculus: Mapping[str, Rule] = CALCULUS,
) -> Path:
    """The single path from the loss that brings most to one entry of a gradient.

    It goes through one entry of one tensor at each operation, and brings the product of the entries of the
    local derivatives between these. It is found by a `Scaled(MaxProduct())` sweep that keeps every cotangent (as
    much memory again as the activations), then followed from the entry back to the loss.

    Args:
        outputs: The loss, or several outputs of one element each. The graph stays as it is.
        to: Name of the leaf or input, as `undertow.sweep` names it.
        entry: Index of the entry; the one that the strongest path of all leads to when left out.
        inputs: Tensors by names of your own, if it is not to a leaf.
        model: Where the names of parameters come from.
        calculus: The local derivatives to use.

    Returns:
        The operations from the loss to the entry.

    Raises:
        GraphError: There is no such name or entry, or no path brings it anything.
        MissingRuleError: An operation on the way has no rule.
    """
    outputs = outputs_of(outputs)
    graph = Graph.read(outputs)
    names, kept = destinations(graph, inputs, model), _Keeper(graph)
    carried(graph, seeds_of(outputs, None), Scaled(MaxProduct()), names, watcher=kept, calculus=calculus)
    place = _place(names, to)
    found = kept.cotangents[place[0]][place[1]]
    if found is None or found.is_zero:
        raise GraphError(f"no path brings anything to {to!r}\n  Its gradient is zero, whatever the other paths do.")
    start = _strongest_entry(found.mantissa) if entry is None else _checked(entry, found.mantissa, to)
    tracer = _Tracer(graph, kept.cotangents, calculus, places_of(graph, names))
    return in_graph_task(partial(tracer.trace, place, start))


def _place(names: Mapping[str, tuple[int, int]], to: str) -> tuple[int, int]:
    if to not in names:
        raise GraphError(f"there is no leaf called {to!r}\n  These there are: {', '.join(names)}.")
    return names[to]


def _checked(entry: Entry, tensor: Tensor, to: str) -> Entry:
    inside = len(entry) == tensor.ndim and all(0 <= i < n for i, n in zip(entry, tensor.shape, strict=True))
    if not inside or not tensor[entry]:
        raise GraphError(
            f"no path brings anything to entry {entry} of {to!r}, of shape {tuple(tensor.shape)}\n"
            "  Its gradient is zero, or there is no such entry. Leave it out for the entry that most is brought to."
        )
    return entry


def _strongest_entry(tensor: Tensor) -> Entry:
    return tuple(int(i) for i in torch.unravel_index(tensor.argmax(), tensor.shape))


class _Tracer:
    """Follows largest products back, one entry at a time."""

    def __init__(
        self,
        graph: Graph,
        cotangents: Mapping[int, list[Extended | None]],
        calculus: Mapping[str, Rule],
        places: Places,
    ):
        self.graph = graph
        self.cotangents = cotangents
        self.calculus = calculus
        self.places = places
        self.senders: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for sender, edges in enumerate(graph.edges):
            for position, edge in enumerate(edges):
                if edge is not None:
                    self.senders.setdefault(edge, []).append((sender, position))

    def trace(self, place: tuple[int, int], entry: Entry) -> Path:
        """The path to an entry of an operation's output."""
        steps = [self._step(place, entry)]
        while (before := self._before(place, entry)) is not None:
            place, entry = before
            steps.append(self._step(place, entry))
        return Path(tuple(reversed(steps)))

    def _step(self, place: tuple[int, int], entry: Entry) -> Step:
        index, slot = place
        found = self._arrived(index, slot)
        size = -math.inf if found is None else _log2(found, entry) * math.log10(2)
        node = self.graph.nodes[index]
        return Step(type(node).__name__, self.places.module(node), entry, size)

    def _before(self, place: tuple[int, int], entry: Entry) -> tuple[tuple[int, int], Entry] | None:
        """The operation that brought most, and the entry of its output; `None` where the pass started."""
        brought = [
            (*_through(jacobian, cotangent, entry), (sender, slot))
            for sender, position in self.senders.get(place, ())
            for slot, jacobian in enumerate(self._maps(sender, position))
            if jacobian is not None and (cotangent := self._arrived(sender, slot)) is not None
        ]
        size, where, before = max(brought, default=(-math.inf, (), place))
        present = self._arrived(*place)
        if present is None or (place in self.graph.roots and size < _log2(present, entry) - SAME):
            return None
        return (before, where) if brought else None

    def _arrived(self, index: int, slot: int) -> Extended | None:
        return self.cotangents[index][slot] if index in self.cotangents else None

    def _maps(self, sender: int, position: int) -> tuple[LinearMap | None, ...]:
        local = self.calculus[type(node := self.graph.nodes[sender]).__name__](node)
        maps = None if local is None else local[position]
        return maps if isinstance(maps, tuple) else (maps,)


def _log2(tensor: Extended, entry: Entry) -> float:
    size = float(tensor.mantissa[entry])
    return math.log2(size) + tensor.exponent if size > 0 else -math.inf


def _through(jacobian: LinearMap, cotangent: Extended, entry: Entry) -> tuple[float, Entry]:
    """Binary logarithm of the most that one entry of the output brings to this entry of the input, and which it
    is."""
    one = cotangent.mantissa.new_zeros(jacobian.source)
    one[entry] = 1
    brought = jacobian.strongest_push(one) * cotangent.mantissa
    where = _strongest_entry(brought)
    return _log2(Extended(brought, cotangent.exponent), where), where
