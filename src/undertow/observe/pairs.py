"""Gradients of steps that follow each other: what batches at nearly the same weights have in common."""

from __future__ import annotations

from itertools import chain
from time import perf_counter

import numpy as np
from torch.optim import Optimizer

from undertow.observe.ledger import Ledger
from undertow.observe.roster import Roster
from undertow.observe.sharded import refuse_sharded
from undertow.observe.subsample import Floats
from undertow.observe.updates import Columns, Moving, moved_by
from undertow.store.updates import PAIR_COLUMNS

__all__ = ["Pairs"]


class Pairs:
    """Looks at `.grad` as optimizers find it, at two steps one after the other, and at nothing else of them.

    No pass is hooked and no weight is read, so that a pair costs a part of what a step costs that is observed in full.

    Attributes:
        looking: Whether the step that is made belongs to a pair.
        step: The first of the two.
        cost: Seconds that the last pair took.
    """

    def __init__(self, roster: Roster, ledger: Ledger):
        self.looking = False
        self.step, self.cost = 0, 0.0
        self._roster = roster
        self._ledger = ledger
        self._first: dict[tuple[int, ...], tuple[Moving, Floats]] = {}
        self._second: dict[tuple[int, ...], Floats] | None = None

    def begin(self, step: int) -> None:
        """This step, which begins, is the first of two."""
        self.looking, self.step, self.cost, self._second = True, step, 0.0, None

    def step_begins(self, optimizer: Optimizer) -> None:
        """An optimizer is about to use the gradients there are."""
        began = perf_counter()
        parameters = [*chain(*moved_by(optimizer))]
        numbers = self._roster.numbers_of(parameters)
        if parameters and numbers is not None:
            key = *numbers, *[parameter.numel() for parameter in parameters]
            if self._second is None:
                refuse_sharded(parameters)
                moving = Moving(parameters, numbers, self._ledger.rows)
                self._first[key] = moving, moving.gradients()
            elif key in self._first and key not in self._second:
                self._second[key] = self._first[key][0].gradients()
        self.cost += perf_counter() - began

    def step_ended(self) -> bool:
        """One of the two steps has ended; whether both have."""
        began = perf_counter()
        if self._second is None and self._first:
            self._second = {}
            return False
        if self._second:
            self._ledger.keep_pair(self.step, self._table())
        for _, gradients in self._first.values():
            self._ledger.rows.give(gradients)
        self._first.clear()
        self.looking = False
        self.cost += perf_counter() - began
        return True

    def _table(self) -> Columns:
        """Columns of `Pair`, one entry for each of the run's parameters; the second gradients are held no longer."""
        table = {name: np.full(len(self._roster.parameters), np.nan) for name in PAIR_COLUMNS}
        for key, after in (self._second or {}).items():
            moving, before = self._first[key]
            for name, values in _compared(moving, before, after).items():
                table[name][moving.numbers] = values
            self._ledger.rows.give(after)
        return table


def _compared(moving: Moving, before: Floats, after: Floats) -> Columns:
    seen = moving.seen
    first, second = before.astype(np.float64), after.astype(np.float64)
    with np.errstate(all="ignore"):
        common, one, other = (seen.sums(a * b) for a, b in ((first, second), (first, first), (second, second)))
        turn = np.arccos(np.clip(common / np.sqrt(one * other), -1, 1))
        return {"before": seen.norms(one), "after": seen.norms(other), "turn": turn}
