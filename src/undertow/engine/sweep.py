"""The reverse sweep: backpropagation, for whatever an algebra carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from undertow.engine.algebras import Algebra
from undertow.engine.borrowed import refuse
from undertow.engine.calculus import CALCULUS, Rule
from undertow.engine.graph import Graph
from undertow.engine.schedule import Schedule
from undertow.errors import GraphFreedError

__all__ = ["Watcher", "freed", "sweep"]

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
    schedule = Schedule.of(graph, arrivals)
    waiting = _begun(schedule, seeds, algebra)
    carry, fit, add = _carrier(algebra, calculus, borrowed), algebra.fit, algebra.add
    concerns = [False] * len(graph) if watcher is None else watcher.concerns
    for index, name, places, taken, wanted, unwanted, targets in schedule.visits:
        cotangents = waiting[places]
        waiting[places] = taken
        sent = carry(graph.nodes[index], name, cotangents, wanted) if wanted else []
        for position in unwanted:
            sent[position] = None
        for position, place, shape, dtype in targets:
            if (part := sent[position]) is not None:
                sent[position] = part = fit(part, shape, dtype)
                waiting[place] = part if (present := waiting[place]) is None else add(present, part)
        if watcher is not None and concerns[index]:
            watcher.saw(index, sent, cotangents)
        # A leaf takes over a gradient that nothing else holds, so nothing here may hold one.
        del sent
        part = present = None
        if index in arrivals:
            arrivals[index](cotangents)
    return borrowed


def _begun(schedule: Schedule, seeds: Sequence[C], algebra: Algebra[C]) -> list[C | None]:
    """What waits at each output before the first operation is reached."""
    waiting: list[C | None] = [None] * schedule.places
    for place, seed in zip(schedule.roots, seeds, strict=True):
        present = waiting[place]
        waiting[place] = seed if present is None else algebra.add(present, seed)
    return waiting


def _carrier(
    algebra: Algebra[C], calculus: Mapping[str, Rule], borrowed: Counter[str]
) -> Callable[..., list[C | None]]:
    """What gives one contribution per input of an operation: by its rule, or else borrowed."""
    through, borrow, rule_of = algebra.through, algebra.borrow, calculus.get

    def carry(node: Any, name: str, cotangents: list[C | None], wanted: Sequence[bool]) -> list[C | None]:
        try:
            if (rule := rule_of(name)) is not None:
                sent = through(node, rule, cotangents, wanted)
                if sent is not None:
                    return [*sent]
            borrowed[name] += 1
            if (lent := borrow(node, cotangents)) is None:
                refuse(node, algebra.name, calculus)
            return [*lent]
        except RuntimeError as error:
            if "second time" not in str(error):
                raise
            raise freed(name) from error

    return carry


def freed(name: str) -> GraphFreedError:
    """What to say when the tensors that an operation saved are gone."""
    return GraphFreedError(
        f"the tensors that {name} saved have been freed\n"
        "  An earlier backward pass over this graph released them, so its derivative cannot be had again.\n"
        "  Pass retain_graph=True to that earlier pass, or run the forward pass again."
    )
