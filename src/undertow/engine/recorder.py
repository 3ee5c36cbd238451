"""Measuring a backward pass while it runs, whether the sweep is ours or PyTorch's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.linalg import vector_norm

from undertow.engine.plan import Plan

__all__ = ["Recorder", "norm", "numbers", "to_host"]

NARROW = frozenset({torch.float16, torch.bfloat16})


LEAST, MOST = 1e-16, 1e16
"""Norms in between were had without any square leaving the range of float32."""


def norm(tensor: Tensor) -> float | Tensor:
    """The Euclidean norm; non-finite if any entry is.

    Accumulated in float64 where the squares of the entries would leave the range of float32.

    Returns:
        A number, or for a tensor on another device a 0-d tensor there, so that nothing is synchronised.
    """
    if tensor.dtype is torch.float32 and tensor.is_cpu and tensor.layout is torch.strided:
        size: float = vector_norm(tensor).item()
        return size if LEAST < size < MOST else float(_wide_norm(tensor))
    return _any_norm(tensor)


def _any_norm(tensor: Tensor) -> float | Tensor:
    if tensor.layout is not torch.strided:
        tensor = tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.to_dense()
    if not tensor.is_cpu:
        return _wide_norm(tensor)
    size = float(vector_norm(tensor, dtype=torch.float32 if tensor.dtype in NARROW else None))
    return size if LEAST < size < MOST else float(_wide_norm(tensor))


def _wide_norm(tensor: Tensor) -> Tensor:
    size: Tensor = vector_norm(tensor, dtype=torch.complex128 if tensor.is_complex() else torch.float64)
    return size


class Recorder:
    """A watcher of one pass that keeps the norm of everything; on other devices than the CPU, there."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.concerns = plan.measured
        self._sizes: dict[int, float | Tensor] = {}
        self._parts = plan.parts
        self._sums = plan.sums
        self._same = plan.same

    def saw(self, index: int, contributions: Sequence[Tensor | None], cotangents: Sequence[Tensor | None]) -> None:
        sizes = self._sizes
        for slot, key in self._sums[index]:
            if (total := cotangents[slot]) is not None:
                sizes[key] = norm(total)
        known, first = self._same[index], cotangents[0]
        for position, key in self._parts[index]:
            if (part := contributions[position]) is not None:
                sizes[key] = norm(part) if known is None or part is not first else sizes[known]

    def values(self) -> dict[int, float]:
        """Every norm, by key, moved to the host at once."""
        return numbers(self._sizes)


def numbers(sizes: dict[int, float | Tensor]) -> dict[int, float]:
    """Norms by key as numbers; the same table where no device has to be asked."""
    if Tensor not in set(map(type, sizes.values())):
        return sizes  # type: ignore[return-value]
    return dict(zip(sizes, to_host([*sizes.values()]), strict=True))


def to_host(sizes: Sequence[float | Tensor]) -> list[float]:
    """The values of numbers and 0-d tensors; tensors are moved once for each device and dtype among them."""
    groups: dict[Any, list[int]] = {}
    for position, size in enumerate(sizes):
        if isinstance(size, Tensor):
            groups.setdefault((size.device, size.dtype), []).append(position)
    values = [0.0 if isinstance(size, Tensor) else size for size in sizes]
    for positions in groups.values():
        moved = torch.stack([torch.as_tensor(sizes[p]) for p in positions]).tolist()
        for position, value in zip(positions, moved, strict=True):
            values[position] = value
    return values
