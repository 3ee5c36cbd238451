"""One step observed in full."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from undertow.engine.graph import Graph, Topology
from undertow.engine.plan import Plan
from undertow.observe import probes
from undertow.observe.births import birth
from undertow.observe.conditions import conditions
from undertow.observe.cuts import Cut
from undertow.observe.data import loaders
from undertow.observe.fresh import frozen
from undertow.observe.guard import Guard
from undertow.observe.naming import Names, Naming
from undertow.observe.roster import Roster, held
from undertow.observe.targets import target
from undertow.observe.updates import UpdateProbe, carried
from undertow.observe.watch import Watch, graph_behind
from undertow.store import Event, LossHead, Parameter, Probed
from undertow.store.records import UPDATE_COLUMNS
from undertow.store.writer import Writer, facts_of

__all__ = ["Catalogue", "Sample"]

MOST_PASSES = 8
"""Backward passes observed of one step: more are micro-batches alike."""

PROBED_FIRST, PROBED_EVERY = 4, 4
"""Activations, inputs and targets change slowly: probed on the first passes, and then on some."""

MOST_NAMINGS = 6
"""Forward passes watched for names: graphs that go on changing stay partly unnamed."""


@dataclass
class Known:
    """A graph that was met before."""

    number: int
    topology: Topology
    plan: Plan
    names: Names | None = None
    head: LossHead | None = None


class Catalogue:
    """The graphs that a run has met, and what they are called."""

    def __init__(self, roster: Roster, writer: Writer):
        self.roster = roster
        self.writer = writer
        self.wanted = True
        self.at_once = False
        self.observed: Counter[int] = Counter()
        self.namings = 0
        self._known: dict[tuple[int, ...], Known] = {}
        self._names: dict[int, Names] = {}
        self._labels = 0
        self._told: set[str] = set()
        self._table: list[Parameter] = []
        self._passes: list[dict[str, Any]] = []
        self._updates: list[tuple[int, dict[str, NDArray[np.float64]]]] = []

    def keep(self, passes: list[dict[str, Any]], step: int, columns: dict[str, NDArray[np.float64]] | None) -> None:
        """Hold what a step brought until it is written."""
        self._passes += passes
        if columns is not None:
            self._updates.append((step, columns))

    def naming(self, guard: Guard) -> Naming | None:
        """A watch for names over the step that begins, if names are wanted."""
        if not self.wanted or self.namings >= MOST_NAMINGS:
            return None
        self.namings += 1
        return Naming(self.roster, guard, at_once=self.at_once)

    def find(self, graph: Graph, leaves: Sequence[Tensor]) -> Known:
        """What is known of a graph with these leaves."""
        key = graph.signature(), *map(self.roster.number_of, leaves)
        if key not in self._known:
            topology = graph.topology()
            self._known[key] = Known(len(self._known), topology, Plan(topology))
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

    def write(self) -> None:
        """Write what is held, and the graphs and parameters whose names are new."""
        trained = sum(model.trained for model in self.roster.models)
        for known in self._known.values():
            if known.names is not None and (known.names.fresh or trained != self._labels):
                known.names.fresh = False
                self.writer.topology(known.number, known.names.on(known.topology, self.roster))
        self._labels = trained
        table = self.roster.table()
        if table != self._table:
            self.writer.parameters(table)
            self._table = table
        self.writer.optimizers(self.roster.optimizers)
        for row in self._passes:
            graph: Known = row["known"]
            facts = facts_of(row["seeds"], row["scale"], row["probed"])
            sizes, keys = row["sizes"], graph.plan.keys
            self.writer.observed(row["step"], row["site"], graph.number, row["loss"], sizes, keys, facts)
        for step, columns in self._updates:
            self.writer.updates(step, columns)
        self._passes.clear()
        self._updates.clear()

    def trace_birth(self, outputs: Sequence[Any], step: int, naming: Naming | None, sound: int | None) -> None:
        """Look for the origin of a loss that is not finite, and write what was found."""
        graph = graph_behind(outputs)
        if graph is None:
            return
        known = self.find(graph, [leaf for _, leaf in graph.leaves()])
        if known.names is None or naming is not None:
            self.name(graph, known, naming)
        assert known.names is not None
        named = known.names.on(known.topology, self.roster)
        facts = birth(graph, named.operations) or {"phase": "unknown"}
        if facts["phase"] == "parameters" and sound is not None:
            facts |= {"between": [sound, step], "focus": sound}
        self.writer.event(Event(step, "birth", facts))

    def tell_once(self, step: int, kind: str, **facts: Any) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self.writer.event(Event(step, kind, facts))


class Sample:
    """Gathers what one step does, and writes it when the step ends."""

    def __init__(self, catalogue: Catalogue, guard: Guard, *, naming: bool, before: float):
        self.before = before
        self._catalogue = catalogue
        self._guard = guard
        self.naming = catalogue.naming(guard) if naming else None
        self._watch: Watch | None = None
        self._pending: dict[str, Any] = {}
        self._rows: list[dict[str, Any]] = []
        self._passes = 0
        self._probes: dict[int, tuple[list[Tensor], UpdateProbe]] = {}
        self._by_hand: tuple[list[Tensor], UpdateProbe] | None = None
        self._carried: dict[int, float] = {}
        self._columns: list[tuple[list[int], dict[str, NDArray[np.float64]]]] = []
        self._reached: set[int] = set()
        self._cuts: frozenset[Cut] = frozenset()

    def release(self) -> None:
        """Take everything off."""
        self.stop_naming()
        if self._watch is not None:
            self._watch.remove()

    def stop_naming(self) -> None:
        if self.naming is not None:
            self.naming.stop()

    # passes

    def pass_begins(
        self,
        outputs: Sequence[Any],
        seeds: Sequence[Any],
        *,
        step: int,
        site: int,
        loss: float,
        scale: float,
        by_hand: bool,
        accumulates: bool,
    ) -> None:
        if self._passes >= MOST_PASSES:
            return
        self._passes += 1
        if self.naming is not None:
            self.naming.meet_variables()
            self._cuts = self._cuts.union(*(self.naming.cuts.behind(output) for output in outputs))
        graph = graph_behind(outputs)
        if graph is None:
            return
        leaves = [leaf for _, leaf in graph.leaves()]
        if not self._catalogue.roster.knows(leaves):
            self._catalogue.roster.meet_locals(None)
            self._catalogue.roster.meet_holders(leaves)
        known = self._catalogue.find(graph, leaves)
        if self.naming is not None or known.names is None:
            self._catalogue.name(graph, known, self.naming)
        self._reached.update(map(id, leaves))
        if accumulates:
            self._note_carried(leaves)
        if by_hand and self._by_hand is None:
            self._moved_by_hand(leaves)
        self._pending = {"step": step, "site": site, "loss": loss, "known": known, "scale": scale}
        self._pending["probed"] = self._probe(graph, known, site)
        self._watch = Watch(graph, known.plan, self._guard)
        self._watch.start(seeds)

    def pass_ended(self, completed: bool) -> None:
        watch, self._watch = self._watch, None
        if watch is None:
            return
        if not completed:
            watch.remove()
            return
        sizes, started = watch.stop()
        self._rows.append(self._pending | {"sizes": sizes, "seeds": started})

    def _probe(self, graph: Graph, known: Known, site: int) -> Probed:
        self._catalogue.observed[site] += 1
        head = known.head = known.head or probes.loss_head(graph)
        count = self._catalogue.observed[site]
        if count > PROBED_FIRST and count % PROBED_EVERY:
            return Probed(head)
        wanted = target(graph, head)
        noted = conditions(graph, head, wanted, self._catalogue.roster)
        return Probed(head, wanted, [*probes.activations(graph)], [*probes.inputs(graph)], noted)

    def _note_carried(self, leaves: Sequence[Tensor]) -> None:
        """What `.grad` holds before a pass: over the step's passes the least counts, as zeroing may come late."""
        roster = self._catalogue.roster
        for leaf in leaves:
            if leaf.grad is None:
                self._carried[roster.number_of(leaf)] = 0.0
        holding = [leaf for leaf in leaves if leaf.grad is not None]
        for leaf, size in zip(holding, carried(holding), strict=True):
            number = roster.number_of(leaf)
            self._carried[number] = min(float(size), self._carried.get(number, math.inf))

    # steps

    def step_begins(self, optimizer: Optimizer) -> None:
        parameters = [parameter for parameter in held(optimizer) if parameter.requires_grad and parameter.numel()]
        if parameters:
            self._probes[id(optimizer)] = parameters, UpdateProbe(parameters)

    def step_ended(self, optimizer: Optimizer) -> None:
        if (found := self._probes.pop(id(optimizer), None)) is not None:
            self._keep(*found, {name: _in_force(optimizer, key) for name, key in SETTINGS.items()})

    def _moved_by_hand(self, leaves: Sequence[Tensor]) -> None:
        """In a loop without an optimizer: compare the weights from here to the end of the step."""
        parameters = [leaf for leaf in leaves if leaf.numel()]
        if parameters:
            self._by_hand = parameters, UpdateProbe(parameters)

    def _keep(self, parameters: Sequence[Tensor], probe: UpdateProbe, settings: dict[str, dict[int, float]]) -> None:
        columns = probe.after()
        for name in SETTINGS:
            in_force = settings.get(name, {})
            columns[name] = np.array([in_force.get(id(parameter), math.nan) for parameter in parameters])
        self._columns.append(([self._catalogue.roster.number_of(parameter) for parameter in parameters], columns))

    # the end

    def end(self, step: int, broken_off: bool) -> None:
        self.release()
        if self._by_hand is not None and not self._columns and not broken_off:
            self._keep(*self._by_hand, {})
            if not np.any(self._columns[0][1]["update"]):  # moved by binding their names to new tensors
                self._columns.clear()
        if self.naming is not None and (self._passes or broken_off):
            self._finish_naming(step)
        self._catalogue.keep(self._rows, step, self._table() if self._columns else None)

    def _finish_naming(self, step: int) -> None:
        assert self.naming is not None
        self._catalogue.wanted = False
        if self.naming.blind:
            self._catalogue.wanted = not self._catalogue.at_once
            self._catalogue.at_once = True
        if (found := frozen(self._catalogue.roster)) is not None:
            self._catalogue.tell_once(step, "frozen", **found)
        if held_by_user := loaders():
            self._catalogue.tell_once(step, "loaders", loaders=held_by_user)
        for facts in cuts_told(self.naming, self._catalogue.roster, self._reached, self._cuts):
            self._catalogue.writer.event(Event(step, "cut", facts))

    def _table(self) -> dict[str, NDArray[np.float64]]:
        table = {name: np.full(len(self._catalogue.roster.parameters), np.nan) for name in UPDATE_COLUMNS}
        for numbers, columns in self._columns:
            for name, values in columns.items():
                table[name][numbers] = values
        table["carried"][[*self._carried]] = [*self._carried.values()]
        return table


SETTINGS = {"rate": "lr", "decay": "weight_decay"}
"""Columns of `Updates` that are settings of a parameter's group, and what optimizers call them."""


def _in_force(optimizer: Optimizer, key: str) -> dict[int, float]:
    return {
        id(parameter): float(group[key])
        for group in optimizer.param_groups
        for parameter in group["params"]
        if isinstance(group.get(key), (int, float, Tensor))
    }


def cuts_told(naming: Naming, roster: Roster, reached: set[int], in_loss: frozenset[Cut]) -> list[dict[str, Any]]:
    """For each call that cut parameters off from the loss: which, where, and by what."""
    unreached = {
        id(parameter): parameter
        for parameter in roster.called_parameters()
        if parameter.requires_grad and id(parameter) not in reached
    }
    found = []
    for cut in sorted(naming.cuts.all, key=lambda cut: cut not in in_loss):
        behind = {id(leaf) for leaf in cut.leaves}
        if cut.nodes:
            behind |= {id(leaf) for _, leaf in Graph.behind([(node, 0) for node in cut.nodes]).leaves()}
        names = [roster.name_of(unreached.pop(key)) for key in [*unreached] if key in behind]
        if names:
            facts = {"operation": cut.operation, "source": cut.source, "grad_enabled": cut.grad_enabled}
            found.append(facts | {"parameters": names[:50], "count": len(names), "in_loss": cut in in_loss})
    if unreached:
        names = [roster.name_of(parameter) for parameter in unreached.values()]
        found.append({"operation": "", "source": "", "grad_enabled": True, "parameters": names[:50]})
        found[-1] |= {"count": len(names), "in_loss": False}
    return found
