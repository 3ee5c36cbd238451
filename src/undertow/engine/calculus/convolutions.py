"""Local derivatives of convolutions."""

from __future__ import annotations

from typing import Any

from undertow.engine.calculus import kernels
from undertow.engine.calculus.node import input_shapes, output_shape, spread
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import Convolve, ConvolveKernel, Expand, Geometry, Reshape

__all__: list[str] = []


@derivative("ConvolutionBackward0")
@pulled_by(kernels.convolutions.convolution)
def convolution(node: Any) -> Local:
    target, (image, kernel, bias) = output_shape(node), input_shapes(node)
    space = len(target) - 2
    geometry = Geometry(
        spread(node._saved_stride, space),
        spread(node._saved_padding, space),
        spread(node._saved_dilation, space),
        node._saved_transposed,
        spread(node._saved_output_padding, space),
        node._saved_groups,
    )
    per_channel = (target[1], *[1] * (len(target) - 2))
    return (
        None if image is None else Convolve(node._saved_weight, geometry, image, target),
        None if kernel is None else ConvolveKernel(node._saved_input, geometry, kernel, target),
        None if bias is None else Expand(per_channel, target) @ Reshape(bias, per_channel),
    )
