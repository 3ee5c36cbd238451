"""Reading the loss head: what stands between the loss and the last operation that has parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from undertow.diagnose.case import Case
from undertow.engine.plan import ISOMETRIES
from undertow.store import Pass

__all__ = ["LIMITS", "VIEWS", "above", "below", "by_graph", "distinct", "names_in"]

VIEWS = ISOMETRIES | {"ExpandBackward0", "IndexBackward0", "ToCopyBackward0"}
"""Operations that hand on what they are given, entry by entry."""

LIMITS = frozenset({"ClampBackward0", "ClampBackward1", "ClampMinBackward0", "ClampMaxBackward0"})
"""Operations that hand on what lies within bounds, and the bound of what does not."""


def names_in(observed: Pass) -> list[str]:
    return [op.name for op in observed.flow.topology.operations]


def above(observed: Pass, index: int) -> Iterator[int]:
    """The operations that an output goes through on its way to the loss."""
    for edge in observed.flow.topology.edges:
        if edge.receiver == index:
            yield edge.sender
            yield from above(observed, edge.sender)


def below(observed: Pass, index: int, through: frozenset[str] = VIEWS) -> Iterator[int]:
    """The operations whose outputs an operation works on, seen through views."""
    operations = observed.flow.topology.operations
    for edge in observed.flow.topology.edges:
        if edge.sender == index:
            if operations[edge.receiver].name in through:
                yield from below(observed, edge.receiver, through)
            else:
                yield edge.receiver


def distinct(case: Case) -> list[Pass]:
    """One pass of each graph, of every site."""
    return [passes[0] for passes in by_graph(case.run.passes)]


def by_graph(passes: Iterable[Pass]) -> list[list[Pass]]:
    """Those of one graph together, in the order in which graphs were met."""
    found: dict[int, list[Pass]] = {}
    for observed in passes:
        found.setdefault(id(observed.flow.plan), []).append(observed)
    return [*found.values()]
