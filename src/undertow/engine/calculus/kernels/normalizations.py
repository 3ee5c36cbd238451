"""Through normalisations by mean and variance."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted

__all__ = ["batch_norm", "group_norm", "layer_norm"]

batch_norm_backward: Any = torch.ops.aten.native_batch_norm_backward.default
group_norm_backward: Any = torch.ops.aten.native_group_norm_backward.default
layer_norm_backward: Any = torch.ops.aten.native_layer_norm_backward.default


def layer_norm(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products:
    answer: Products = layer_norm_backward(
        cotangents[0],
        node._saved_input,
        node._saved_normalized_shape,
        node._saved_result1,
        node._saved_result2,
        node._saved_weight,
        node._saved_bias,
        wanted,
    )
    return answer


def batch_norm(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products:
    answer: Products = batch_norm_backward(
        cotangents[0],
        node._saved_input,
        node._saved_weight,
        node._saved_running_mean,
        node._saved_running_var,
        node._saved_result1,
        node._saved_result2,
        node._saved_training,
        node._saved_eps,
        wanted,
    )
    return answer


def group_norm(node: Any, cotangents: Cotangents, wanted: Wanted) -> Products | None:
    if any(cotangent is not None for cotangent in cotangents[1:]):
        return None  # of the mean and the deviation
    x = node._saved_input
    answer: Products = group_norm_backward(
        cotangents[0].contiguous(),
        x.contiguous(),
        node._saved_result1,
        node._saved_result2,
        node._saved_weight,
        node._saved_N,
        node._saved_C,
        node._saved_HxW,
        node._saved_group,
        wanted,
    )
    return answer
