"""Which steps to observe, so that observing keeps within its budget."""

from __future__ import annotations

import math
import statistics
from collections import deque

__all__ = ["Sampler"]

CREDIT = 0.05
"""Seconds that observing may cost before any have been earned: early steps tell the most. It is paid back."""

OWN = 0.5
"""The part of the budget that samples keep where what runs at every step would use up more than the rest."""

DENSEST = 0.01
"""Samples are at least this share of the steps made so far apart, so that a store stays small."""

FLOOR = 0.25
"""The same for a look whenever the run has doubled since the last one: one dear sample leaves no short run unseen."""

PAIRS = 0.2
"""The part of the budget that gradients of steps that follow each other may cost."""

PAIRS_CREDIT = 0.02
"""Seconds that these may cost before any have been earned."""

APART = 0.02, 0.1
"""Such pairs begin a share of the steps so far apart, within these bounds: a tenth leaves seven to a second half."""

DOUBLING = 0.2
"""Of what may still be spent on pairs, as much is spent while the steps double, where that is more than seven cost."""

NEAREST = 3
"""And at least so many steps: odd, so that where two batches take turns, not the same begins each pair."""

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
        self._pair = self._pairs = 0.0
        self._costs: deque[float] = deque(maxlen=50)
        self._paired_times = 0
        self._paired = -NEAREST
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
        between = max(0.0, spent - self._first - self._samples - self._pairs)
        expected = self._samples + self._dearest + self._pairs + min(between, (1 - OWN) * earned)
        if expected > math.hypot(CREDIT, earned):
            foreseen = expected if self._samples else 0.0  # the second may have cost what it costs once
            return step >= 2 * self._last and foreseen <= math.hypot(FLOOR, earned)
        apart = DENSEST if expected <= earned else ON_CREDIT
        return self._urgent > 0 or step - self._last >= max(1, int(step * apart))

    def wants_pair(self, step: int, elapsed: float) -> bool:
        """Whether to look at the gradients of a step that is about to begin, and of the next; not if all are seen."""
        if self.every is not None:
            return self.every > 1 and step % (max(NEAREST, self.every) | 1) == 0
        if step - self._paired < NEAREST:
            return False
        left = math.hypot(PAIRS_CREDIT, PAIRS * self.budget * elapsed) - self._pairs
        if left < self._pair or left <= 0:
            return False
        apart = min(max(APART[0], math.log(2) * self._pair / (DOUBLING * left)), APART[1])
        return step - self._paired >= int(apart * step) | 1

    def paired(self, step: int, cost: float) -> None:
        """A pair that began at this step cost so many seconds.

        All count as the median does: they are so short that an interruption would be most of what they cost.
        """
        self._paired = step
        self._paired_times += 1
        self._costs.append(cost)
        self._pair = statistics.median_low(self._costs)
        self._pairs = self._paired_times * self._pair

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
