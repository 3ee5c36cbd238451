"""The losses of a training, as its backward passes start from them."""

from __future__ import annotations

import math
import statistics
import weakref
from collections import deque
from typing import Any

from torch import Tensor
from torch.amp.grad_scaler import GradScaler

from undertow.engine.recorder import to_host

__all__ = ["Losses"]

SPIKE = 3.0
"""A loss this many times the median of the last ones is worth a look."""


class Losses:
    """Notes every loss; those on other devices than the CPU stay there until they are fetched.

    Attributes:
        rows: Step, site, value and seconds of each loss that was not written yet.
        sound: The step of the last one that was finite.
        spiked: Whether the last loss stands out from those before it.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, float, float]] = []
        self.sound: int | None = None
        self.spiked = False
        self._distant: list[tuple[int, int, Tensor, float]] = []
        self._recent: deque[float] = deque(maxlen=20)
        self._scaled: tuple[GradScaler, list[weakref.ref[Tensor]]] | None = None

    @property
    def last(self) -> float | None:
        """The last one that is known."""
        return self._recent[-1] if self._recent else None

    def scaled_by(self, scaler: GradScaler, scaled: Any) -> None:
        """Remember which tensors a gradient scaler made."""
        parts = scaled if isinstance(scaled, (list, tuple)) else [scaled]
        self._scaled = scaler, [weakref.ref(part) for part in parts if isinstance(part, Tensor)]

    def scale_of(self, output: Any, *, now: bool) -> Any:
        """What a loss was multiplied by for the sake of half precision; left on its device unless wanted now."""
        if self._scaled is None or not any(ref() is output for ref in self._scaled[1]):
            return 1.0
        scaler = self._scaled[0]
        return float(scaler.get_scale()) if output.is_cpu or now else scaler._scale

    def note(self, step: int, site: int, output: Any, scale: Any, seconds: float, *, now: bool) -> float:
        """The loss as a number; 0 for one on another device that is not wanted now."""
        self.spiked = False
        if not isinstance(output, Tensor) or output.numel() != 1:
            return math.nan if not isinstance(output, Tensor) or output.numel() else 0.0
        if not output.is_cpu and not now:
            self._distant.append((step, site, output.detach().clone() / scale, seconds))
            return 0.0
        loss = float(output.item()) / float(scale)
        self.rows.append((step, site, loss, seconds))
        self.spiked = self._stands_out(loss)
        self._recent.append(loss)
        if math.isfinite(loss):
            self.sound = step
        return loss

    def _stands_out(self, loss: float) -> bool:
        recent, size = self._recent, abs(loss)
        if len(recent) <= 5 or size <= SPIKE * abs(min(recent, key=abs)):
            return False
        return size > SPIKE * statistics.median(map(abs, recent))

    def fetch(self) -> None:
        """Bring the losses on other devices to the host."""
        values = to_host([value for _, _, value, _ in self._distant])
        self.rows += [(*row[:2], value, row[3]) for row, value in zip(self._distant, values, strict=True)]
        self._distant.clear()
