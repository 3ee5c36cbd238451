"""What observing has brought and has not written yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from undertow.observe.catalogue import Catalogue, Known
from undertow.observe.rates import Rates
from undertow.observe.rows import Rows
from undertow.observe.updates import Columns, Earlier, Moved
from undertow.store import Event, Parameter, Probed
from undertow.store.writer import Writer, facts_of

__all__ = ["Entry", "Ledger", "Row"]

MOST_ENTRIES = 1 << 19
"""Of parameters and gradients, held until they are compared: about 2 MB."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the session knows of a pass: the step, where it started, the loss, and what that was multiplied by."""

    step: int
    site: int
    loss: float
    scale: float


@dataclass(frozen=True, slots=True)
class Row:
    """One observed pass."""

    entry: Entry
    known: Known
    probed: Probed
    sizes: Mapping[int, float]
    seeds: Sequence[float]


class Ledger:
    """Holds observed passes, updates and rates until they are written, with the graphs and parameters they refer to.

    Attributes:
        rates: The learning rates so far.
        rows: Where entries of parameters and gradients are held.
    """

    def __init__(self, catalogue: Catalogue, writer: Writer):
        self.rates = Rates()
        self.rows = Rows()
        self._catalogue = catalogue
        self._writer = writer
        self._labels = 0
        self._told: set[str] = set()
        self._parameters: list[Parameter] = []
        self._rows: list[Row] = []
        self._moved: list[tuple[int, Moved]] = []
        self._entries = 0
        self._earlier = Earlier()
        self._updates: list[tuple[int, Columns]] = []
        self._pairs: list[tuple[int, Columns]] = []

    def keep(self, rows: Sequence[Row], step: int, moved: Moved | None) -> None:
        """Hold what a step brought until it is written."""
        self._rows += rows
        if moved is not None:
            self._moved.append((step, moved))
            self._entries += moved.entries
            if self._entries > MOST_ENTRIES:
                self._compare()

    def keep_pair(self, step: int, columns: Columns) -> None:
        """The same of the gradients of two steps, this one and the next."""
        self._pairs.append((step, columns))

    def _compare(self) -> None:
        """Make columns of the entries that are held."""
        count = len(self._catalogue.roster.parameters)
        for step, moved in self._moved:
            self._updates.append((step, moved.table(count, self._earlier)))
        self._moved.clear()
        self._entries = 0

    def tell(self, step: int, kind: str, facts: Mapping[str, Any]) -> None:
        """Write an event at once."""
        self._writer.event(Event(step, kind, facts))

    def tell_once(self, step: int, kind: str, **facts: Any) -> None:
        """Write an event, unless one of its kind was written before."""
        if kind not in self._told:
            self._told.add(kind)
            self.tell(step, kind, facts)

    def write(self, *, names: bool) -> None:
        """Write what is held; with it, or if asked to, the graphs, parameters and optimizers that are new."""
        self._compare()
        if names or self._rows or self._updates or self._pairs:
            self._write_names()
        for row in self._rows:
            entry, known = row.entry, row.known
            facts = facts_of(row.seeds, entry.scale, row.probed)
            self._writer.observed(entry.step, entry.site, known.number, entry.loss, row.sizes, known.keys, facts)
        for step, columns in self._updates:
            self._writer.updates(step, columns)
        for step, columns in self._pairs:
            self._writer.pair(step, columns)
        self._writer.rates(self.rates.rows)
        self.rates.rows.clear()
        self._rows.clear()
        self._updates.clear()
        self._pairs.clear()

    def _write_names(self) -> None:
        roster = self._catalogue.roster
        trained = sum(model.trained for model in roster.models)
        for known in self._catalogue:
            if known.names is not None and (known.names.fresh or trained != self._labels):
                known.names.fresh = False
                self._writer.topology(known.number, known.names.on(known.topology, roster))
        self._labels = trained
        table = roster.table()
        if table != self._parameters:
            self._writer.parameters(table)
            self._parameters = table
        self._writer.optimizers(roster.optimizers)
