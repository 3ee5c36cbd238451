"""Local derivatives of sums, means and variances over dimensions."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from undertow.engine.calculus.arithmetic import past
from undertow.engine.calculus.node import dimensions, is_complex, output_shape
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import Diagonal, LinearMap, Reshape, Scale, Shape, Total

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


def unreduced(result: Tensor, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """A result as it broadcasts against the tensor it was reduced from."""
    return result.reshape([1 if dim in dims else size for dim, size in enumerate(x.shape)])


@derivative("LogsumexpBackward0")
def logsumexp(node: Any) -> Local:
    x = node._saved_self
    dims = dimensions(node._saved_dim, x.ndim)
    return (weighted_total((x - unreduced(node._saved_result, x, dims)).exp(), dims, output_shape(node)),)


@derivative("NansumBackward0")
def nansum(node: Any) -> Local:
    x = node._saved_self
    return (weighted_total((~x.isnan()).to(x.dtype), dimensions(node._saved_dim, x.ndim), output_shape(node)),)


@derivative("VarBackward0")
def var(node: Any) -> Local | None:
    return None if is_complex(node) else (_variance(node),)


@derivative("VarMeanBackward0")
def var_mean(node: Any) -> Local | None:
    x = node._saved_self
    if x.is_complex():
        return None
    return ((_variance(node), _mean(tuple(x.shape), node._saved_dim, output_shape(node, 1))),)


@derivative("StdBackward0")
def std(node: Any) -> Local | None:
    return None if is_complex(node) else (_deviation(node, node._saved_result),)


@derivative("StdMeanBackward0")
def std_mean(node: Any) -> Local | None:
    x = node._saved_self
    if x.is_complex():
        return None
    return ((_deviation(node, node._saved_result0), _mean(tuple(x.shape), node._saved_dim, output_shape(node, 1))),)


def _variance(node: Any) -> LinearMap:
    x = node._saved_self
    dims = dimensions(node._saved_dim, x.ndim)
    return weighted_total(2 * _from_the_mean(node, x, dims), dims, output_shape(node))


def _deviation(node: Any, result: Tensor) -> LinearMap:
    x = node._saved_self
    dims = dimensions(node._saved_dim, x.ndim)
    size = unreduced(result, x, dims)
    slope = (_from_the_mean(node, x, dims) / size).masked_fill_(size == 0, 0)
    return past(result == 0) @ weighted_total(slope, dims, output_shape(node))


def _from_the_mean(node: Any, x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """How far from the mean, over the degrees of freedom."""
    correction = 1 if node._saved_correction is None else node._saved_correction
    return (x - x.mean(dims, keepdim=True)) / (math.prod(x.shape[dim] for dim in dims) - correction)
