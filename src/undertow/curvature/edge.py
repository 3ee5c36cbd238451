"""How far a training is from the edge of stability of its optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch.optim import Optimizer

from undertow.curvature.preconditioned import ADAPTIVE
from undertow.errors import CurvatureError
from undertow.shown import Shown

__all__ = ["Edge", "limit"]

NEAR = 0.8
"""From this part of the limit on a training is said to be at the edge, where gradient descent settles by itself."""


@dataclass(frozen=True, slots=True)
class Edge(Shown):
    """Sharpness against the largest that the optimizer's steps stay stable with.

    Attributes:
        sharpness: The largest eigenvalue of the Hessian, in the optimizer's own units.
        error: Of it.
        limit: The sharpness at which steps along its direction begin to grow.
    """

    sharpness: float
    error: float
    limit: float

    @property
    def ratio(self) -> float:
        """Sharpness over limit: above 1, the steps along the sharpest direction grow until something stops them."""
        return self.sharpness / self.limit

    @property
    def verdict(self) -> Literal["stable", "at the edge", "beyond the edge"]:
        if self.sharpness - self.error > 1.2 * self.limit:
            return "beyond the edge"
        return "at the edge" if self.ratio > NEAR else "stable"

    def __str__(self) -> str:
        told = f"sharpness {self.sharpness:.3g} ± {self.error:.1g}"
        return f"{self.verdict}: {told} is {self.ratio:.0%} of the {self.limit:.3g} that steps are stable up to"


def limit(optimizer: Optimizer) -> float:
    """The sharpness up to which the optimizer's steps on a quadratic stay stable, in its own units.

    Of several groups, the one with the largest steps counts.

    Raises:
        CurvatureError: It is an optimizer whose limit is not known.

    Source:
        Cohen et al. 2021, arXiv:2103.00065, for gradient descent, 2 / rate, with heavy-ball momentum,
        2 (1 + momentum) / rate, and with Nesterov's, 2 (1 + momentum) / (rate (1 + 2 momentum)); Cohen et al. 2022,
        arXiv:2207.14484, for Adam, 2 (1 + beta1) / ((1 - beta1) rate).
    """
    return min(_limit(type(optimizer).__name__, group) for group in optimizer.param_groups)


def _limit(kind: str, group: dict[str, Any]) -> float:
    rate = float(group["lr"])
    if rate <= 0:
        return float("inf")
    if kind in {"SGD", "RMSprop"}:
        momentum = float(group["momentum"])
        if kind == "SGD" and group["nesterov"]:
            return 2 * (1 + momentum) / (rate * (1 + 2 * momentum))
        damped = float(group["dampening"]) if kind == "SGD" and momentum else 0.0
        return 2 * (1 + momentum) / (rate * (1 - damped))
    if kind in ADAPTIVE:
        beta = float(group["betas"][0])
        return 2 * (1 + beta) / ((1 - beta) * rate)
    raise CurvatureError(
        f"the stability limit of {kind} is not known here\n  That of SGD, RMSprop, {', '.join(ADAPTIVE)} is."
    )
