"""How long steps take that are not observed, and what an observed one takes beyond that."""

from __future__ import annotations

import statistics
from collections import deque

__all__ = ["Pace"]


class Pace:
    """Keeps the durations of the last steps that were not observed."""

    def __init__(self) -> None:
        self._durations: deque[float] = deque(maxlen=50)
        self._began = 0.0

    def step_begins(self, now: float) -> None:
        self._began = now

    def step_ended(self, now: float) -> None:
        """One that was not observed."""
        self._durations.append(now - self._began)

    def beyond(self, now: float, cost: float) -> float:
        """How much longer than others the observed step took that ends now, without what is known of its cost.

        Hooks cost more than can be seen from inside them.
        """
        if not self._durations:
            return 0.0
        return max(0.0, now - self._began - cost - statistics.median(self._durations))
