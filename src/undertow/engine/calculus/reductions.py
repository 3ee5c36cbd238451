"""Local derivatives of sums, means, extremes and norms over dimensions."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from undertow.engine.calculus.node import dimensions, output_shape, signed
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import Diagonal, LinearMap, Reshape, Scale, Shape, TakeAlong, Total

__all__: list[str] = []


def total(source: Shape, dims: tuple[int, ...], target: Shape) -> LinearMap:
    """The sum over some dimensions, kept or not as the shape of the result tells."""
    summed = Total(source, dims)
    return summed if summed.target == target else Reshape(summed.target, target) @ summed


def weighted_total(slope: Tensor, dims: tuple[int, ...], target: Shape) -> LinearMap:
    """The sum over some dimensions of what is multiplied entry by entry."""
    return total(tuple(slope.shape), dims, target) @ Diagonal(slope)


@derivative("SumBackward0")
def sum_all(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    return (total(source, dimensions(None, len(source)), output_shape(node)),)


@derivative("SumBackward1")
def sum_over(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    return (total(source, dimensions(node._saved_dim, len(source)), output_shape(node)),)


@derivative("MeanBackward0")
def mean_all(node: Any) -> Local:
    return (_mean(tuple(node._saved_self_sym_sizes), None, output_shape(node)),)


@derivative("MeanBackward1")
def mean_over(node: Any) -> Local:
    return (_mean(tuple(node._saved_self_sym_sizes), node._saved_dim, output_shape(node)),)


def _mean(source: Shape, saved: Any, target: Shape) -> LinearMap:
    dims = dimensions(saved, len(source))
    return Scale(1 / max(math.prod(source[dim] for dim in dims), 1), target) @ total(source, dims, target)


@derivative("MaxBackward0", "MinBackward0")
def extreme_of_dim(node: Any) -> Local:
    source, target = tuple(node._saved_self_sym_sizes), output_shape(node)
    if not source:
        return (Reshape(source, target),)
    dim = signed(node._saved_dim) % len(source)
    index = node._saved_indices if node._saved_keepdim else node._saved_indices.unsqueeze(dim)
    return (Reshape(tuple(index.shape), target) @ TakeAlong(source, dim, index),)


@derivative("SortBackward0", "TopkBackward0")
def ordered(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    return (
        (TakeAlong(source, signed(node._saved_dim) % len(source), node._saved_indices),)
        if source
        else (Reshape(source, source),)
    )


@derivative("MaxBackward1", "MinBackward1")
def extreme_of_all(node: Any) -> Local:
    return (_evenly(node._saved_self, node._saved_result, dimensions(None, node._saved_self.ndim), output_shape(node)),)


@derivative("AmaxBackward0", "AminBackward0")
def extreme(node: Any) -> Local:
    x = node._saved_self
    return (_evenly(x, node._saved_result, dimensions(node._saved_dim, x.ndim), output_shape(node)),)


def _evenly(x: Tensor, result: Tensor, dims: tuple[int, ...], target: Shape) -> LinearMap:
    """The extreme, shared evenly by the entries that attain it."""
    attained = (x == _kept(result, x, dims)).to(x.dtype)
    return weighted_total(attained / attained.sum(dims, keepdim=True) if dims else attained, dims, target)


def _kept(result: Tensor, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """A result as it broadcasts against the tensor it was reduced from."""
    return result.reshape([1 if dim in dims else size for dim, size in enumerate(x.shape)])


@derivative("LogsumexpBackward0")
def logsumexp(node: Any) -> Local:
    x = node._saved_self
    dims = dimensions(node._saved_dim, x.ndim)
    return (weighted_total((x - _kept(node._saved_result, x, dims)).exp(), dims, output_shape(node)),)


@derivative("VarBackward0")
def var(node: Any) -> Local:
    x = node._saved_self
    dims = dimensions(node._saved_dim, x.ndim)
    return (weighted_total(2 * _deviation(node, x, dims), dims, output_shape(node)),)


@derivative("StdBackward0")
def std(node: Any) -> Local:
    x = node._saved_self
    dims = dimensions(node._saved_dim, x.ndim)
    slope = _deviation(node, x, dims) / _kept(node._saved_result, x, dims)
    return (weighted_total(slope.masked_fill_(_kept(node._saved_result, x, dims) == 0, 0), dims, output_shape(node)),)


def _deviation(node: Any, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """From the mean, over the degrees of freedom."""
    correction = 1 if node._saved_correction is None else node._saved_correction
    return (x - x.mean(dims, keepdim=True)) / (math.prod(x.shape[dim] for dim in dims) - correction)


@derivative("LinalgVectorNormBackward0")
def vector_norm(node: Any) -> Local | None:
    x, order = node._saved_self, node._saved_ord
    if order not in (1, 2) or x.is_complex():
        return None
    dims = dimensions(node._saved_dim, x.ndim)
    size = _kept(node._saved_result, x, dims)
    slope = x.sign() if order == 1 else (x / size).masked_fill_(size == 0, 0)
    return (weighted_total(slope, dims, output_shape(node)),)
