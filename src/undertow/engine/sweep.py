"""The reverse sweep: backpropagation, for whatever an algebra carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from undertow.engine.algebras import Algebra
from undertow.engine.calculus import CALCULUS, Local, Rule
from undertow.engine.graph import Graph
from undertow.errors import GraphFreedError

__all__ = ["Watcher", "sweep"]

C = TypeVar("C")


class Watcher(Protocol):
    """Sees what each operation received and what it sent on, before contributions are added up."""

    def saw(self, index: int, contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
        """Called once an operation: `None` stands where nothing flowed."""


def sweep(
    graph: Graph,
    seeds: Sequence[C],
    algebra: Algebra[C],
    arrivals: Mapping[int, Callable[[list[C | None]], None]],
    *,
    watcher: Watcher | None = None,
    calculus: Mapping[str, Rule] = CALCULUS,
) -> Counter[str]:
    """Carry `seeds` backward along every path, adding contributions where paths meet.

    Args:
        graph: The recorded forward pass.
        seeds: One cotangent per root of `graph`.
        algebra: What travels.
        arrivals: For some operations, what to call with their finished cotangents, one per output.
            Only operations on a path to one of these are visited.
        watcher: Sees every contribution.
        calculus: The local derivatives to use; an empty mapping borrows every one of them.

    Returns:
        How often each type of operation had its derivative borrowed from PyTorch.

    Raises:
        GraphFreedError: The saved tensors are gone.
        MissingRuleError: The algebra cannot borrow, and met an operation without a rule.
    """
    borrowed: Counter[str] = Counter()
    metadata = graph.metadata
    pending: list[Any] = [[None] * len(outputs) for outputs in metadata]
    for (index, slot), seed in zip(graph.roots, seeds, strict=True):
        _join(algebra, pending[index], slot, seed)
    needed = graph.towards(arrivals)
    for index, node in enumerate(graph.nodes):
        if not needed[index]:
            continue
        cotangents, pending[index] = pending[index], None
        if index in arrivals:
            arrivals[index](cotangents)
        edges = graph.edges[index]
        if not edges:
            continue
        name = type(node).__name__
        try:
            local = calculus[name](node) if name in calculus else None
            if local is not None:
                contributions = _pull(algebra, local, edges, cotangents)
            else:
                contributions = algebra.borrow(node, cotangents)
                borrowed[name] += 1
        except RuntimeError as error:
            raise _explained(error, name) from error
        sent: list[C | None] = [None] * len(edges)
        for position, edge in enumerate(edges):
            if edge is None or (part := contributions[position]) is None or not needed[edge[0]]:
                continue
            receiver, slot = edge
            sent[position] = part = algebra.fit(part, metadata[receiver][slot])
            slots = pending[receiver]
            present = slots[slot]
            slots[slot] = part if present is None else algebra.add(present, part)
        if watcher is not None:
            watcher.saw(index, sent, cotangents)
    return borrowed


def _join(algebra: Algebra[C], slots: list[C | None], slot: int, arriving: C) -> None:
    present = slots[slot]
    slots[slot] = arriving if present is None else algebra.add(present, arriving)


def _pull(algebra: Algebra[C], local: Local, edges: Sequence[Any], cotangents: list[C | None]) -> list[C | None]:
    """Each input's contribution, through the maps that a rule stated."""
    answer: list[C | None] = [None] * len(edges)
    for position, (maps, edge) in enumerate(zip(local, edges, strict=False)):
        if edge is None or maps is None:
            continue
        for jacobian, cotangent in zip(maps if isinstance(maps, tuple) else (maps,), cotangents, strict=False):
            if jacobian is not None and cotangent is not None:
                _join(algebra, answer, position, algebra.pull(jacobian, cotangent))
    return answer


def _explained(error: RuntimeError, name: str) -> RuntimeError:
    if "second time" not in str(error):
        return error
    return GraphFreedError(
        f"the tensors that {name} saved have been freed\n"
        "  An earlier backward pass over this graph released them, so its derivative cannot be had again.\n"
        "  Pass retain_graph=True to that earlier pass, or run the forward pass again."
    )
