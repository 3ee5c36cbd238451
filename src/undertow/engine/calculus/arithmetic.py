"""Local derivatives of operations that combine tensors entry by entry, broadcasting as they need."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.kernels import arithmetic as kernels
from undertow.engine.calculus.node import input_shapes, is_complex, output_shape
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import Diagonal, Expand, Identity, LinearMap, Mask, Scale, Shape

__all__: list[str] = []


def broadcast(source: Shape | None, target: Shape, factor: float = 1) -> LinearMap | None:
    """How an input that is broadcast to the output, times a number, acts on it."""
    if source is None:
        return None
    if source == target:
        return Identity(target) if factor == 1 else Scale(factor, target)
    return Expand(source, target) if factor == 1 else Scale(factor, target) @ Expand(source, target)


def weighted(source: Shape | None, target: Shape, slope: Tensor | None) -> LinearMap | None:
    """How an input that is broadcast to the output, times a tensor, acts on it."""
    if source is None or slope is None:
        return None
    diagonal = Diagonal(slope.expand(target))
    return diagonal if source == target else diagonal @ Expand(source, target)


def kept(source: Shape | None, target: Shape, where: Tensor) -> LinearMap | None:
    """How an input that is broadcast to the output, and used only where a condition holds, acts on it."""
    if source is None:
        return None
    mask = Mask(where.expand(target))
    return mask if source == target else mask @ Expand(source, target)


def past(held: Tensor) -> LinearMap:
    """Everything but the entries where a condition holds: nothing is multiplied by the slope of 0 that they have."""
    return Mask(~held) if held.any() else Identity(tuple(held.shape))


def nothing(target: Shape, node: Any, source: Shape | None = None) -> LinearMap:
    """How an input that a gradient flows to, but that the output does not depend on, acts on it: by zeros."""
    nowhere = torch.zeros((), dtype=torch.bool, device=node._input_metadata[0].device).expand(target)
    return Mask(nowhere) if source is None or source == target else Mask(nowhere) @ Expand(source, target)


@derivative("AddBackward1", "SubBackward1")
def shift(node: Any) -> Local:
    return (Identity(output_shape(node)),)


@derivative("AddBackward0")
@pulled_by(kernels.add)
def add(node: Any) -> Local:
    target, alphas = output_shape(node), (1, node._saved_alpha)
    return [broadcast(source, target, alpha) for source, alpha in zip(input_shapes(node), alphas, strict=False)]


@derivative("SubBackward0")
def sub(node: Any) -> Local:
    target, alphas = output_shape(node), (1, -node._saved_alpha)
    return [broadcast(source, target, alpha) for source, alpha in zip(input_shapes(node), alphas, strict=False)]


@derivative("RsubBackward0", "RsubBackward1")
def rsub(node: Any) -> Local:
    target, alphas = output_shape(node), (-node._saved_alpha, 1)
    return [broadcast(source, target, alpha) for source, alpha in zip(input_shapes(node), alphas, strict=False)]


@derivative("MulBackward0")
@pulled_by(kernels.mul)
def mul(node: Any) -> Local:
    target, (left, right) = output_shape(node), input_shapes(node)
    return weighted(left, target, node._saved_other), weighted(right, target, node._saved_self)


@derivative("MulBackward1")
def mul_number(node: Any) -> Local:
    return (Scale(node._saved_other, output_shape(node)),)


@derivative("DivBackward0")
@pulled_by(kernels.div)
def div(node: Any) -> Local:
    target, (above, below) = output_shape(node), input_shapes(node)
    x, y = node._saved_self, node._saved_other
    return weighted(above, target, _one(node) / y), None if below is None else weighted(below, target, -x / (y * y))


def _one(node: Any) -> Tensor:
    """In the dtype of the output: a number that was divided by has none of its own."""
    metadata = node._input_metadata[0]
    return torch.ones((), dtype=metadata.dtype, device=metadata.device)


@derivative("DivBackward1")
def div_number(node: Any) -> Local:
    return (Scale(1 / node._saved_other, output_shape(node)),)


@derivative("PowBackward1")
def power(node: Any) -> Local | None:
    if is_complex(node):
        return None
    target, (base, exponent) = output_shape(node), input_shapes(node)
    x, y, result = node._saved_self, node._saved_exponent, node._saved_result
    flat, fixed = (y == 0).expand(target), ((x == 0) & (y >= 0)).expand(target)
    by_base = None if base is None else weighted(base, target, (y * x ** (y - 1)).masked_fill(flat, 0))
    by_exponent = None if exponent is None else weighted(exponent, target, (result * x.log()).masked_fill(fixed, 0))
    return by_base and past(flat) @ by_base, by_exponent


@derivative("AddcmulBackward0")
def addcmul(node: Any) -> Local:
    target, (first, left, right) = output_shape(node), input_shapes(node)
    x, y, value = node._saved_tensor1, node._saved_tensor2, node._saved_value
    return (
        broadcast(first, target),
        None if left is None else weighted(left, target, y * value),
        None if right is None else weighted(right, target, x * value),
    )


@derivative("AddcdivBackward0")
def addcdiv(node: Any) -> Local:
    target, (first, above, below) = output_shape(node), input_shapes(node)
    x, y, value = node._saved_tensor1, node._saved_tensor2, node._saved_value
    return (
        broadcast(first, target),
        None if above is None else weighted(above, target, value / y),
        None if below is None else weighted(below, target, -value * x / (y * y)),
    )


@derivative("DivBackward2")
def div_rounded(node: Any) -> Local | None:
    return div(node) if node._saved_rounding_mode is None else stepped(node)


@derivative("LerpBackward0")
def lerp(node: Any) -> Local:
    target, (start, end) = output_shape(node), input_shapes(node)
    return broadcast(start, target, 1 - node._saved_weight), broadcast(end, target, node._saved_weight)


@derivative("LerpBackward1")
def lerp_between(node: Any) -> Local:
    target, (start, end, share) = output_shape(node), input_shapes(node)
    weight = node._saved_weight
    return (
        None if start is None else weighted(start, target, 1 - weight),
        weighted(end, target, weight),
        None if share is None else weighted(share, target, node._saved_end - node._saved_self),
    )


@derivative("NativeDropoutBackward0")
def dropout(node: Any) -> Local:
    p = node._saved_p
    scale = 0.0 if p == 1 else 1 / (1 - p)
    return (Scale(scale, output_shape(node)) @ Mask(node._saved_result1),)


@derivative("CopyBackwards")
def copy(node: Any) -> Local:
    """Written over a tensor in place, in whatever dtype that has."""
    target, (source, written) = output_shape(node), input_shapes(node)
    return None if source is None else nothing(target, node), broadcast(written, target)


@derivative("FillBackward1", "FillBackward3")
def fill(node: Any) -> Local:
    target, (source, value) = output_shape(node), input_shapes(node)
    return None if source is None else nothing(target, node), broadcast(value, target)


@derivative("BernoulliBackward1", "NormalBackward1", "NormalBackward2", "NormalBackward3")
def stepped(node: Any) -> Local:
    """What was rounded, or drawn at random."""
    target = output_shape(node)
    return [None if source is None else nothing(target, node, source) for source in input_shapes(node)]
