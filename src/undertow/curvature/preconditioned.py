"""Curvature as an optimizer feels it: in the units in which it takes its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from undertow.errors import CurvatureError
from undertow.linear import Operator, Space

__all__ = ["Scaling", "preconditioned", "scales"]

ADAPTIVE = ("Adam", "AdamW", "NAdam", "RAdam")
"""Divide by the root of the mean square of past gradients, freed of its bias at the start."""


@dataclass(frozen=True, repr=False)
class Scaling(Operator):
    """Each entry times its own factor."""

    factors: Sequence[Tensor]
    source: Space
    target: Space

    def _push(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        return [factor * tangent for factor, tangent in zip(self.factors, tangents, strict=True)]

    def _pull(self, cotangents: Sequence[Tensor]) -> list[Tensor]:
        return self._push(cotangents)


def preconditioned(operator: Operator, factors: Sequence[Tensor]) -> Operator:
    """P^-1/2 H P^-1/2, which has the eigenvalues of P^-1 H: `factors` are the entries of P^-1/2."""
    scaling = Scaling([*factors], operator.source, operator.source)
    return scaling @ operator @ scaling


def scales(optimizer: Optimizer, parameters: Sequence[Tensor]) -> list[Tensor]:
    """By what the optimizer multiplies the gradient of each entry before the learning rate, to the power 1/2.

    1 for plain gradient descent, with momentum or not.

    Raises:
        CurvatureError: It is an optimizer whose preconditioner is not known, or has made no step yet.
    """
    kind = type(optimizer).__name__
    if kind == "SGD":
        return [torch.ones_like(parameter) for parameter in parameters]
    if kind in ADAPTIVE:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        return [_adaptive(optimizer.state[p], groups[id(p)]) for p in _stepped(optimizer, parameters)]
    if kind == "RMSprop":
        return [_rms(optimizer, p) for p in _stepped(optimizer, parameters)]
    raise CurvatureError(
        f"how {kind} scales its steps is not known here\n"
        f"  SGD, RMSprop, {', '.join(ADAPTIVE)} are. Without the optimizer, curvature is told in plain units."
    )


def _stepped(optimizer: Optimizer, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
    if any(not optimizer.state.get(p) for p in parameters):
        raise CurvatureError(
            f"{type(optimizer).__name__} has made no step yet with some parameters, so it has no scale for them\n"
            "  Give it the state of the run (load_state_dict), or let it make a step."
        )
    return parameters


def _adaptive(state: Mapping[str, Tensor], group: Mapping[str, Any]) -> Tensor:
    corrected = 1 - group["betas"][1] ** float(state["step"])
    return _rooted(state.get("max_exp_avg_sq", state["exp_avg_sq"]) / corrected, group["eps"])


def _rms(optimizer: Optimizer, parameter: Tensor) -> Tensor:
    group = next(g for g in optimizer.param_groups if any(p is parameter for p in g["params"]))
    state = optimizer.state[parameter]
    mean_square: Tensor = state["square_avg"]
    if group["centered"]:
        mean_square = mean_square - state["grad_avg"].square()
    return _rooted(mean_square, group["eps"])


def _rooted(mean_square: Tensor, eps: float) -> Tensor:
    return (mean_square.sqrt() + eps).rsqrt()
