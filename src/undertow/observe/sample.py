"""One step observed in full."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.optim import Optimizer

from undertow.engine.graph import Graph
from undertow.observe import probes
from undertow.observe.catalogue import Catalogue, Known
from undertow.observe.conditions import conditions
from undertow.observe.cuts import Cut
from undertow.observe.data import loaders, tensors
from undertow.observe.fresh import fresh
from undertow.observe.ledger import Entry, Ledger, Row
from undertow.observe.naming import Naming
from undertow.observe.severed import severed
from undertow.observe.sharded import refuse_sharded
from undertow.observe.starts import starts_of
from undertow.observe.targets import target
from undertow.observe.updates import InForce, Moved, Moving, UpdateProbe, carried, moved_by
from undertow.observe.waiting import waiting
from undertow.observe.watch import Watch
from undertow.store import Probed

__all__ = ["Sample"]

Held = dict[tuple[int, ...], Moving]
"""By the identities of the parameters."""

MOST_PASSES = 8
"""Backward passes observed of one step: more are micro-batches alike."""


class Met(NamedTuple):
    """What is known of a graph, with its leaves and their numbers."""

    known: Known
    leaves: Sequence[Tensor]
    numbers: Sequence[int]


class Sample:
    """Gathers what one step does, from its first pass to its end."""

    def __init__(self, catalogue: Catalogue, ledger: Ledger, *, naming: bool, before: float, held: Held):
        self.before = before
        self.held: Held = {}
        self._held_before = held
        self._catalogue = catalogue
        self._ledger = ledger
        self.naming = catalogue.naming() if naming else None
        self._watch: Watch | None = None
        self._pending: Callable[..., Row]
        self._rows: list[Row] = []
        self._passes = 0
        self._updates: dict[int, UpdateProbe] = {}
        self._by_hand: UpdateProbe | None = None
        self._moved: list[UpdateProbe] = []
        self._carried: dict[int, float] = {}
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
        entry: Entry,
        *,
        accumulates: bool,
        to_leaves: bool,
        by_hand: bool,
    ) -> None:
        """A pass is about to run: into `.grad` or not, `to_leaves` or only as far as some tensors."""
        if self._passes >= MOST_PASSES:
            return
        self._passes += 1
        if self.naming is not None:
            self.naming.meet_variables()
            self._cuts = self._cuts.union(*(self.naming.cuts.behind(output) for output in outputs))
        starts = starts_of(outputs)
        if not starts:
            return
        graph = Graph.behind(starts)
        met = self._meet(graph)
        due = self._catalogue.due(entry.site, entry.step)
        if self.naming is not None:
            self._reached.update(map(id, met.leaves))
        if accumulates:
            self._note_carried(met)
        if by_hand and self._by_hand is None:
            self._moved_by_hand(met.leaves)
        self._pending = partial(Row, entry, met.known, self._probed(graph, met.known, due, entry))
        self._watch = met.known.watch
        self._watch.start(graph.nodes, seeds[: len(starts)], to_leaves=to_leaves)

    def passes_within(self, outputs: Sequence[Any]) -> None:
        """A pass runs within the one that is observed: what it reaches is reached."""
        if self.naming is not None and (starts := starts_of(outputs)):
            self._reached.update(id(leaf) for _, leaf in Graph.behind(starts).leaves())

    def pass_ended(self, completed: bool) -> None:
        watch, self._watch = self._watch, None
        if watch is None:
            return
        if not completed:
            watch.remove()
            return
        self._rows.append(self._pending(*watch.stop()))
        if self._by_hand is not None:
            self._by_hand.meet_gradients()

    def _meet(self, graph: Graph) -> Met:
        """What is known of a graph, which is met now if it was not before."""
        catalogue, roster = self._catalogue, self._catalogue.roster
        leaves = [leaf for _, leaf in graph.leaves()]
        numbers = roster.numbers_of(leaves)
        if numbers is None:
            refuse_sharded(leaves)
            roster.meet_locals(None)
            roster.meet_holders(leaves)
            numbers = [*map(roster.number_of, leaves)]
        known = catalogue.find(graph, numbers)
        if self.naming is not None or known.names is None:
            catalogue.name(graph, known, self.naming)
        return Met(known, leaves, numbers)

    def _probed(self, graph: Graph, known: Known, due: bool, entry: Entry) -> Probed:
        known.head = head = known.head or probes.loss_head(graph)
        if not due:
            return Probed(head)
        wanted = target(graph, head, entry.scale, entry.loss)
        noted = conditions(graph, head, wanted, self._catalogue.roster, self._catalogue.batches)
        return Probed(head, wanted, [*probes.activations(graph)], [*probes.inputs(graph)], noted)

    def _note_carried(self, met: Met) -> None:
        """What `.grad` holds before a pass: over the step's passes the least counts, as zeroing may come late."""
        held = [leaf.grad is not None for leaf in met.leaves]
        if not any(held):
            self._carried.update(dict.fromkeys(met.numbers, 0.0))
            return
        sizes = iter(carried([leaf for leaf, holds in zip(met.leaves, held, strict=True) if holds]))
        for number, holds in zip(met.numbers, held, strict=True):
            size = float(next(sizes)) if holds else 0.0
            self._carried[number] = min(size, self._carried.get(number, math.inf))

    # steps

    def step_begins(self, optimizer: Optimizer) -> None:
        groups = moved_by(optimizer)
        if parameters := [*chain(*groups)]:
            settings = InForce.of(optimizer, [*map(len, groups)])
            self._updates[id(optimizer)] = UpdateProbe(self._moving(parameters), settings)

    def step_ended(self, optimizer: Optimizer) -> None:
        if (probe := self._updates.pop(id(optimizer), None)) is not None:
            probe.after()
            self._moved.append(probe)

    def _moved_by_hand(self, leaves: Sequence[Tensor]) -> None:
        """In a loop without an optimizer: compare the weights from here to the end of the step."""
        if parameters := [leaf for leaf in leaves if leaf.numel()]:
            self._by_hand = UpdateProbe(self._moving(parameters), InForce.unknown(len(parameters)))

    def _moving(self, parameters: Sequence[Tensor]) -> Moving:
        """Of the step before, if that was observed too and the parameters are the same ones, of the same sizes."""
        key = *map(id, parameters), *map(Tensor.numel, parameters)
        moving = self._held_before.get(key)
        if moving is None:
            refuse_sharded(parameters)
            moving = Moving(parameters, [*map(self._catalogue.roster.number_of, parameters)], self._ledger.rows)
        self.held[key] = moving
        return moving

    # the end

    def end(self, step: int, broken_off: bool) -> None:
        self.release()
        if (probe := self._by_hand) is not None and not self._moved and not broken_off:
            probe.after()
            if np.any(probe.columns()["update"]):  # or else moved by binding their names to new tensors
                self._moved.append(probe)
        if self.naming is not None and (self._passes or broken_off):
            self._finish_naming(step, self.naming)
        self._ledger.keep(self._rows, step, Moved(self._moved, self._carried) if self._moved else None)

    def _finish_naming(self, step: int, naming: Naming) -> None:
        catalogue, ledger = self._catalogue, self._ledger
        catalogue.wanted = False
        if naming.blind:
            catalogue.wanted = not catalogue.at_once
            catalogue.at_once = True
        for kind in ("frozen", "loose"):
            if (found := fresh(catalogue.roster, frozen=kind == "frozen")) is not None:
                ledger.tell_once(step, kind, **found)
        for facts in waiting(catalogue.roster):
            ledger.tell(step, "waiting", facts)
        if held_by_user := loaders():
            ledger.tell_once(step, "loaders", loaders=held_by_user)
        if data := tensors():
            ledger.tell_once(step, "tensors", tensors=data)
        for facts in severed(naming.cuts.all, catalogue.roster, self._reached, self._cuts):
            ledger.tell(step, "cut", facts)
