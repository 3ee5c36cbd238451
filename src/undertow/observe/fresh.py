"""Weights that look as they were made."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from undertow.observe.roster import Roster

__all__ = ["frozen", "looks_fresh"]

FEWEST = 256
"""Entries needed to tell a distribution."""

MOST_ENTRIES = 1 << 16


def looks_fresh(weight: Tensor) -> bool:
    """Whether a matrix is as PyTorch's linear layers and convolutions are made: uniform up to 1 over √fan-in.

    Nothing lies beyond the bound, the largest of n entries lies within 10/n of it (a uniform sample misses that
    once in e¹⁰ times), and mean square and mean fourth power are within four standard errors of the uniform's.
    """
    if weight.dim() < 2 or weight.numel() < FEWEST or not weight.is_floating_point():
        return False
    scaled = weight.detach().reshape(-1)[:MOST_ENTRIES].to("cpu", torch.float64) * math.sqrt(weight[0].numel())
    count, largest = len(scaled), float(scaled.abs().max())
    if not 1 - 10 / count - 1e-3 <= largest <= 1 + 1e-3:
        return False
    square, fourth = float(scaled.square().mean()), float(scaled.pow(4).mean())
    return abs(square - 1 / 3) <= 4 * math.sqrt(4 / 45 / count) and abs(fourth - 1 / 5) <= 4 * math.sqrt(
        16 / 225 / count
    )


def frozen(roster: Roster) -> dict[str, Any] | None:
    """Parameters of called modules that require no gradient and look as they were made, in models that are trained."""
    fresh, held = [], 0
    for model in roster.models:
        parameters = [*roster.parameters_called(model)]
        if any(p.requires_grad for p in parameters):
            still = [p for p in parameters if not p.requires_grad]
            held += len(still)
            fresh += [roster.name_of(p) for p in still if looks_fresh(p)]
    return {"parameters": fresh[:50], "count": len(fresh), "frozen": held} if fresh else None
