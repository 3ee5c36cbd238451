"""Local derivatives of special functions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.arithmetic import past
from undertow.engine.calculus.node import is_complex
from undertow.engine.calculus.table import Local, derivative, elementwise
from undertow.engine.maps import Diagonal

__all__: list[str] = []

elementwise("LgammaBackward0", lambda node: torch.digamma(node._saved_self))
elementwise("DigammaBackward0", lambda node: torch.polygamma(1, node._saved_self))
elementwise("PolygammaBackward0", lambda node: torch.polygamma(node._saved_n + 1, node._saved_self))
elementwise("MvlgammaBackward0", lambda node: _mvlgamma(node._saved_self, node._saved_p))

elementwise("ErfinvBackward0", lambda node: math.sqrt(math.pi) / 2 * (node._saved_self.erfinv() ** 2).exp())
elementwise("SpecialErfcxBackward0", lambda node: 2 * node._saved_self * node._saved_result - 2 / math.sqrt(math.pi))
elementwise("SpecialNdtriBackward0", lambda node: math.sqrt(2 * math.pi) * (node._saved_result**2 / 2).exp())
elementwise("SpecialLogNdtrBackward0", lambda node: _log_ndtr(node._saved_self, node._saved_result))

elementwise("SincBackward0", lambda node: _sinc(node._saved_self))
elementwise("SpecialEntrBackward0", lambda node: -1 - node._saved_self.log())

elementwise("I0Backward0", lambda node: torch.special.i1(node._saved_self))
elementwise("SpecialI0EBackward0", lambda node: _i0e(node._saved_self, node._saved_result))
elementwise("SpecialI1Backward0", lambda node: _i1(node._saved_self, node._saved_result))
elementwise("SpecialI1EBackward0", lambda node: _i1e(node._saved_self, node._saved_result))


def _mvlgamma(x: Tensor, p: int) -> Tensor:
    return sum((torch.digamma(x - i / 2) for i in range(1, p)), start=torch.digamma(x))


def _log_ndtr(x: Tensor, result: Tensor) -> Tensor:
    """The normal density over the normal distribution."""
    return (-(result + x**2 / 2)).exp() / math.sqrt(2 * math.pi)


@derivative("LogitBackward0")
def logit(node: Any) -> Local | None:
    """Beyond the bounds, if there are any, it does not vary; without them it is not defined beyond 0 and 1."""
    if is_complex(node):
        return None
    x, eps = node._saved_self, node._saved_eps
    slope = 1 / (x * (1 - x))
    if eps is None:
        return (Diagonal(slope.masked_fill((x < 0) | (x > 1), math.nan)),)
    beyond = (x < eps) | (x > 1 - eps)
    return (Diagonal(slope.masked_fill(beyond, 0)) @ past(beyond),)


def _sinc(x: Tensor) -> Tensor:
    angle = math.pi * x
    return ((angle * angle.cos() - angle.sin()) / (angle * x)).masked_fill(x == 0, 0)


def _i0e(x: Tensor, result: Tensor) -> Tensor:
    slope: Tensor = torch.special.i1e(x) - x.sgn() * result
    return slope


def _i1(x: Tensor, result: Tensor) -> Tensor:
    return _half_at_zero(x, lambda away: torch.i0(away) - result / away)


def _i1e(x: Tensor, result: Tensor) -> Tensor:
    return _half_at_zero(x, lambda away: torch.special.i0e(away) - result * (away.sgn() + 1 / away))


def _half_at_zero(x: Tensor, slope: Any) -> Tensor:
    """1/2 where x is too near to 0 to be divided by."""
    eps = torch.finfo(x.dtype).eps
    near = x.abs() <= eps
    return torch.where(near, 0.5, slope(x.masked_fill(near, eps))).to(x.dtype)
