"""Which steps to observe, so that observing keeps within its budget."""

from __future__ import annotations

import math

__all__ = ["Sampler"]

CREDIT = 0.05
"""Seconds that observing may cost before any have been earned: early steps tell the most. It is paid back."""

OWN = 0.5
"""The part of the budget that samples keep where what runs at every step would use up more than the rest."""

DENSEST = 0.01
"""Samples are at least this share of the steps made so far apart, so that a store stays small."""

FLOOR = 0.25
"""The same for a look whenever the run has doubled since the last one: one dear sample leaves no short run unseen."""

PLACES = 4
"""Lines that start a backward pass, after the first steps, whose next steps are observed whatever it costs."""

ON_CREDIT = 0.5
"""The same while observing lives on credit, so that a short run is seen to its end."""


class Sampler:
    """Chooses the steps to observe, by what observing has cost so far.

    Args:
        budget: Share of the training's time that observing may cost.
        every: Observe every so many steps, whatever it costs; `None` keeps to the budget.
        focus: Steps to observe in any case.
    """

    def __init__(self, budget: float = 0.01, every: int | None = None, focus: frozenset[int] = frozenset()):
        if not 0 < budget <= 1:
            raise ValueError(f"budget={budget} is not a share of time between 0 and 1, such as 0.01")
        if every is not None and every < 1:
            raise ValueError(f"every={every} is not a number of steps; every=1 observes each step")
        self.budget = budget
        self.every = every
        self.focus = focus
        self._first = 0.0
        self._samples = 0.0
        self._dearest = 0.0
        self._last = -1
        self._urgent = 0
        self._owed = 0
        self._places = 0

    def wants(self, step: int, elapsed: float, spent: float) -> bool:
        """Whether to observe a step that is about to begin.

        Args:
            step: Its number.
            elapsed: Seconds into the training.
            spent: Seconds of these that observing has cost, in samples and between them.
        """
        if step in self.focus:
            return True
        if self.every is not None:
            return step % self.every == 0
        if step < 2 or self._owed:
            return True
        earned = self.budget * elapsed
        between = max(0.0, spent - self._first - self._samples)
        expected = self._samples + self._dearest + min(between, (1 - OWN) * earned)
        if expected > math.hypot(CREDIT, earned):
            foreseen = expected if self._samples else 0.0  # the second may have cost what it costs once
            return step >= 2 * self._last and foreseen <= math.hypot(FLOOR, earned)
        apart = DENSEST if expected <= earned else ON_CREDIT
        return self._urgent > 0 or step - self._last >= max(1, int(step * apart))

    def observed(self, step: int, cost: float) -> None:
        """A step was observed, for so many seconds. What the first two cost, they cost once, and it is not counted."""
        if self._last < 1:
            self._first += cost
        else:
            self._samples += cost
        if self._last >= 0:
            self._dearest = 0.7 * self._dearest + 0.3 * cost if self._dearest else cost
        self._last = step
        self._urgent = max(0, self._urgent - 1)
        self._owed = max(0, self._owed - 1)

    def elsewhere(self) -> None:
        """Another line has started a backward pass unseen, as where training comes after pretraining."""
        self._places += 1
        self._owed = 2 if self._places <= PLACES else 0

    def happening(self) -> None:
        """Something happens now: the next few steps are worth more than their distance says."""
        self._urgent = 3
