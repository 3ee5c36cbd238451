"""The reverse sweep: backpropagation, for whatever an algebra carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from undertow.engine.algebras import Algebra
from undertow.engine.borrowed import refuse
from undertow.engine.calculus import CALCULUS, Rule
from undertow.engine.graph import Graph
from undertow.errors import GraphFreedError

__all__ = ["Watcher", "sweep"]

C = TypeVar("C")


class Watcher(Protocol):
    """Sees what operations received and what they sent on, before contributions are added up.

    Attributes:
        concerns: For each operation, whether it is to be shown.
    """

    @property
    def concerns(self) -> Sequence[bool]: ...

    def saw(self, index: int, contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
        """Called once for each of these operations: `None` stands where nothing flowed."""


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
    needed = graph.towards(arrivals)
    pending: list[list[C | None] | None] = [None] * len(graph)
    for (index, slot), seed in zip(graph.roots, seeds, strict=True):
        _join(algebra, graph, pending, index, slot, seed)
    for index, edges in enumerate(graph.edges):
        if not needed[index]:
            continue
        cotangents, pending[index] = pending[index] or [None] * len(graph.spaces[index]), None
        sent: list[C | None] = []
        if edges:
            sent = _pass_on(graph.nodes[index], cotangents, edges, algebra, calculus, borrowed)
            _distribute(graph, algebra, edges, sent, needed, pending)
        if watcher is not None and watcher.concerns[index]:
            watcher.saw(index, sent, cotangents)
        # A leaf takes over a gradient that nothing else holds, so nothing here may hold one.
        del sent
        if index in arrivals:
            arrivals[index](cotangents)
    return borrowed


def _distribute(
    graph: Graph,
    algebra: Algebra[C],
    edges: Sequence[tuple[int, int] | None],
    sent: list[C | None],
    needed: Sequence[bool],
    pending: list[list[C | None] | None],
) -> None:
    """Bring each contribution into its receiver's space, and add it to what has arrived there."""
    for position, edge in enumerate(edges):
        part = sent[position]
        if part is None:
            continue
        if edge is None or not needed[edge[0]]:
            sent[position] = None
            continue
        receiver, slot = edge
        sent[position] = part = algebra.fit(part, *graph.spaces[receiver][slot])
        _join(algebra, graph, pending, receiver, slot, part)


def _join(
    algebra: Algebra[C], graph: Graph, pending: list[list[C | None] | None], index: int, slot: int, arriving: C
) -> None:
    slots = pending[index]
    if slots is None:
        pending[index] = slots = [None] * len(graph.spaces[index])
    present = slots[slot]
    slots[slot] = arriving if present is None else algebra.add(present, arriving)


def _pass_on(
    node: Any,
    cotangents: list[C | None],
    edges: Sequence[tuple[int, int] | None],
    algebra: Algebra[C],
    calculus: Mapping[str, Rule],
    borrowed: Counter[str],
) -> list[C | None]:
    """One contribution per input of an operation: by its rule, or else borrowed."""
    name = type(node).__name__
    try:
        if (rule := calculus.get(name)) is not None:
            sent = algebra.through(node, rule, cotangents, [edge is not None for edge in edges])
            if sent is not None:
                return [*sent]
        borrowed[name] += 1
        if (lent := algebra.borrow(node, cotangents)) is None:
            refuse(node, algebra.name, calculus)
        return [*lent]
    except RuntimeError as error:
        if "second time" not in str(error):
            raise
        raise _freed(name) from error


def _freed(name: str) -> GraphFreedError:
    return GraphFreedError(
        f"the tensors that {name} saved have been freed\n"
        "  An earlier backward pass over this graph released them, so its derivative cannot be had again.\n"
        "  Pass retain_graph=True to that earlier pass, or run the forward pass again."
    )
