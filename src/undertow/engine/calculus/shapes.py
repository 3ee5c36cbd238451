"""Local derivatives of views and other moves."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch

from undertow.engine.calculus.node import input_shapes, output_shape, signed
from undertow.engine.calculus.table import Local, derivative, masked
from undertow.engine.maps import Expand, Flip, Identity, LinearMap, Permute, Reshape, Roll, Shape, Slice

__all__: list[str] = []


@derivative("AliasBackward0", "CloneBackward0", "ToCopyBackward0")
def same(node: Any) -> Local:
    return (Identity(output_shape(node)),)


@derivative(
    "ReshapeAliasBackward0",
    "SqueezeBackward0",
    "SqueezeBackward1",
    "SqueezeBackward2",
    "UnsafeViewBackward0",
    "ViewBackward0",
)
def view(node: Any) -> Local:
    return (Reshape(tuple(node._saved_self_sym_sizes), output_shape(node)),)


@derivative("UnsqueezeBackward0")
def unsqueeze(node: Any) -> Local:
    target, dim = output_shape(node), signed(node._saved_dim)
    dim %= len(target)
    return (Reshape(target[:dim] + target[dim + 1 :], target),)


@derivative("ExpandBackward0")
def expand(node: Any) -> Local:
    return (Expand(tuple(node._saved_self_sym_sizes), output_shape(node)),)


@derivative("RepeatBackward0")
def repeat(node: Any) -> Local:
    source, repeats = tuple(node._saved_self_sym_sizes), tuple(node._saved_repeats)
    padded = (1,) * (len(repeats) - len(source)) + source
    apart = tuple(size for length in padded for size in (1, length))
    repeated = tuple(size for pair in zip(repeats, padded, strict=True) for size in pair)
    return (Reshape(repeated, output_shape(node)) @ Expand(apart, repeated) @ Reshape(source, apart),)


@derivative("TBackward0")
def t(node: Any) -> Local:
    target = output_shape(node)
    return (Permute(target[::-1], (1, 0)),) if len(target) == 2 else (Identity(target),)


@derivative("TransposeBackward0")
def transpose(node: Any) -> Local:
    target = output_shape(node)
    if not target:
        return (Identity(target),)
    order = [*range(len(target))]
    first, second = signed(node._saved_dim0), signed(node._saved_dim1)
    order[first], order[second] = order[second], order[first]
    return (Permute(tuple(target[dim] for dim in order), tuple(order)),)


@derivative("PermuteBackward0")
def permute(node: Any) -> Local:
    target = output_shape(node)
    order = tuple(signed(dim) % len(target) for dim in node._saved_dims)
    return (Permute(tuple(target[order.index(dim)] for dim in range(len(target))), order),)


@derivative("SelectBackward0")
def select(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    dim, index = signed(node._saved_dim) % len(source), signed(node._saved_index)
    return (_one(source, dim, index % source[dim]),)


@derivative("SliceBackward0")
def cut(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    dim = signed(node._saved_dim) % len(source)
    first = 0 if node._saved_start is None else signed(node._saved_start)
    start = slice(first, None).indices(source[dim])[0]
    return (Slice(source, dim, start, output_shape(node)[dim], node._saved_step),)


@derivative(
    "SplitBackward0",
    "SplitWithSizesBackward0",
    "UnsafeSplitBackward0",
    "UnsafeSplitWithSizesBackward0",
)
def split(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    dim = signed(node._saved_dim) % len(source)
    counts = [output.shape[dim] for output in node._input_metadata]
    starts = accumulate(counts, initial=0)
    return (tuple(Slice(source, dim, start, count) for start, count in zip(starts, counts, strict=False)),)


@derivative("UnbindBackward0")
def unbind(node: Any) -> Local:
    count, target = len(node._input_metadata), output_shape(node)
    dim = signed(node._saved_dim) % (len(target) + 1)
    source = (*target[:dim], count, *target[dim:])
    return (tuple(_one(source, dim, index) for index in range(count)),)


@derivative("StackBackward0")
def stack(node: Any) -> Local:
    target = output_shape(node)
    dim = signed(node._saved_dim) % len(target)
    present = input_shapes(node)
    return [None if shape is None else _one(target, dim, index).adjoint() for index, shape in enumerate(present)]


@derivative("CatBackward0")
def cat(node: Any) -> Local:
    target, parts = output_shape(node), input_shapes(node)
    dim = signed(node._saved_dim) % len(target)
    lengths = (part[dim] if part and len(part) == len(target) else 0 for part in parts)
    starts = _starts(node, target, dim) if None in parts else accumulate(lengths, initial=0)
    return [_piece(target, dim, start, part) for start, part in zip(starts, parts, strict=False)]


def _starts(node: Any, target: Shape, dim: int) -> list[int]:
    """Where each part begins: the node does not tell the lengths of parts without gradient, but cuts by them."""
    places = torch.arange(target[dim]).reshape([-1 if i == dim else 1 for i in range(len(target))])
    return [0 if cut is None else cut.storage_offset() for cut in node(places.expand(target))]


def _piece(target: Shape, dim: int, start: int, part: Shape | None) -> LinearMap | None:
    if part is None or len(part) != len(target):
        return None  # an empty one-dimensional tensor fits anywhere, by an old exception
    return Slice(target, dim, start, part[dim]).adjoint()


def _one(source: Shape, dim: int, index: int) -> LinearMap:
    cut = Slice(source, dim, index, 1)
    return Reshape(cut.target, source[:dim] + source[dim + 1 :]) @ cut


@derivative("FlipBackward0")
def flip(node: Any) -> Local:
    target = output_shape(node)
    return (Flip(target, tuple(sorted(signed(dim) % len(target) for dim in node._saved_dims))),)


@derivative("RollBackward0")
def roll(node: Any) -> Local:
    target = output_shape(node)
    return (
        Roll(target, tuple(map(signed, node._saved_shifts)), tuple(signed(d) % len(target) for d in node._saved_dims)),
    )


masked("TrilBackward0", lambda node: _ones(node).tril(signed(node._saved_diagonal)))
masked("TriuBackward0", lambda node: _ones(node).triu(signed(node._saved_diagonal)))


def _ones(node: Any) -> torch.Tensor:
    return torch.ones(output_shape(node), dtype=torch.bool, device=node._input_metadata[0].device)


@derivative("ConstantPadNdBackward0")
def pad(node: Any) -> Local | None:
    target, (source,) = output_shape(node), input_shapes(node)
    before = [0] * len(target)
    for position, amount in enumerate(map(signed, node._saved_pad)):
        if amount < 0:
            return None
        if position % 2 == 0:
            before[-1 - position // 2] = amount
    answer: LinearMap = Identity(target)
    shape = target
    for dim, start in enumerate(before):
        if source is not None and shape[dim] != source[dim]:
            answer = answer @ Slice(shape, dim, start, source[dim]).adjoint()
            shape = (*shape[:dim], source[dim], *shape[dim + 1 :])
    return (answer,)
