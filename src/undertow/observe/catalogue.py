"""The graphs that a run has met, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from undertow.engine.graph import Graph, Topology
from undertow.engine.plan import Plan
from undertow.observe.batches import Batches
from undertow.observe.births import birth
from undertow.observe.guard import Guard
from undertow.observe.naming import Names, Naming
from undertow.observe.roster import Roster
from undertow.observe.starts import starts_of
from undertow.observe.watch import Watch
from undertow.store import LossHead

__all__ = ["Catalogue", "Known"]

PROBED_FIRST, PROBED_EVERY, PROBED_SHARE = 4, 4, 16
"""Probed on the first passes; then on every fourth, and no oftener than after another sixteenth of the steps so far,
and whenever the run has doubled."""

MOST_NAMINGS = 6
"""Forward passes watched for names: graphs that go on changing stay partly unnamed."""


@dataclass
class Known:
    """A graph that was met before."""

    number: int
    topology: Topology
    watch: Watch
    keys: int
    names: Names | None = None
    head: LossHead | None = None


class Catalogue:
    """Every graph met, by its operations, shapes and leaves."""

    def __init__(self, roster: Roster, guard: Guard):
        self.roster = roster
        self.batches = Batches()
        self._guard = guard
        self.wanted = True
        self.at_once = False
        self.namings = 0
        self._known: dict[tuple[int, ...], Known] = {}
        self._names: dict[int, Names] = {}
        self._passes: Counter[int] = Counter()
        self._probed: dict[int, tuple[int, int]] = {}

    def __iter__(self) -> Iterator[Known]:
        return iter(self._known.values())

    def naming(self) -> Naming | None:
        """A watch for names over the step that begins, if names are wanted."""
        if not self.wanted or self.namings >= MOST_NAMINGS:
            return None
        self.namings += 1
        return Naming(self.roster, self._guard, at_once=self.at_once)

    def find(self, graph: Graph, numbers: Sequence[int]) -> Known:
        """What is known of a graph whose leaves have these numbers."""
        key = graph.signature(), *numbers
        if key not in self._known:
            plan = Plan(graph.topology())
            self._known[key] = Known(len(self._known), plan.topology, Watch(plan, self._guard), plan.keys)
        return self._known[key]

    def name(self, graph: Graph, known: Known, naming: Naming | None) -> None:
        """Learn a graph's names from a step that was watched for them, or from a graph of the same structure."""
        structure = graph.structure()
        leaves = {index: self.roster.number_of(leaf) for index, leaf in graph.leaves()}
        if naming is not None:
            known.names = self._names[structure] = naming.names(graph)
        elif structure in self._names:
            known.names = Names(self._names[structure].places, self._names[structure].sources, leaves)
        elif known.names is None:
            known.names = Names([None] * len(graph), [""] * len(graph), leaves)
            self.wanted = True

    def due(self, site: int, step: int) -> bool:
        """Whether what changes slowly (activations, inputs, targets) is probed on the pass that begins."""
        self._passes[site] += 1
        passed = self._passes[site]
        last, when = self._probed.get(site, (0, 0))
        often = passed - last < PROBED_EVERY or (step - when) * PROBED_SHARE < step
        if passed > PROBED_FIRST and often and step < 2 * when:
            return False
        self._probed[site] = passed, step
        return True

    def birth(self, outputs: Sequence[Any], naming: Naming | None) -> dict[str, Any] | None:
        """The origin of a loss that is not finite, as far as its graph tells; `None` of what is no loss."""
        if not isinstance(outputs[0], Tensor) or outputs[0].numel() != 1 or not (starts := starts_of(outputs)):
            return None
        graph = Graph.behind(starts)
        known = self.find(graph, [self.roster.number_of(leaf) for _, leaf in graph.leaves()])
        if known.names is None or naming is not None:
            self.name(graph, known, naming)
        assert known.names is not None
        named = known.names.on(known.topology, self.roster)
        return birth(graph, named.operations) or {"phase": "unknown"}
