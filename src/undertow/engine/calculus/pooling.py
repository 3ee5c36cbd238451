"""Local derivatives of pooling."""

from __future__ import annotations

from typing import Any

from undertow.engine.calculus import kernels
from undertow.engine.calculus.node import output_shape, signed, spread
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import AdaptiveAveragePool, AveragePool, LinearMap, Reshape, Scale, TakeAlong

__all__: list[str] = []


@derivative("MaxPool2DWithIndicesBackward0")
@pulled_by(kernels.convolutions.max_pool2d)
def max_pool2d(node: Any) -> Local:
    return (_picked(node),)


@derivative("AdaptiveMaxPool2DBackward0")
@pulled_by(kernels.convolutions.adaptive_max_pool2d)
def adaptive_max_pool2d(node: Any) -> Local:
    return (_picked(node),)


def _picked(node: Any) -> LinearMap:
    source, target = tuple(node._saved_self.shape), output_shape(node)
    plane = (*source[:-2], source[-2] * source[-1])
    picked = TakeAlong(plane, len(plane) - 1, node._saved_result1.flatten(-2))
    return Reshape(picked.target, target) @ picked @ Reshape(source, plane)


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
