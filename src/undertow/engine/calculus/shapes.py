"""Local derivatives of views and other moves."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch

from undertow.engine.calculus import kernels
from undertow.engine.calculus.node import input_shapes, output_shape, signed
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import Expand, Flip, Identity, LinearMap, Permute, Reshape, Roll, Shape, Slice

__all__: list[str] = []


@derivative("AliasBackward0", "AliasBackward0_copy", "CloneBackward0", "ToCopyBackward0")
def same(node: Any) -> Local:
    return (Identity(output_shape(node)),)


@pulled_by(kernels.shapes.view)
@derivative(
    "ReshapeAliasBackward0",
    "SqueezeBackward0",
    "SqueezeBackward0_copy",
    "SqueezeBackward1",
    "SqueezeBackward1_copy",
    "SqueezeBackward2",
    "SqueezeBackward2_copy",
    "SqueezeBackward3",
    "SqueezeBackward4",
    "SqueezeBackward5",
    "UnsafeViewBackward0",
    "ViewBackward0",
    "ViewBackward0_copy",
)
def view(node: Any) -> Local:
    return (Reshape(tuple(node._saved_self_sym_sizes), output_shape(node)),)


@derivative("UnsqueezeBackward0", "UnsqueezeBackward0_copy", "UnsqueezeBackward1")
def unsqueeze(node: Any) -> Local:
    target, dim = output_shape(node), signed(node._saved_dim)
    dim %= len(target)
    return (Reshape(target[:dim] + target[dim + 1 :], target),)


@derivative("ExpandBackward0", "ExpandBackward0_copy")
def expand(node: Any) -> Local:
    return (Expand(tuple(node._saved_self_sym_sizes), output_shape(node)),)


@derivative("RepeatBackward0")
def repeat(node: Any) -> Local:
    source, repeats = tuple(node._saved_self_sym_sizes), tuple(node._saved_repeats)
    padded = (1,) * (len(repeats) - len(source)) + source
    apart = tuple(size for length in padded for size in (1, length))
    repeated = tuple(size for pair in zip(repeats, padded, strict=True) for size in pair)
    return (Reshape(repeated, output_shape(node)) @ Expand(apart, repeated) @ Reshape(source, apart),)


@pulled_by(kernels.shapes.t)
@derivative("TBackward0", "TBackward0_copy", "TBackward1")
def t(node: Any) -> Local:
    target = output_shape(node)
    return (Permute(target[::-1], (1, 0)),) if len(target) == 2 else (Identity(target),)


@pulled_by(kernels.shapes.transpose)
@derivative("TransposeBackward0", "TransposeBackward0_copy", "TransposeBackward1")
def transpose(node: Any) -> Local:
    target = output_shape(node)
    if not target:
        return (Identity(target),)
    order = [*range(len(target))]
    first, second = signed(node._saved_dim0), signed(node._saved_dim1)
    order[first], order[second] = order[second], order[first]
    return (Permute(tuple(target[dim] for dim in order), tuple(order)),)


@derivative("PermuteBackward0", "PermuteBackward0_copy")
def permute(node: Any) -> Local:
    target = output_shape(node)
    order = tuple(signed(dim) % len(target) for dim in node._saved_dims)
    return (Permute(tuple(target[order.index(dim)] for dim in range(len(target))), order),)


@derivative("SelectBackward0", "SelectBackward0_copy")
def select(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    dim, index = signed(node._saved_dim) % len(source), signed(node._saved_index)
    return (one(source, dim, index % source[dim]),)


@derivative("SliceBackward0", "SliceBackward0_copy")
def cut(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    dim = signed(node._saved_dim) % len(source)
    first = 0 if node._saved_start is None else signed(node._saved_start)
    start = slice(first, None).indices(source[dim])[0]
    return (Slice(source, dim, start, output_shape(node)[dim], node._saved_step),)


@derivative("NarrowCopyBackward0")
def narrow(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    dim = signed(node._saved_dim) % len(source)
    return (Slice(source, dim, signed(node._saved_start) % max(source[dim], 1), output_shape(node)[dim]),)


@pulled_by(kernels.shapes.split, lambda node, dim: (dim,) * (dim != signed(node._saved_dim) % len(output_shape(node))))
@derivative(
    "SplitBackward0",
    "SplitBackward0_copy",
    "SplitWithSizesBackward0",
    "SplitWithSizesBackward0_copy",
    "UnsafeSplitBackward0",
    "UnsafeSplitWithSizesBackward0",
)
def split(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    dim = signed(node._saved_dim) % len(source)
    counts = [output.shape[dim] for output in node._input_metadata]
    starts = accumulate(counts, initial=0)
    return (tuple(Slice(source, dim, start, count) for start, count in zip(starts, counts, strict=False)),)


def _beside(node: Any, dim: int) -> tuple[int]:
    taken = signed(node._saved_dim) % (len(output_shape(node)) + 1)
    return (dim + (dim >= taken),)


@pulled_by(kernels.shapes.unbind, _beside)
@derivative("UnbindBackward0", "UnbindBackward0_copy")
def unbind(node: Any) -> Local:
    count, target = len(node._input_metadata), output_shape(node)
    dim = signed(node._saved_dim) % (len(target) + 1)
    source = (*target[:dim], count, *target[dim:])
    return (tuple(one(source, dim, index) for index in range(count)),)


@derivative("StackBackward0")
def stack(node: Any) -> Local:
    target = output_shape(node)
    dim = signed(node._saved_dim) % len(target)
    present = input_shapes(node)
    return [None if shape is None else one(target, dim, index).adjoint() for index, shape in enumerate(present)]


@pulled_by(kernels.shapes.cat)
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


def one(source: Shape, dim: int, index: int) -> LinearMap:
    """One slice along a dimension, which is dropped."""
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


@derivative("Rot90Backward0")
def rot90(node: Any) -> Local:
    target, turns = output_shape(node), signed(node._saved_k) % 4
    first, second = (signed(dim) % len(target) for dim in node._saved_dims)
    if turns % 2 == 0:
        return (Flip(target, (first, second)) if turns else Identity(target),)
    order = [*range(len(target))]
    order[first], order[second] = second, first
    turned = Permute(tuple(target[dim] for dim in order), tuple(order))
    return (turned @ Flip(turned.source, (second if turns == 1 else first,)),)


@derivative("ChannelShuffleBackward0")
def channel_shuffle(node: Any) -> Local:
    target, groups = output_shape(node), node._saved_groups
    batch, channels, *space = target
    split = (batch, groups, channels // groups, *space)
    return (rearranged(target, split, (0, 2, 1, *range(3, len(split))), target),)


@derivative("PixelShuffleBackward0")
def pixel_shuffle(node: Any) -> Local:
    return (_shuffled(output_shape(node), node._saved_upscale_factor),)


@derivative("PixelUnshuffleBackward0")
def pixel_unshuffle(node: Any) -> Local:
    *_, source = input_shapes(node)
    return (None if source is None else _shuffled(source, node._saved_downscale_factor).adjoint(),)


def _shuffled(target: Shape, factor: int) -> LinearMap:
    """From factor² channels to one whose height and width are `factor` times as large."""
    *batch, channels, height, width = target
    rows, columns, n = height // factor, width // factor, len(batch)
    split = (*batch, channels, factor, factor, rows, columns)
    source = (*batch, channels * factor**2, rows, columns)
    return rearranged(source, split, (*range(n), n, n + 3, n + 1, n + 4, n + 2), target)


def rearranged(source: Shape, split: Shape, order: tuple[int, ...], target: Shape) -> LinearMap:
    """Dimensions split up, put in another order, and merged."""
    moved = Permute(split, order)
    return Reshape(moved.target, target) @ moved @ Reshape(source, split)


@derivative("ConstantPadNdBackward0")
def pad(node: Any) -> Local:
    (source,) = input_shapes(node)
    if source is None:
        return (None,)
    amounts = [*map(signed, node._saved_pad)]
    answer: LinearMap = Identity(source)
    for dim, sides in enumerate(zip(amounts[::2], amounts[1::2], strict=True), 1):
        if any(sides):
            answer = _padded(answer.target, len(source) - dim, *sides) @ answer
    return (answer,)


def _padded(shape: Shape, dim: int, before: int, after: int) -> LinearMap:
    """Zeros put before and after along a dimension; where their number is negative, entries taken away."""
    kept = shape[dim] + min(before, 0) + min(after, 0)
    inner = Slice(shape, dim, max(-before, 0), kept)
    grown = (*shape[:dim], shape[dim] + before + after, *shape[dim + 1 :])
    return Slice(grown, dim, max(before, 0), kept).adjoint() @ inner
