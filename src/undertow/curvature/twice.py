"""A forward pass in operations whose second derivative exists, and takes no longer than it must."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

__all__ = ["twice_differentiable"]


@contextlib.contextmanager
def twice_differentiable() -> Iterator[None]:
    """Within, attention is not fused, which has no second derivative on the CPU, and normalisation of the fixed
    statistics of eval mode is spelled as the scaling that it is: PyTorch's second derivative of it is written for the
    statistics of a batch as well, in some twenty passes over memory.
    """
    with sdpa_kernel(SDPBackend.MATH), _FixedNormalisation():
        yield


class _FixedNormalisation(TorchFunctionMode):
    """Batch normalisation by statistics that are given is a product and a sum."""

    def __torch_function__(
        self, function: Callable[..., Any], _types: Iterable[Any], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        known = kwargs or {}
        if function is F.batch_norm and not known["training"]:
            return _scaled(args, known)  # PyTorch hands it on with three arguments by position, the others by name
        return function(*args, **known)


def _scaled(given: Sequence[Tensor], known: dict[str, Any]) -> Tensor:
    x, mean, variance = given
    if mean.dtype is not x.dtype:
        return F.batch_norm(x, mean, variance, **known)
    scale = torch.rsqrt(variance + known["eps"])
    scale = scale if known["weight"] is None else known["weight"] * scale
    shift = -mean * scale if known["bias"] is None else known["bias"] - mean * scale
    shape = (-1, *[1] * (x.ndim - 2))
    # Not addcmul: its derivative multiplies by its factor of 1, in a pass of its own.
    return x * scale.reshape(shape) + shift.reshape(shape)
