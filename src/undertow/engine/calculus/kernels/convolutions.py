"""Through convolutions and pooling."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted

__all__ = ["adaptive_avg_pool3d", "adaptive_max_pool2d", "avg_pool3d", "convolution", "max_pool2d"]

convolution_backward: Any = torch.ops.aten.convolution_backward.default
adaptive_avg_pool3d_backward: Any = torch.ops.aten._adaptive_avg_pool3d_backward.default
adaptive_max_pool2d_backward: Any = torch.ops.aten.adaptive_max_pool2d_backward.default
avg_pool3d_backward: Any = torch.ops.aten.avg_pool3d_backward.default
max_pool2d_backward: Any = torch.ops.aten.max_pool2d_with_indices_backward.default


def convolution(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products:
    answer: Products = convolution_backward(
        cotangents[0],
        node._saved_input,
        node._saved_weight,
        node._saved_bias_sym_sizes_opt,
        node._saved_stride,
        node._saved_padding,
        node._saved_dilation,
        node._saved_transposed,
        node._saved_output_padding,
        node._saved_groups,
        wanted,
    )
    return answer


def max_pool2d(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (
        max_pool2d_backward(
            cotangents[0],
            node._saved_self,
            node._saved_kernel_size,
            node._saved_stride,
            node._saved_padding,
            node._saved_dilation,
            node._saved_ceil_mode,
            node._saved_result1,
        ),
    )


def adaptive_max_pool2d(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (adaptive_max_pool2d_backward(cotangents[0], node._saved_self, node._saved_result1),)


def avg_pool3d(node: Any, cotangents: Cotangents, _: Wanted) -> Products | None:
    divisor = node._saved_divisor_override
    if divisor is not None and divisor >= 1 << 63:
        return None  # a negative divisor, saved as 64 bits without a sign
    window = node._saved_kernel_size, node._saved_stride, node._saved_padding
    rest = node._saved_ceil_mode, node._saved_count_include_pad, divisor
    return (avg_pool3d_backward(cotangents[0], node._saved_self, *window, *rest),)


def adaptive_avg_pool3d(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (adaptive_avg_pool3d_backward(cotangents[0], node._saved_self),)
