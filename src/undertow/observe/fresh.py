"""Weights that look as they were made."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from undertow.observe.roster import Roster

__all__ = ["fresh", "looks_fresh"]

FEWEST = 256
"""Entries needed to tell a distribution by its moments alone."""

FEWEST_ONCE = 16
"""The same of a tensor that was written to once since memory was found for it, as PyTorch's layers do to initialise."""

MOST_ENTRIES = 1 << 16

LANGUAGE = 0.02
"""The deviation that BERT, GPT-2 and what follows them begin with: pretrained ones have left it far behind."""


def looks_fresh(weight: Tensor) -> bool:
    """Whether a matrix is as PyTorch's linear layers, convolutions or embeddings are made, or transformers are.

    Uniform up to 1 over √fan-in: nothing lies beyond the bound, the largest of n entries lies within 10/n of it (a
    uniform sample misses that once in e¹⁰ times), and mean square and mean fourth power are within four standard errors
    of the uniform's. Normal with a deviation of 0.02: these moments. So few entries that moments alone do not tell, and
    a normal of 1, which training leaves slowly, count only where the tensor was written to once: what was loaded into
    it, or was trained, has been written to more often.
    """
    if weight.dim() < 2 or not weight.is_floating_point():
        return False
    once = not weight.is_inference() and weight._version == 1
    if weight.numel() < (FEWEST_ONCE if once else FEWEST):
        return False
    values = weight.detach().reshape(-1)[:MOST_ENTRIES].to("cpu", torch.float64)
    return (
        _uniform(values * math.sqrt(weight[0].numel()))
        or (len(values) >= FEWEST and _normal(values / LANGUAGE))
        or (once and _normal(values))
    )


def _uniform(scaled: Tensor) -> bool:
    count, largest = len(scaled), float(scaled.abs().max())
    return 1 - 10 / count - 1e-3 <= largest <= 1 + 1e-3 and _moments(scaled, (1 / 3, 1 / 5), (4 / 45, 16 / 225))


def _normal(scaled: Tensor) -> bool:
    return _moments(scaled, (1.0, 3.0), (2.0, 96.0))


def _moments(scaled: Tensor, means: tuple[float, float], variances: tuple[float, float]) -> bool:
    """Whether square and fourth power have these means, within four standard errors by these variances."""
    powers = float(scaled.square().mean()), float(scaled.pow(4).mean())
    return all(
        abs(power - mean) <= 4 * math.sqrt(variance / len(scaled))
        for power, mean, variance in zip(powers, means, variances, strict=True)
    )


def fresh(roster: Roster, frozen: bool) -> dict[str, Any] | None:
    """Parameters of called modules that look as they were made, though something is trained.

    Either those that require no gradient, or those that require one and that no optimizer holds.
    """
    called = [*roster.called_parameters()]
    still = [p for p in called if p.requires_grad != frozen and (frozen or not roster.held(p))]
    if not still or not any(p.requires_grad for p in called):
        return None
    names = [roster.name_of(p) for p in still if looks_fresh(p)]
    return {"parameters": names[:50], "count": len(names), "of": len(still)} if names else None
