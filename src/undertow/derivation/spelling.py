"""Fused kernels, spelled out in plain operations where the kernel's name would tell a reader nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import grad
from torch.overrides import handle_torch_function

__all__ = ["SPELLED"]

aten = torch.ops.aten


def softmax(cotangent: Tensor, p: Tensor, dim: int, _: torch.dtype) -> Tensor:
    return p * (cotangent - (p * cotangent).sum(dim, keepdim=True))


def log_softmax(cotangent: Tensor, log_p: Tensor, dim: int, _: torch.dtype) -> Tensor:
    return cotangent - log_p.exp() * cotangent.sum(dim, keepdim=True)


def threshold(cotangent: Tensor, x: Tensor, limit: float) -> Tensor:
    return cotangent * (x > limit)


def addcmul(x: Tensor, a: Tensor, b: Tensor, *, value: float = 1) -> Any:
    return x + a * b if value == 1 else x - a * b if value == -1 else NotImplemented


def embedding(cotangent: Tensor, index: Tensor, count: int, padding: int, by_frequency: bool) -> Any:
    if padding >= 0 or by_frequency:
        return NotImplemented
    rows = cotangent.reshape(-1, cotangent.shape[-1])
    return cotangent.new_zeros(count, cotangent.shape[-1]).index_add(0, index.reshape(-1), rows)


def convolution(
    cotangent: Tensor, image: Tensor, kernel: Tensor, _: None, *how: Any
) -> tuple[Tensor | None, Tensor | None, None] | Any:
    """By the functions of `torch.nn.grad`, which there are for convolutions that are not transposed."""
    *sizes, transposed, _, groups, mask = how
    dims = image.ndim - 2
    if transposed or dims not in IMAGES:
        return NotImplemented
    given = dict(zip(("stride", "padding", "dilation", "groups"), (*map(tuple, sizes), groups), strict=True))
    usual = {"stride": (1,) * dims, "padding": (0,) * dims, "dilation": (1,) * dims, "groups": 1}
    options = {name: value for name, value in given.items() if value != usual[name]}
    by_image, by_kernel = IMAGES[dims]
    return (
        _as_one(by_image, (tuple(image.shape), kernel, cotangent), options) if mask[0] else None,
        _as_one(by_kernel, (image, tuple(kernel.shape), cotangent), options) if mask[1] else None,
        None,
    )


def _as_one(func: Callable[..., Tensor], args: Sequence[Any], options: Mapping[str, Any]) -> Tensor:
    """A call of a Python function, noted down as such and not as what it calls."""
    answer: Tensor = handle_torch_function(func, (), *args, **options)
    return answer


IMAGES = {
    1: (grad.conv1d_input, grad.conv1d_weight),
    2: (grad.conv2d_input, grad.conv2d_weight),
    3: (grad.conv3d_input, grad.conv3d_weight),
}

SPELLED: Mapping[Any, Callable[..., Any]] = {
    torch._softmax_backward_data: softmax,
    torch._log_softmax_backward_data: log_softmax,
    torch.addcmul: addcmul,
    Tensor.addcmul: addcmul,
    aten.embedding_dense_backward.default: embedding,
    aten.threshold_backward.default: threshold,
    aten.convolution_backward.default: convolution,
}
"""By kernel, the same in plain operations; `NotImplemented` where a case is left to the kernel."""
