"""The trace of a Hessian by probes of what a matrix of known trace leaves of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from undertow.curvature.rows import signs, times
from undertow.curvature.trace import Trace, estimate, trace
from undertow.linear import Operator
from undertow.noise import Estimate

__all__ = ["controlled"]

PILOT = 5
"""Probes that show whether it pays."""

DEARER = 3
"""A product with either matrix, against one with the Hessian: a forward and a reverse sweep come on top."""


def controlled(operator: Operator, other: Operator, known: Mapping[str, Estimate], products: int) -> Trace:
    """The trace of an operator, by that of another near it: its own, plus probes of the difference, where that pays.

    Whether it does is seen by a few probes, which are not used again, so that the error is that of fresh ones.

    Args:
        operator: Symmetric, between tensors by name.
        other: Of the same space.
        known: The trace of each block of the other, exactly.
        products: With the operator, or what costs as much.

    Source:
        Control variates: Hammersley & Handscomb 1964, Monte Carlo Methods, section 5.5.
    """
    chance = torch.Generator().manual_seed(1)
    fresh = products // DEARER - PILOT
    if fresh < PILOT:
        return trace(operator, products)
    own, left = _probed(operator, other, PILOT, chance)
    if float(left.sum(1).var()) * DEARER >= float(own.sum(1).var()):
        return trace(operator, products)
    _, left = _probed(operator, other, fresh, chance)
    names, sizes = operator.source.names or (), operator.source.sizes
    parts = zip(names, left.split(sizes, 1), strict=True)
    by_tensor = {name: _plus(known[name].value, block) for name, block in parts}
    whole = _plus(sum(known[name].value for name in names), left)
    how = f"by {fresh} random probes of what the Gauss-Newton matrix, whose trace is exact, leaves of it"
    return Trace(whole, by_tensor, DEARER * (PILOT + fresh), how)


def _probed(operator: Operator, other: Operator, count: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """What probes show of the operator, and of what the other leaves of it, entry by entry."""
    probes = signs(operator, count, chance)
    own = probes * times(operator, probes)
    return own, own - probes * times(other, probes)


def _plus(known: float, left: Tensor) -> Estimate:
    found = estimate(left[:0], left)
    return Estimate(known + found.value, found.error, found.freedom)
