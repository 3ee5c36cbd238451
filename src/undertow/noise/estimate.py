"""A number with its error."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Estimate", "jackknife"]


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error.

    Attributes:
        value: What was estimated.
        error: One standard error: the truth lies within two of them about 95 times in 100.
    """

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.error:.2g}"

    def times(self, factor: float) -> Estimate:
        """The same in another unit."""
        return Estimate(self.value * factor, self.error * abs(factor))


def jackknife(value: Tensor, without: Tensor) -> Estimate:
    """A statistic with its jackknife standard error: from its value, and its values without each observation."""
    count = len(without)
    variance = (count - 1) / count * (without - without.mean()).square().sum()
    return Estimate(float(value), math.sqrt(float(variance)))
