"""Products of matrices, by the faster of the two libraries that PyTorch has for them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["one_by_one", "times"]

LARGE = 1 << 21
"""Multiply-adds of a product from which on oneDNN, which takes longer to be called, takes less time in all."""

NARROW = 16
"""Rows or columns, of fewer of which oneDNN takes longer however long they are."""

PLAIN = frozenset({Tensor, nn.Parameter})

onednn: Any = torch.ops.mkldnn._linear_pointwise.default if torch.backends.mkldnn.is_available() else None


def times(a: Tensor, b: Tensor) -> Tensor:
    """a b, for two matrices, or for each two of two stacks of them.

    PyTorch multiplies single precision by MKL, which leaves the widest instructions of processors unused that are not
    Intel's. It convolves by oneDNN, which does not, and which multiplies too: as exactly, but in another order of sums.
    """
    if not one_by_one(a, b):
        return a @ b
    if a.ndim == 2:
        return _by_onednn(a, b)
    pairs = zip(a.flatten(0, -3), b.flatten(0, -3), strict=True)
    return torch.stack([_by_onednn(*pair) for pair in pairs]).reshape(*a.shape[:-1], b.shape[-1])


def one_by_one(a: Tensor, b: Tensor) -> bool:
    """Whether these are multiplied by oneDNN, which takes two matrices at a time."""
    # What most products of small networks are turned away by comes first.
    return a.numel() * b.shape[-1] >= LARGE and _is_large(a, b) and _is_plain(a) and _is_plain(b) and not _is_watched()


def _by_onednn(a: Tensor, b: Tensor) -> Tensor:
    product: Tensor = onednn(a, b.t(), None, "none", (), "")
    return product


def _is_large(a: Tensor, b: Tensor) -> bool:
    if a.ndim < 2 or a.shape[:-2] != b.shape[:-2]:
        return False
    rows, inner, columns = *a.shape[-2:], b.shape[-1]
    return min(rows, inner, columns) >= NARROW and rows * inner * columns >= LARGE


def _is_plain(tensor: Tensor) -> bool:
    """Whether oneDNN takes it."""
    return bool(
        tensor.dtype is torch.float32
        and tensor.is_cpu
        and tensor.layout is torch.strided
        and type(tensor) in PLAIN
        and torch.backends.mkldnn.enabled
        and onednn is not None
    )


def _is_watched() -> bool:
    """Whether this is differentiated, batched, traced or written out, none of which knows of oneDNN's product."""
    return bool(
        torch.is_grad_enabled()
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._len_torch_dispatch_stack()
        or torch._C._is_torch_function_mode_enabled()
    )
