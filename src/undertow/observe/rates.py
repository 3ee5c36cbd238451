"""The learning rates in force, as schedules and loops change them."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

__all__ = ["Rates"]

Values = tuple[Any, ...]


class Rates:
    """Notes the rate of each group of each optimizer whenever it is another than at the step before.

    Rates that are tensors on another device are left alone: reading them would wait for it.

    Attributes:
        rows: Optimizer (in the order of their first steps), group, step and rate, of those not written yet.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, float]] = []
        self._known: weakref.WeakKeyDictionary[Optimizer, tuple[int, Values]] = weakref.WeakKeyDictionary()
        self._met = 0

    def note(self, step: int, optimizer: Optimizer) -> bool:
        """An optimizer has made a step; returns whether it is its first."""
        known = self._known.get(optimizer)
        now = tuple([_number(group.get("lr")) for group in optimizer.param_groups])
        if known is not None and known[1] == now:
            return False
        number, before = known or (self._met, ())
        self._met += known is None
        self._known[optimizer] = number, now
        self.rows += [
            (number, part, step, rate)
            for part, rate in enumerate(now)
            if rate is not None and (part >= len(before) or before[part] != rate)
        ]
        return known is None


def _number(rate: Any) -> float | None:
    if isinstance(rate, Tensor):
        return float(rate) if rate.is_cpu and rate.numel() == 1 else None
    return float(rate) if isinstance(rate, (int, float)) else None
