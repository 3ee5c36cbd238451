"""Through operations that act entry by entry: one pass over memory, where a slope written out takes two or more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.kernels.kernel import Cotangents, Kernel, Products, Wanted

__all__ = [
    "elu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "relu",
    "sigmoid",
    "silu",
    "softplus",
    "tanh",
]

aten: Any = torch.ops.aten


def _of_reals(product: Callable[[Tensor, Any], Tensor]) -> Kernel:
    """A kernel from how it multiplies a cotangent; for real numbers only, as slopes are."""

    def kernel(node: Any, cotangents: Cotangents, _: Wanted) -> Products | None:
        cotangent = cotangents[0]
        return None if cotangent.is_complex() else (product(cotangent, node),)

    return kernel


threshold_backward: Any = aten.threshold_backward.default


def relu(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    return (threshold_backward(cotangents[0], node._saved_result, 0),)


tanh = _of_reals(lambda c, node: aten.tanh_backward.default(c, node._saved_result))
sigmoid = _of_reals(lambda c, node: aten.sigmoid_backward.default(c, node._saved_result))
log_sigmoid = _of_reals(lambda c, node: aten.log_sigmoid_backward.default(c, node._saved_self, node._saved_buffer))
silu = _of_reals(lambda c, node: aten.silu_backward.default(c, node._saved_self))
mish = _of_reals(lambda c, node: aten.mish_backward.default(c, node._saved_self))
gelu = _of_reals(lambda c, node: aten.gelu_backward.default(c, node._saved_self, approximate=node._saved_approximate))
hardswish = _of_reals(lambda c, node: aten.hardswish_backward.default(c, node._saved_self))
hardsigmoid = _of_reals(lambda c, node: aten.hardsigmoid_backward.default(c, node._saved_self))
hardtanh = _of_reals(
    lambda c, node: aten.hardtanh_backward.default(c, node._saved_self, node._saved_min_val, node._saved_max_val)
)
leaky_relu = _of_reals(
    lambda c, node: aten.leaky_relu_backward.default(c, node._saved_self, node._saved_negative_slope, False)
)
softplus = _of_reals(
    lambda c, node: aten.softplus_backward.default(c, node._saved_self, node._saved_beta, node._saved_threshold)
)
elu = _of_reals(
    lambda c, node: aten.elu_backward.default(
        c, node._saved_alpha, node._saved_scale, node._saved_input_scale, False, node._saved_self
    )
)
