"""Local derivatives of matrix products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus import kernels
from undertow.engine.calculus.arithmetic import broadcast, weighted
from undertow.engine.calculus.node import dimensions, input_shape, input_shapes, is_complex, output_shape, signed
from undertow.engine.calculus.reductions import total, weighted_total
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import (
    Blocks,
    Diagonal,
    Expand,
    LeftMultiply,
    LinearMap,
    Place,
    Reshape,
    RightMultiply,
    Roll,
    Scale,
    Shape,
    Sum,
)

__all__: list[str] = []

ALL = slice(None)


@derivative("MmBackward0")
@pulled_by(kernels.products.mm)
def mm(node: Any) -> Local:
    rows, columns = output_shape(node)
    return a_times(node._saved_mat2, rows), times_b(node._saved_self, columns, node._saved_mat2_sym_strides)


@derivative("BmmBackward0")
@pulled_by(kernels.products.bmm)
def bmm(node: Any) -> Local:
    _, rows, columns = output_shape(node)
    return a_times(node._saved_mat2, rows), times_b(node._saved_self, columns)


@derivative("AddmmBackward0")
@pulled_by(kernels.products.addmm)
def addmm(node: Any) -> Local:
    rows, columns = shape = output_shape(node)
    product = a_times(node._saved_mat2, rows), times_b(node._saved_mat1, columns, node._saved_mat2_sym_strides)
    return _added(node, shape, product)


@derivative("BaddbmmBackward0")
def baddbmm(node: Any) -> Local:
    _, rows, columns = shape = output_shape(node)
    product = a_times(node._saved_batch2, rows), times_b(node._saved_batch1, columns)
    return _added(node, shape, product)


@derivative("MvBackward0")
def mv(node: Any) -> Local:
    return matrix_vector(node._saved_self, node._saved_vec, output_shape(node))


@derivative("AddmvBackward0")
def addmv(node: Any) -> Local:
    shape = output_shape(node)
    return _added(node, shape, matrix_vector(node._saved_mat, node._saved_vec, shape))


@derivative("DotBackward0")
def dot(node: Any) -> Local:
    a, b = node._saved_self, node._saved_tensor
    return None if b is None else _row_times(b), None if a is None else _row_times(a)


@derivative("VdotBackward0")
def vdot(node: Any) -> Local | None:
    """Over complex numbers it is not linear in its first input."""
    a, b = node._saved_self, node._saved_other
    if is_complex(node):
        return None
    return None if b is None else _row_times(b), None if a is None else _row_times(a)


@derivative("AddbmmBackward0")
def addbmm(node: Any) -> Local:
    rows, columns = target = output_shape(node)
    b, a = node._saved_batch2, node._saved_batch1
    products = a_times(b, rows), times_b(a, columns)
    return _added(node, target, (_over_batch(products[0], target), _over_batch(products[1], target)))


def _over_batch(product: LinearMap | None, target: Shape) -> LinearMap | None:
    return product and total(product.target, (0,), target) @ product


@derivative("AddrBackward0")
def addr(node: Any) -> Local:
    rows, columns = target = output_shape(node)
    a, b, (_, of_a, of_b) = node._saved_vec1, node._saved_vec2, input_shapes(node)
    column = None if of_a is None else weighted((rows, 1), target, b)
    row = None if of_b is None else weighted((1, columns), target, a.unsqueeze(-1))
    return _added(
        node,
        target,
        (column and column @ Reshape((rows,), (rows, 1)), row and row @ Reshape((columns,), (1, columns))),
    )


@derivative("LinalgCrossBackward0")
def cross(node: Any) -> Local:
    target, (of_a, of_b) = output_shape(node), input_shapes(node)
    dim = signed(node._saved_dim) % len(target)
    return _crossed(of_a, target, node._saved_other, dim, 1), _crossed(of_b, target, node._saved_self, dim, -1)


def _crossed(source: Shape | None, target: Shape, other: Tensor, dim: int, sign: int) -> LinearMap | None:
    """a × b has entries a' b″ - a″ b', one prime for the entry after and two for the one after that."""
    if source is None:
        return None
    ahead = [other.expand(target).roll(-steps, dim) for steps in (1, 2)]
    after, second = (Roll(target, (-steps,), (dim,)) for steps in (1, 2))
    both = Sum(Diagonal(sign * ahead[1]) @ after, Diagonal(-sign * ahead[0]) @ second)
    return both if source == target else both @ Expand(source, target)


@derivative("GroupedMmBackward0")
def grouped_mm(node: Any) -> Local:
    a, b, target = node._saved_self, node._saved_mat2, output_shape(node)
    if node._saved_offs is None:
        return a_times(b, target[-2]), times_b(a, target[-1])
    of_a, of_b = tuple(node._saved_self_sym_sizes), tuple(node._saved_mat2_sym_sizes)
    groups = [*_groups(len(of_a), len(of_b), node._saved_offs.tolist())]
    in_a, in_b, in_result = zip(*groups, strict=True)
    sizes = [_size(target, place) for place in in_result]
    by_a = b is not None and tuple(RightMultiply(b[at], rows) for at, (rows, _) in zip(in_b, sizes, strict=True))
    by_b = a is not None and tuple(LeftMultiply(a[at], columns) for at, (_, columns) in zip(in_a, sizes, strict=True))
    return (
        Blocks(of_a, target, in_a, by_a, in_result) if by_a else None,
        Blocks(of_b, target, in_b, by_b, in_result) if by_b else None,
    )


def _groups(a_ndim: int, b_ndim: int, ends: list[int]) -> Iterator[tuple[Place, Place, Place]]:
    """Where each group is in A, in B and in the result: by its number in what has three dimensions, else in a span."""
    for number, span in enumerate(map(slice, [0, *ends], ends)):
        match a_ndim, b_ndim:
            case 2, 3:
                yield (span,), (number,), (span,)
            case 3, 2:
                yield (number,), (ALL, span), (ALL, span)
            case _:
                yield (ALL, span), (span,), (number,)


def _size(shape: Shape, place: Place) -> tuple[int, int]:
    """Rows and columns of a part of a tensor of this shape."""
    rows, columns = torch.empty(shape, device="meta")[place].shape
    return rows, columns


def a_times(b: Tensor | None, rows: int) -> LinearMap | None:
    """How A B answers to A."""
    return None if b is None else RightMultiply(b, rows)


def times_b(a: Tensor | None, columns: int, strides: Sequence[int] = ()) -> LinearMap | None:
    """How A B answers to B, which lies in memory with these strides."""
    if a is None:
        return None
    return LeftMultiply(a, columns, len(strides) == 2 and strides[0] == 1 and strides[1] == a.shape[-1])


def matrix_vector(a: Tensor | None, x: Tensor | None, target: Shape) -> tuple[LinearMap | None, LinearMap | None]:
    """How A x answers to A and to x."""
    column = Reshape((*target, 1), target)
    by_a = None if x is None else column @ RightMultiply(x.unsqueeze(-1), target[0])
    by_x = None if a is None else column @ LeftMultiply(a, 1) @ Reshape((a.shape[-1],), (a.shape[-1], 1))
    return by_a, by_x


def _row_times(b: Tensor) -> LinearMap:
    return Reshape((1, 1), ()) @ RightMultiply(b.unsqueeze(-1), 1) @ Reshape(tuple(b.shape), (1, *b.shape))


def _added(node: Any, target: Shape, product: tuple[LinearMap | None, LinearMap | None]) -> Local:
    """beta · first + alpha · product."""
    first, alpha = broadcast(input_shape(node, 0), target, node._saved_beta), node._saved_alpha
    return (first, *product) if alpha == 1 else (first, *[m and Scale(alpha, target) @ m for m in product])


@derivative("TrilinearBackward0")
def trilinear(node: Any) -> Local:
    """Three tensors spread out over each other, multiplied entry by entry and summed over some dimensions."""
    tensors = node._saved_i1, node._saved_i2, node._saved_i3
    missing = node._saved_expand1, node._saved_expand2, node._saved_expand3
    return [
        None if source is None else _one_of_three(node, source, position, tensors, missing)
        for position, source in enumerate(input_shapes(node))
    ]


def _one_of_three(
    node: Any, source: Shape, position: int, tensors: Sequence[Tensor], missing: Sequence[Sequence[int]]
) -> LinearMap:
    first, second = (tensors[i].reshape(_with(tensors[i].shape, missing[i])) for i in range(3) if i != position)
    spread = _with(source, missing[position])
    summed = dimensions(node._saved_sumdim, len(spread)) if node._saved_sumdim else ()
    # What the tensor does not vary along is summed at once, so that each entry of the matrix is one number.
    alone = [dim for dim in summed if spread[dim] == 1]
    factor = (first * second).sum(alone, keepdim=True) if alone else first * second
    whole = tuple(torch.broadcast_shapes(spread, factor.shape))
    placed = Expand(spread, whole) @ Reshape(source, spread)
    return weighted_total(factor.expand(whole), summed, output_shape(node)) @ placed


def _with(shape: Sequence[int], missing: Sequence[int]) -> Shape:
    """A shape with dimensions of size 1 put in where some are missing."""
    sizes = [*shape]
    for dim in missing:
        sizes.insert(dim, 1)
    return tuple(sizes)
