"""Local derivatives of pooling."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus import kernels
from undertow.engine.calculus.node import output_shape, signed, spread, wide
from undertow.engine.calculus.resampling import along_axes
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import AdaptiveAveragePool, AveragePool, LinearMap, Reshape, Scale, Shape, TakeAlong

__all__: list[str] = []


def _planes(node: Any, dim: int) -> tuple[int, ...]:
    """Each plane by itself."""
    return (dim,) * (dim < len(output_shape(node)) - 2)


@derivative("MaxPool2DWithIndicesBackward0")
@pulled_by(kernels.convolutions.max_pool2d, _planes)
def max_pool2d(node: Any) -> Local:
    return (_picked(node, 2),)


@derivative("AdaptiveMaxPool2DBackward0")
@pulled_by(kernels.convolutions.adaptive_max_pool2d, _planes)
def adaptive_max_pool2d(node: Any) -> Local:
    return (_picked(node, 2),)


@derivative("FractionalMaxPool2DBackward0")
def fractional_max_pool2d(node: Any) -> Local:
    return (_picked(node, 2),)


@derivative("AdaptiveMaxPool3DBackward0", "FractionalMaxPool3DBackward0", "MaxPool3DWithIndicesBackward0")
def max_pool3d(node: Any) -> Local:
    return (_picked(node, 3),)


@derivative("MaxUnpool2DBackward0")
def max_unpool2d(node: Any) -> Local:
    return (_from_flat(output_shape(node), node._saved_indices, 2).adjoint(),)


@derivative("MaxUnpool3DBackward0")
def max_unpool3d(node: Any) -> Local:
    return (_from_flat(output_shape(node), node._saved_indices, 3).adjoint(),)


def _picked(node: Any, space: int) -> LinearMap:
    return _from_flat(tuple(node._saved_self.shape), node._saved_result1, space)


def _from_flat(source: Shape, index: Tensor, space: int) -> LinearMap:
    """The entries that an index names, counted through the last dimensions."""
    plane = (*source[:-space], torch.Size(source[-space:]).numel())
    picked = TakeAlong(plane, len(plane) - 1, index.flatten(-space))
    return Reshape(picked.target, tuple(index.shape)) @ picked @ Reshape(source, plane)


@derivative("AvgPool2DBackward0")
def avg_pool(node: Any) -> Local:
    divisor = None if node._saved_divisor_override is None else signed(node._saved_divisor_override)
    window = (
        spread(node._saved_kernel_size, 2),
        spread(node._saved_stride, 2),
        spread(node._saved_padding, 2),
        node._saved_ceil_mode,
        node._saved_count_include_pad,
        divisor and abs(divisor),
    )
    averaged = AveragePool(tuple(node._saved_self.shape), output_shape(node), window)
    return (averaged if divisor is None or divisor > 0 else Scale(-1, averaged.target) @ averaged,)


@derivative("AdaptiveAvgPool2DBackward0")
def adaptive_avg_pool2d(node: Any) -> Local:
    return (AdaptiveAveragePool(tuple(node._saved_self.shape), output_shape(node)),)


@derivative("AvgPool3DBackward0")
@pulled_by(kernels.convolutions.avg_pool3d)
def avg_pool3d(node: Any) -> Local:
    sizes, strides, paddings = (
        spread(saved, 3) for saved in (node._saved_kernel_size, node._saved_stride, node._saved_padding)
    )
    divisor = None if node._saved_divisor_override is None else signed(node._saved_divisor_override)

    def means(row: Tensor, axis: int, _: int) -> Tensor:
        window = (1, sizes[axis]), (1, (strides or sizes)[axis]), (0, paddings[axis])
        rest = node._saved_ceil_mode, node._saved_count_include_pad, None if divisor is None else 1
        answer: Tensor = torch.ops.aten.avg_pool2d.default(row, *window, *rest)
        return answer

    averaged = along_axes(tuple(node._saved_self.shape), output_shape(node), 3, means, wide(node))
    return (averaged if divisor is None else Scale(1 / divisor, averaged.target) @ averaged,)


@derivative("AdaptiveAvgPool3DBackward0")
@pulled_by(kernels.convolutions.adaptive_avg_pool3d)
def adaptive_avg_pool3d(node: Any) -> Local:
    def means(row: Tensor, _: int, count: int) -> Tensor:
        answer: Tensor = torch.ops.aten._adaptive_avg_pool2d.default(row, (1, count))
        return answer

    return (along_axes(tuple(node._saved_self.shape), output_shape(node), 3, means, wide(node)),)
