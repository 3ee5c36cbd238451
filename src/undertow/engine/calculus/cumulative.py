"""Local derivatives of products, and of what is added up or multiplied up along a dimension."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.arithmetic import past
from undertow.engine.calculus.node import dimensions, output_shape, signed
from undertow.engine.calculus.reductions import weighted_total
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import CumulativeSoftmax, CumulativeSum, Diagonal, LinearMap, Sum

__all__: list[str] = []


@derivative("CumsumBackward0")
def cumsum(node: Any) -> Local:
    target = output_shape(node)
    return (CumulativeSum(target, signed(node._saved_dim) % max(len(target), 1)),)


@derivative("LogcumsumexpBackward0")
def logcumsumexp(node: Any) -> Local | None:
    x = node._saved_self
    if x.is_complex():
        return None
    return (CumulativeSoftmax(x, node._saved_result, signed(node._saved_dim) % max(x.ndim, 1)),)


@derivative("CumprodBackward0")
def cumprod(node: Any) -> Local | None:
    x, result = node._saved_self, node._saved_result
    if x.is_complex():
        return None
    dim = signed(node._saved_dim) % max(x.ndim, 1)
    if x.ndim and not x.all():
        return (_through_zeros(x, result, dim),)
    return (Diagonal(result) @ CumulativeSum(tuple(x.shape), dim) @ Diagonal(1 / x if x.ndim else 1 / result),)


def _through_zeros(x: Tensor, result: Tensor, dim: int) -> LinearMap:
    """Before the first 0 as anywhere, and by that 0 up to the next one; by what stands behind it there is no slope."""
    zeros = (x == 0).cumsum(dim)
    behind, first = zeros > 0, (zeros == 1) & (x == 0)
    summed = CumulativeSum(tuple(x.shape), dim)
    before = Diagonal(result) @ summed @ Diagonal(1 / x.masked_fill(behind, 1))
    others = x.masked_fill(first, 1).cumprod(dim)
    return Sum(past(behind) @ before @ past(behind), past(zeros != 1) @ Diagonal(others) @ summed @ past(~first))


@derivative("ProdBackward0")
def prod_all(node: Any) -> Local | None:
    x = node._saved_self
    if x.is_complex():
        return None
    others = _others(x.reshape(-1), 0).reshape(x.shape)
    hidden = ((x == 0).sum() > 1).expand(x.shape)
    return (weighted_total(others, dimensions(None, x.ndim), output_shape(node)) @ past(hidden),)


@derivative("ProdBackward1")
def prod_over(node: Any) -> Local | None:
    x = node._saved_self
    if x.is_complex():
        return None
    dim = signed(node._saved_dim) % max(x.ndim, 1)
    return (weighted_total(_others(x, dim) if x.ndim else torch.ones_like(x), (dim,)[: x.ndim], output_shape(node)),)


def _others(x: Tensor, dim: int) -> Tensor:
    """For each entry, the product of the others along a dimension: of those before it and those behind it."""
    one = torch.ones_like(x.narrow(dim, 0, min(1, x.shape[dim])))
    before = torch.cat([one, x.narrow(dim, 0, max(x.shape[dim] - 1, 0))], dim).cumprod(dim)
    backwards = x.flip(dim)
    behind = torch.cat([one, backwards.narrow(dim, 0, max(x.shape[dim] - 1, 0))], dim).cumprod(dim).flip(dim)
    return before * behind
