"""Local derivatives of functions of two numbers, entry by entry."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.arithmetic import broadcast, past, weighted
from undertow.engine.calculus.node import input_shapes, output_shape
from undertow.engine.calculus.table import Local, derivative, elementwise
from undertow.engine.maps import LinearMap, Shape

__all__: list[str] = []


def _two(node: Any, first: Tensor | None, second: Tensor | None) -> Local:
    target, (left, right) = output_shape(node), input_shapes(node)
    return weighted(left, target, first), weighted(right, target, second)


@derivative("Atan2Backward0")
def atan2(node: Any) -> Local:
    y, x = node._saved_self, node._saved_other
    square = x * x + y * y
    scale = (1 / square).masked_fill(square == 0, 0)
    return _two(node, x * scale, -y * scale)


@derivative("HypotBackward0")
def hypot(node: Any) -> Local:
    x, y, size = node._saved_self, node._saved_other, node._saved_result
    return _two(node, None if x is None else x / size, None if y is None else y / size)


@derivative("FmodBackward1")
def fmod(node: Any) -> Local:
    return _remainder(node, "trunc")


@derivative("RemainderBackward1")
def remainder(node: Any) -> Local:
    return _remainder(node, "floor")


def _remainder(node: Any, rounding: str) -> Local:
    target, (left, right) = output_shape(node), input_shapes(node)
    by_divisor = None if right is None else -torch.div(node._saved_self, node._saved_other, rounding_mode=rounding)
    return broadcast(left, target), weighted(right, target, by_divisor)


@derivative("LogaddexpBackward0")
def logaddexp(node: Any) -> Local:
    apart = node._saved_self - node._saved_other
    return _two(node, torch.sigmoid(apart), torch.sigmoid(-apart))


@derivative("Logaddexp2Backward0")
def logaddexp2(node: Any) -> Local:
    apart = (node._saved_self - node._saved_other) * math.log(2)
    return _two(node, torch.sigmoid(apart), torch.sigmoid(-apart))


@derivative("LdexpBackward0")
def ldexp(node: Any) -> Local:
    _, exponent = input_shapes(node)
    by_exponent = None if exponent is None else node._saved_result * math.log(2)
    return _two(node, torch.pow(2.0, node._saved_other), by_exponent)


@derivative("XlogyBackward0")
def xlogy(node: Any) -> Local:
    return _times_logarithm(node, 0)


@derivative("SpecialXlog1PyBackward0")
def xlog1py(node: Any) -> Local:
    return _times_logarithm(node, 1)


def _times_logarithm(node: Any, shift: int) -> Local:
    """x log(y + shift): by a factor of 0 there is no slope where the logarithm would be infinite."""
    target, (left, right) = output_shape(node), input_shapes(node)
    x, y = node._saved_self, node._saved_other
    by_logarithm = None if right is None else x / (y + shift)
    return _by_factor(left, target, x, y, shift), weighted(right, target, by_logarithm)


def _by_factor(source: Shape | None, target: Shape, x: Tensor | None, y: Tensor, shift: int) -> LinearMap | None:
    if source is None or x is None:
        return None
    none = ((x == 0) & (y <= -shift)).expand(target)
    logarithm = (y.log1p() if shift else y.log()).expand(target).masked_fill(none, 0)
    by_factor = weighted(source, target, logarithm)
    return by_factor and past(none) @ by_factor


elementwise("XlogyBackward1", lambda node: node._saved_self / node._saved_other)
elementwise("SpecialXlog1PyBackward1", lambda node: node._saved_self / (node._saved_other + 1))


@derivative("XlogyBackward2")
def xlogy_number(node: Any) -> Local:
    return _times_logarithm_of_number(node, 0)


@derivative("SpecialXlog1PyBackward2")
def xlog1py_number(node: Any) -> Local:
    return _times_logarithm_of_number(node, 1)


def _times_logarithm_of_number(node: Any, shift: int) -> Local:
    x = node._saved_self
    return (_by_factor(tuple(x.shape), output_shape(node), x, x.new_tensor(node._saved_other), shift),)


@derivative("SpecialZetaBackward0")
def zeta(node: Any) -> Local | None:
    x, q = node._saved_self, node._saved_other
    order, _ = input_shapes(node)
    return _two(node, None, -x * torch.special.zeta(x + 1, q)) if order is None else None


elementwise(
    "SpecialZetaBackward1",
    lambda node: -node._saved_self * torch.special.zeta(node._saved_self + 1, node._saved_other),
)


@derivative("IgammaBackward0")
def igamma(node: Any) -> Local | None:
    return _incomplete_gamma(node, 1)


@derivative("IgammacBackward0")
def igammac(node: Any) -> Local | None:
    return _incomplete_gamma(node, -1)


def _incomplete_gamma(node: Any, sign: int) -> Local | None:
    """By its second argument; PyTorch has no derivative by the first, and its error is the one to be had."""
    a, x = node._saved_self, node._saved_other
    order, _ = input_shapes(node)
    return _two(node, None, sign * ((a - 1) * x.log() - x - a.lgamma()).exp()) if order is None else None
