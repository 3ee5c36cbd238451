"""Local derivatives of norms and distances."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.arithmetic import past
from undertow.engine.calculus.node import dimensions, input_shapes, output_shape, signed
from undertow.engine.calculus.reductions import total, unreduced, weighted_total
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import Diagonal, Expand, Index, LinearMap, RankOne, Reshape, Shape, Sum

__all__: list[str] = []


@derivative("LinalgVectorNormBackward0")
def vector_norm(node: Any) -> Local | None:
    return _norm(node, node._saved_ord, node._saved_dim)


@derivative("NormBackward0", "NormBackward2")
def norm_all(node: Any) -> Local | None:
    return _norm(node, node._saved_p, None)


@derivative("NormBackward1", "NormBackward3")
def norm_over(node: Any) -> Local | None:
    return _norm(node, node._saved_p, node._saved_dim)


def _norm(node: Any, order: float | None, saved: Any) -> Local | None:
    x = node._saved_self
    if x.is_complex():
        return None
    if order == 0:
        return (None,)
    dims = dimensions(saved, x.ndim)
    order = 2.0 if order is None else order
    size = node._saved_result
    slope = slope_of_norm(x, unreduced(size, x, dims), order, dims)
    summed = weighted_total(slope.to(x.dtype), dims, output_shape(node))
    return (past(size == 0) @ summed if order > 1 and order not in (2, math.inf) else summed,)


def slope_of_norm(x: Tensor, size: Tensor, order: float, dims: tuple[int, ...]) -> Tensor:
    """The slope of (Σ |x|^p)^(1/p) by each entry, 0 where the norm is; largest entries share theirs evenly."""
    if order == 0:
        return torch.zeros_like(x)
    if order == 1:
        return x.sgn()
    if order == 2:
        return (x / size).masked_fill(size == 0, 0)
    if math.isinf(order):
        attained = (x.abs() == size) | x.isnan()
        return x.sgn() * attained / attained.sum(dims, keepdim=True)
    if order < 1:
        return x.sgn() * (x.abs() ** (order - 1)).masked_fill(x == 0, 0) * size ** (1 - order)
    powered = x.sgn() * x.abs() ** (order - 1) if order < 2 else x * x.abs() ** (order - 2)
    return (powered / size ** (order - 1)).masked_fill(size == 0, 0)


@derivative("DistBackward0")
def dist(node: Any) -> Local | None:
    x, y = node._saved_self, node._saved_other
    difference = x - y
    if difference.is_complex() or node._saved_p == 0:
        return None  # of order 0 PyTorch has no derivative, and its error is the one to be had
    slope = slope_of_norm(difference, node._saved_result, node._saved_p, dimensions(None, difference.ndim))
    return [
        None if source is None else _summed(sign * slope.sum_to_size(source), output_shape(node))
        for source, sign in zip(input_shapes(node), (1, -1), strict=True)
    ]


def _summed(slope: Tensor, target: Shape) -> LinearMap:
    return weighted_total(slope, dimensions(None, slope.ndim), target)


@derivative("CdistBackward0")
def cdist(node: Any) -> Local:
    return _distances(node, node._saved_p)


@derivative("EuclideanDistBackward0")
def euclidean_dist(node: Any) -> Local:
    return _distances(node, 2.0)


def _distances(node: Any, order: float) -> Local:
    """Of each row of one matrix from each row of another."""
    x, y = node._saved_x1.unsqueeze(-2), node._saved_x2.unsqueeze(-3)
    difference = x - y
    slope = _slope_of_distance(difference, node._saved_result.unsqueeze(-1), order)
    last, shape = (difference.ndim - 1,), tuple(difference.shape)
    apart = past(_together(node._saved_result, order))

    def by(source: Shape | None, aligned: Tensor, sign: int) -> LinearMap | None:
        if source is None:
            return None
        lined_up = Expand(tuple(aligned.shape), shape) @ Reshape(source, tuple(aligned.shape))
        return apart @ weighted_total(sign * slope, last, output_shape(node)) @ lined_up

    first, second = input_shapes(node)
    return by(first, x, 1), by(second, y, -1)


def _slope_of_distance(difference: Tensor, size: Tensor, order: float) -> Tensor:
    """As the slope of a norm, but that of an infinite order is 1 at each of the largest entries."""
    if math.isinf(order):
        return difference.sgn() * (difference.abs() == size)
    slope = slope_of_norm(difference, size, order, (difference.ndim - 1,))
    return slope.masked_fill(size == 0, 0) if order < 1 else slope


def _together(size: Tensor, order: float) -> Tensor:
    """Of which pairs the distance has a slope of 0 that PyTorch writes."""
    return torch.ones_like(size, dtype=torch.bool) if order == 0 else (size == 0) & (order not in (1, math.inf))


@derivative("PdistBackward0")
def pdist(node: Any) -> Local:
    x = node._saved_self
    first, second = torch.triu_indices(len(x), len(x), 1, device=x.device)
    slope = _slope_of_distance(x[first] - x[second], node._saved_result.unsqueeze(-1), node._saved_p)
    source, pairs = tuple(x.shape), tuple(slope.shape)
    apart = (Diagonal(sign * slope) @ Index(source, pairs, (rows,)) for sign, rows in ((1, first), (-1, second)))
    held = past(_together(node._saved_result, node._saved_p))
    return (held @ total(pairs, (1,), output_shape(node)) @ Sum(*apart),)


@derivative("RenormBackward0")
def renorm(node: Any) -> Local | None:
    x, most = node._saved_self, node._saved_maxnorm
    if x.is_complex():
        return None
    dims = tuple(dim for dim in range(x.ndim) if dim != signed(node._saved_dim) % x.ndim)
    size = torch.linalg.vector_norm(x, node._saved_p, dims, keepdim=True)
    shrunk = size > most
    scale = torch.where(shrunk, most / (size + 1e-7), 1).to(x.dtype)
    along = torch.where(shrunk, -scale / (size + 1e-7), 0) * slope_of_norm(x, size, node._saved_p, dims)
    shortened = RankOne(x, along, dims) @ past(~shrunk.expand_as(x))
    return (Sum(Diagonal(scale.expand_as(x)), shortened),)


@derivative("WeightNormInterfaceBackward0")
def weight_norm(node: Any) -> Local:
    """v ↦ g v / ‖v‖ for each slice: by v, g / ‖v‖ times what stands across v."""
    v, g, size = node._saved_v, node._saved_g, node._saved_result1
    dims = tuple(dim for dim in range(v.ndim) if dim != signed(node._saved_dim) % v.ndim)
    unit, ratio = (v / size).to(v.dtype), (g / size).to(v.dtype)
    across = Sum(Diagonal(ratio.expand_as(v)), RankOne(-ratio * unit, unit, dims))
    by_direction, by_length = input_shapes(node)
    return (
        None if by_direction is None else across,
        None if by_length is None else Diagonal(unit) @ Expand(by_length, tuple(v.shape)),
    )
