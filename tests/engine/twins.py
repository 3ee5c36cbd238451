"""The same backward pass by PyTorch and by Undertow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

import undertow

Build = Callable[[], tuple[Tensor, Sequence[Tensor]]]


def gradients(build: Build, backward: Callable[[Tensor], object]) -> list[Tensor | None]:
    """The gradients of what `build` calls its leaves, after one backward pass from its loss."""
    torch.manual_seed(0)
    loss, leaves = build()
    backward(loss)
    return [None if leaf.grad is None else leaf.grad.detach().clone() for leaf in leaves]


def expected(build: Build) -> list[Tensor | None]:
    return gradients(build, lambda loss: loss.backward())


def borrowed(build: Build) -> list[Tensor | None]:
    return gradients(build, lambda loss: undertow.backward(loss, calculus={}))


def ours(build: Build) -> list[Tensor | None]:
    return gradients(build, undertow.backward)


def same_bits(left: Sequence[Tensor | None], right: Sequence[Tensor | None]) -> bool:
    """Whether two lists of gradients are the same to the last bit, layout and dtype included."""
    return len(left) == len(right) and all(map(_same, left, right))


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    if a is None or b is None:
        return a is b
    if a.layout is not torch.strided and a.layout == b.layout:
        a, b = a.coalesce().to_dense(), b.coalesce().to_dense()
    return a.dtype == b.dtype and a.stride() == b.stride() and torch.equal(a, b)


def largest_error(left: Sequence[Tensor | None], right: Sequence[Tensor | None]) -> float:
    """The largest difference between two lists of gradients, relative to the largest entry of all."""
    assert [g is None for g in left] == [g is None for g in right]
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if a is not None and b is not None]
    scale = max(float(b.abs().max()) for _, b in pairs)
    difference = max(float((a - b).abs().max()) for a, b in pairs)
    return difference / scale if scale else difference
