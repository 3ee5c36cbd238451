"""Local derivatives of operations that choose, entry by entry, which input passes."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from undertow.engine.calculus.arithmetic import kept, nothing, weighted
from undertow.engine.calculus.node import input_shape, input_shapes, output_shape
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import LinearMap, Mask, Shape

__all__: list[str] = []


@derivative("MaximumBackward0")
def maximum(node: Any) -> Local:
    return _greater(node, node._saved_self, node._saved_other)


@derivative("MinimumBackward0")
def minimum(node: Any) -> Local:
    return _greater(node, -node._saved_self, -node._saved_other)


def _greater(node: Any, x: Tensor, y: Tensor) -> Local:
    """Each input where it is the greater; where they are equal, half of each."""
    target, (left, right) = output_shape(node), input_shapes(node)
    half = 1 - 0.5 * (x == y).to(x.dtype)
    return _part(left, target, half, x < y), _part(right, target, half, x > y)


def _part(source: Shape | None, target: Shape, share: Tensor, none: Tensor) -> LinearMap | None:
    """An input's share of each entry, but for those of which it has none."""
    part = weighted(source, target, share)
    return part and Mask(~none) @ part


@derivative("WhereBackward0")
def where(node: Any) -> Local:
    target, condition = output_shape(node), node._saved_condition
    chosen, otherwise = input_shapes(node)[-2:]
    maps = kept(chosen, target, condition), kept(otherwise, target, ~condition)
    return (*[None] * (len(node.next_functions) - 2), *maps)


@derivative("MaskedFillBackward0", "MaskedFillBackward1")
def masked_fill(node: Any) -> Local:
    target, mask = output_shape(node), node._saved_mask
    source, *value = input_shapes(node)
    return kept(source, target, ~mask), *(kept(shape, target, mask) for shape in value)


@derivative("FmaxBackward0")
def fmax(node: Any) -> Local:
    return _either(node, (node._saved_self >= node._saved_other) | node._saved_other.isnan())


@derivative("FminBackward0")
def fmin(node: Any) -> Local:
    return _either(node, (node._saved_self <= node._saved_other) | node._saved_other.isnan())


def _either(node: Any, first: Tensor) -> Local:
    """The first input where a condition holds, and the second elsewhere."""
    target, (left, right) = output_shape(node), input_shapes(node)
    return kept(left, target, first), kept(right, target, ~first)


@derivative("ClampMinBackward1")
def clamp_min(node: Any) -> Local:
    x, low = node._saved_self, node._saved_min
    target, (source, bound) = output_shape(node), input_shapes(node)
    return kept(source, target, x >= low), kept(bound, target, x < low)


@derivative("ClampMaxBackward1")
def clamp_max(node: Any) -> Local:
    x, high = node._saved_self, node._saved_max
    target, (source, bound) = output_shape(node), input_shapes(node)
    return kept(source, target, x <= high), kept(bound, target, x > high)


@derivative("ClampBackward0")
def clamp_between(node: Any) -> Local:
    x, low, high = node._saved_self, node._saved_min, node._saved_max
    target, (source, lower, upper) = output_shape(node), input_shapes(node)
    if low is None:
        return kept(source, target, x <= high), None, kept(upper, target, x > high)
    if high is None:
        return kept(source, target, x >= low), kept(lower, target, x < low), None
    return (
        kept(source, target, (x >= low) & (x <= high)),
        kept(lower, target, (x < low) & (low < high)),
        kept(upper, target, (x > high) | (high < low)),
    )


@derivative("CopysignBackward0")
def copysign(node: Any) -> Local:
    target, (size, sign) = output_shape(node), input_shapes(node)
    return weighted(size, target, _turned(node)), _untouched(node, sign)


@derivative("CopysignBackward1")
def copysign_number(node: Any) -> Local:
    return (weighted(input_shape(node, 0), output_shape(node), _turned(node)),)


def _turned(node: Any) -> Tensor:
    ratio: Tensor = node._saved_result / node._saved_self
    return ratio.masked_fill(node._saved_self == 0, 0)


@derivative("NextafterBackward0")
def nextafter(node: Any) -> Local:
    target, (source, towards) = output_shape(node), input_shapes(node)
    return kept(source, target, node._saved_self != node._saved_other), _untouched(node, towards)


def _untouched(node: Any, source: Any) -> LinearMap | None:
    return None if source is None else nothing(output_shape(node), node, source)
