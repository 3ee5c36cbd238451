"""Local derivatives of resampling, and of padding by what is near: both go along one dimension at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus import kernels
from undertow.engine.calculus.node import input_shapes, output_shape, signed, wide
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import AlongAxis, Identity, Index, LinearMap, Shape

__all__: list[str] = []

Row = Callable[[Tensor, int, int], Tensor]
"""What an operation makes of images of height 1: they, the dimension they stand for, the length they shall have."""


def along_axes(source: Shape, target: Shape, space: int, row: Row, dtype: torch.dtype) -> LinearMap:
    """An operation over the last `space` dimensions that is a matrix along each; that of the first goes last."""
    answer: LinearMap = Identity(source)
    for axis in reversed(range(space)):
        dim = len(source) - space + axis
        size = source[dim]
        unit = torch.eye(size, dtype=dtype).reshape(size, 1, 1, size)
        matrix = row(unit, axis, target[dim]).reshape(size, target[dim]).T
        answer = AlongAxis(matrix.to(dtype), answer.target, dim) @ answer
    return answer


def _resampled(operation: Any, scales: tuple[str, ...], *, aligned: bool) -> Callable[[Any], Local]:
    def rule(node: Any) -> Local:
        def row(unit: Tensor, axis: int, count: int) -> Tensor:
            """Along the last dimension, whichever it stands for."""
            ones = [1] * (len(scales) - 1)
            image = unit.reshape(unit.shape[0], 1, *ones, unit.shape[0])
            corners = (node._saved_align_corners,) if aligned else ()
            factors = *[None] * len(ones), getattr(node, "_saved_" + scales[axis])
            answer: Tensor = operation(image, [*ones, count], *corners, *factors)
            return answer

        source = tuple(node._saved_self_sym_sizes)
        return (along_axes(source, output_shape(node), len(scales), row, wide(node)),)

    return rule


_one, _two, _three = ("scales",), ("scales_h", "scales_w"), ("scales_d", "scales_h", "scales_w")

for _name, _operation, _scales, _aligned in [
    ("UpsampleNearest1DBackward0", "upsample_nearest1d", _one, False),
    ("UpsampleNearest2DBackward0", "upsample_nearest2d", _two, False),
    ("UpsampleNearest3DBackward0", "upsample_nearest3d", _three, False),
    ("UpsampleNearestExact1DBackward0", "_upsample_nearest_exact1d", _one, False),
    ("UpsampleNearestExact2DBackward0", "_upsample_nearest_exact2d", _two, False),
    ("UpsampleNearestExact3DBackward0", "_upsample_nearest_exact3d", _three, False),
    ("UpsampleLinear1DBackward0", "upsample_linear1d", _one, True),
    ("UpsampleBilinear2DBackward0", "upsample_bilinear2d", _two, True),
    ("UpsampleBilinear2DAaBackward0", "_upsample_bilinear2d_aa", _two, True),
    ("UpsampleBicubic2DBackward0", "upsample_bicubic2d", _two, True),
    ("UpsampleBicubic2DAaBackward0", "_upsample_bicubic2d_aa", _two, True),
    ("UpsampleLanczos2DAaBackward0", "_upsample_lanczos2d_aa", _two, True),
    ("UpsampleTrilinear3DBackward0", "upsample_trilinear3d", _three, True),
]:
    _rule = _resampled(getattr(torch.ops.aten, _operation).default, _scales, aligned=_aligned)
    derivative(_name)(pulled_by(kernels.resampling.resampled(_operation, _scales, aligned=_aligned))(_rule))


@derivative("ReflectionPad1DBackward0", "ReflectionPad2DBackward0", "ReflectionPad3DBackward0")
def reflection_pad(node: Any) -> Local:
    return _padded(node, lambda place, last: last - (last - place.abs()).abs())


@derivative("ReplicationPad1DBackward0", "ReplicationPad2DBackward0", "ReplicationPad3DBackward0")
def replication_pad(node: Any) -> Local:
    return _padded(node, lambda place, last: place.clamp(0, last))


def _padded(node: Any, fold: Callable[[Tensor, int], Tensor]) -> Local:
    """Places beyond the edge filled with the entries that they are folded back to, one dimension after another."""
    target, (source,) = output_shape(node), input_shapes(node)
    if source is None:
        return (None,)
    answer: LinearMap = Identity(source)
    for number, before in enumerate(map(signed, node._saved_padding[::2]), 1):
        dim = len(source) - number
        places = torch.arange(-before, target[dim] - before, device=node._input_metadata[0].device)
        index = fold(places, source[dim] - 1)
        grown = (*source[:dim], *target[dim:])
        answer = Index(answer.target, grown, (*[None] * dim, index)) @ answer
    return (answer,)
