"""Local derivatives of sorting, and of what is first, last or in the middle in some order."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from undertow.engine.calculus.node import dimensions, output_shape, signed
from undertow.engine.calculus.reductions import unreduced, weighted_total
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import LinearMap, Mask, Reshape, Shape, TakeAlong

__all__: list[str] = []


@derivative(
    "KthvalueBackward0",
    "MaxBackward0",
    "MedianBackward1",
    "MinBackward0",
    "ModeBackward0",
    "NanmedianBackward1",
)
def one_of_dim(node: Any) -> Local:
    source, target = tuple(node._saved_self_sym_sizes), output_shape(node)
    if not source:
        return (Reshape(source, target),)
    dim = signed(node._saved_dim) % len(source)
    index = node._saved_indices if node._saved_keepdim else node._saved_indices.unsqueeze(dim)
    return (Reshape(tuple(index.shape), target) @ TakeAlong(source, dim, index),)


@derivative("SortBackward0", "SortBackward1", "TopkBackward0")
def ordered(node: Any) -> Local:
    return (_at(node, tuple(node._saved_self_sym_sizes)),)


@derivative("CummaxBackward0", "CumminBackward0")
def extreme_so_far(node: Any) -> Local:
    return (_at(node, output_shape(node)),)


def _at(node: Any, source: Shape) -> LinearMap:
    """The entries that the indices of the result name."""
    dim, index = signed(node._saved_dim), node._saved_indices
    return TakeAlong(source, dim % len(source), index) if source else Reshape(source, source)


@derivative("MaxBackward1", "MedianBackward0", "MinBackward1", "NanmedianBackward0")
def one_of_all(node: Any) -> Local:
    x, result = node._saved_self, node._saved_result
    shared = _evenly(x, result, dimensions(None, x.ndim), output_shape(node))
    return (shared @ Mask(_attained(x, result)),)


@derivative("AmaxBackward0", "AminBackward0")
def extreme(node: Any) -> Local:
    x = node._saved_self
    return (_evenly(x, node._saved_result, dimensions(node._saved_dim, x.ndim), output_shape(node)),)


@derivative("AminmaxBackward0")
def both_extremes(node: Any) -> Local:
    x, target = node._saved_self, output_shape(node)
    dims = dimensions(None if node._saved_dim is None else signed(node._saved_dim), x.ndim)
    return (tuple(_evenly(x, result, dims, target) for result in (node._saved_min, node._saved_max)),)


def _evenly(x: Tensor, result: Tensor, dims: tuple[int, ...], target: Shape) -> LinearMap:
    """What was chosen, shared evenly by the entries that attain it."""
    attained = _attained(x, unreduced(result, x, dims)).to(x.dtype)
    return weighted_total(attained / attained.sum(dims, keepdim=True) if dims else attained, dims, target)


def _attained(x: Tensor, chosen: Tensor) -> Tensor:
    return (x == chosen) | (chosen.isnan() & x.isnan())
