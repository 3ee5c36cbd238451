"""Local derivatives of writing into a tensor at places that an index names."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.arithmetic import kept, past
from undertow.engine.calculus.diagonals import diagonal_of
from undertow.engine.calculus.node import input_shape, input_shapes, output_shape, signed
from undertow.engine.calculus.shapes import one
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import (
    Diagonal,
    Expand,
    Identity,
    Index,
    LinearMap,
    Mask,
    Reshape,
    Scale,
    Shape,
    Slice,
    TakeAlong,
)

__all__: list[str] = []

# Where an index names a place twice, PyTorch's derivative counts all that was written there, as if each had won.


@derivative("ScatterBackward0", "ScatterBackward1")
def scatter(node: Any) -> Local | None:
    dim, index = _along(node)
    source, *values = input_shapes(node)
    if not all(map(_alike, values, [index] * len(values))):
        return None
    untouched = ones(node).scatter(dim, index, False)
    return None if source is None else Mask(untouched), *[_written(node, part) for part in values]


@derivative("ScatterAddBackward0")
def scatter_add(node: Any) -> Local | None:
    source, values = input_shapes(node)
    if not _alike(values, _along(node)[1]):
        return None
    return None if source is None else Identity(source), _written(node, values)


def _alike(values: Shape | None, index: Tensor) -> bool:
    """Whether values are as many as the index: PyTorch has no derivative where there are more."""
    return not values or values == tuple(index.shape)


def _along(node: Any) -> tuple[int, Tensor]:
    target, index = output_shape(node), node._saved_index
    return signed(node._saved_dim) % max(len(target), 1), index if target else index.reshape(())


def _written(node: Any, source: Shape | None) -> LinearMap | None:
    """How values that are scattered along a dimension act on the result."""
    if source is None:
        return None
    target = output_shape(node)
    return TakeAlong(target, *_along(node)).adjoint() if target else Reshape(source, target)


def ones(node: Any) -> Tensor:
    """True everywhere in the output."""
    return torch.ones(output_shape(node), dtype=torch.bool, device=node._input_metadata[0].device)


@derivative("ScatterReduceBackward0")
def scatter_reduce(node: Any) -> Local | None:
    dim, index = _along(node)
    return _reduced(node, dim, index, node._saved_src)


@derivative("IndexReduceBackward0")
def index_reduce(node: Any) -> Local | None:
    dim, index = _along(node)
    values = node._saved_source
    aligned = index.reshape([-1 if i == dim else 1 for i in range(values.ndim)])
    return _reduced(node, dim, aligned.expand_as(values), values)


def _reduced(node: Any, dim: int, index: Tensor, values: Tensor) -> Local | None:
    """By what each entry, and each value written, is multiplied on its way into the reduction."""
    x, (source, written) = node._saved_self, input_shapes(node)
    if not x.ndim or not index.numel() or not _alike(tuple(values.shape), index):
        return None
    if node._saved_reduce == "prod" and not (x.all() and values.all()):
        return None  # each factor's slope is the product of the others, which zeros hide
    by_self, by_value, by_place = _shares(node, dim, index, values)
    left = past(torch.zeros_like(x, dtype=torch.bool).scatter(dim, index, not node._saved_include_self))
    placed = Diagonal(by_place) @ TakeAlong(tuple(x.shape), dim, index).adjoint() @ Diagonal(by_value)
    return (
        None if source is None else Diagonal(by_self) @ left,
        None if written is None else placed,
    )


def _shares(node: Any, dim: int, index: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The slopes by the tensor and by the values, the latter in a factor before and one after they are placed."""
    x, result, one = node._saved_self, node._saved_result, torch.ones_like
    match node._saved_reduce:
        case "sum":
            return one(x), one(values), one(x)
        case "prod":
            return result / x, 1 / values, result
        case "mean":
            start = one(x) if node._saved_include_self else torch.zeros_like(x)
            share = 1 / start.scatter_add(dim, index, one(values)).clamp(min=1)
            return share, one(values), share
        case _:
            attained = (values == result.gather(dim, index)).to(x.dtype)
            kept = (x == result).to(x.dtype)
            share = 1 / kept.scatter_add(dim, index, attained)
            return kept * share, attained, share


@derivative("IndexAddBackward0")
def index_add(node: Any) -> Local:
    target, (source, values) = output_shape(node), input_shapes(node)
    inwards = _written_whole(node, values)
    if inwards is not None and node._saved_alpha != 1:
        inwards = Scale(node._saved_alpha, target) @ inwards
    return None if source is None else Identity(target), inwards


@derivative("IndexCopyBackward0")
def index_copy(node: Any) -> Local:
    return _filled(node), _written_whole(node, input_shapes(node)[1])


@derivative("IndexFillBackward0", "IndexFillBackward1")
def index_fill(node: Any) -> Local:
    _, *value = input_shapes(node)
    target = output_shape(node)
    return _filled(node), *[shape if shape is None else Mask(~_kept(node)) @ Expand(shape, target) for shape in value]


def _filled(node: Any) -> LinearMap | None:
    """What is left of the tensor written into."""
    return None if input_shape(node, 0) is None else Mask(_kept(node))


def _kept(node: Any) -> Tensor:
    dim, index = _along(node)
    return ones(node).index_fill(dim, index, False)


def _written_whole(node: Any, source: Shape | None) -> LinearMap | None:
    """How whole slices, written where a one-dimensional index says, act on the result."""
    if source is None:
        return None
    target = output_shape(node)
    if not target:
        return Reshape(source, target)
    dim, index = _along(node)
    index = index.reshape(-1)
    sliced = (*target[:dim], index.numel(), *target[dim + 1 :])
    placed = Index(target, sliced, (*[None] * dim, index)).adjoint()
    return placed if source == sliced else placed @ _as(source, sliced)


def _as(source: Shape, target: Shape) -> LinearMap:
    same = torch.Size(source).numel() == torch.Size(target).numel()
    return Reshape(source, target) if same else Expand(source, target)


@derivative("IndexPutBackward0", "IndexPutImplBackward0", "UnsafeIndexPutBackward0")
def index_put(node: Any) -> Local:
    target, (source, values) = output_shape(node), input_shapes(node)
    indices, untouched = tuple(node._saved_indices), ones(node)
    picked = tuple(torch.ops.aten.index.Tensor(untouched, indices).shape)
    if not node._saved_accumulate:
        untouched = torch.ops.aten.index_put.default(untouched, indices, untouched.new_zeros(()))
    by_source = Identity(target) if node._saved_accumulate else Mask(untouched)
    return (
        None if source is None else by_source,
        None if values is None else Index(target, picked, indices).adjoint() @ _as(values, picked),
    )


@derivative("TakeBackward0")
def take(node: Any) -> Local:
    source, index = tuple(node._saved_self.shape), node._saved_index
    return (_taken(source, index),)


@derivative("PutBackward0")
def put(node: Any) -> Local:
    target, (source, values) = output_shape(node), input_shapes(node)
    index = node._saved_index
    by_source = (
        Identity(target) if node._saved_accumulate else Mask(ones(node).put(index, ~ones(node).new_ones(index.shape)))
    )
    placed = _taken(target, index).adjoint()
    return (
        None if source is None else by_source,
        None if values is None else placed @ Reshape(values, tuple(index.shape)),
    )


def _taken(source: Shape, index: Tensor) -> LinearMap:
    """The entries of a tensor laid out in one row that an index names."""
    count = torch.Size(source).numel()
    flat, shape = index.reshape(-1), tuple(index.shape)
    return Reshape((flat.numel(),), shape) @ Index((count,), (flat.numel(),), (flat,)) @ Reshape(source, (count,))


@derivative("MaskedScatterBackward0")
def masked_scatter(node: Any) -> Local:
    target, (source, values) = output_shape(node), input_shapes(node)
    mask = node._saved_mask.expand(target)
    by_source = kept(source, target, ~mask)
    if values is None:
        return by_source, None
    count, size, whole = int(mask.sum()), mask.numel(), torch.Size(values).numel()
    first = Slice((whole,), 0, 0, count) @ Reshape(values, (whole,))
    placed = Index((size,), (count,), (mask.reshape(-1),)).adjoint()
    return by_source, Reshape((size,), target) @ placed @ first


@derivative("SelectScatterBackward0")
def select_scatter(node: Any) -> Local:
    target = output_shape(node)
    dim, index = signed(node._saved_dim) % len(target), signed(node._saved_index)
    return _put_back(node, one(target, dim, index % target[dim]))


@derivative("SliceScatterBackward0")
def slice_scatter(node: Any) -> Local:
    target, step = output_shape(node), node._saved_step
    dim = signed(node._saved_dim) % len(target)
    ends = (None if end is None else signed(end) for end in (node._saved_start, node._saved_end))
    start, stop, _ = slice(*ends).indices(target[dim])
    return _put_back(node, Slice(target, dim, start, len(range(start, stop, step)), step))


@derivative("DiagonalScatterBackward0")
def diagonal_scatter(node: Any) -> Local:
    return _put_back(node, diagonal_of(node, output_shape(node)))


def _put_back(node: Any, view: LinearMap) -> Local:
    """A tensor of which one view was written over."""
    source, written = input_shapes(node)
    over = view.pull(torch.ones(view.target, device=node._input_metadata[0].device)) > 0
    return None if source is None else Mask(~over), None if written is None else view.adjoint()
