"""A fixed strided subsample of many tensors, as one flat array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Size, Tensor

from undertow.observe.rows import Rows

__all__ = ["ENTRIES", "Floats", "Subsample", "entries", "flat", "kept", "subsample_of"]

Floats = NDArray[Any]

HOSTED: dict[torch.dtype, np.dtype[Any]] = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}
"""What stays as it is on the host; anything else becomes float64."""

ENTRIES = 1024
"""Looked at of each tensor: a norm estimated from them has a relative error of about 2.2 %."""


class Subsample:
    """Which entries are looked at, of tensors of some shapes.

    Attributes:
        lengths: How many of each tensor.
        entries: How many in all.
        sizes: How many each tensor has.
    """

    def __init__(self, shapes: Sequence[Size]):
        sizes = [shape.numel() for shape in shapes]
        strides = [
            1 if size <= ENTRIES else _stride(size, shape[-1]) for size, shape in zip(sizes, shapes, strict=True)
        ]
        lengths = [-(-size // stride) for size, stride in zip(sizes, strides, strict=True)]
        self.sizes = np.array(sizes, dtype=np.float64)
        self.lengths = np.array(lengths, dtype=np.int64)
        self.entries = sum(lengths)
        self._whole = [size <= ENTRIES and len(shape) == 1 for size, shape in zip(sizes, shapes, strict=True)]
        self._steps = [((length,), (stride,)) for length, stride in zip(lengths, strides, strict=True)]
        self._starts = np.cumsum([0, *lengths[:-1]], dtype=np.int64)
        self._each = self.sizes / np.maximum(self.lengths, 1)

    def views(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The entries of each tensor, in its own memory; copies of those that are not contiguous."""
        return [
            tensor
            if whole
            else tensor.as_strided(*step)
            if tensor.is_contiguous()
            else tensor.reshape(-1)[:: step[1][0]]
            for tensor, whole, step in zip(tensors, self._whole, self._steps, strict=True)
        ]

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Over each tensor's entries, of values of shape (…, entries)."""
        if not len(self.lengths):
            return np.zeros((*values.shape[:-1], 0))
        return np.add.reduceat(values, self._starts, axis=-1, dtype=np.float64)

    def norms(self, squares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Norms of whole tensors, estimated from the sums of squares of the entries that stand for them."""
        norms: NDArray[np.float64] = np.sqrt(squares * self._each)
        return norms


@lru_cache(maxsize=64)
def subsample_of(shapes: tuple[Size, ...]) -> Subsample:
    """The one for tensors of these shapes, none of them empty."""
    return Subsample(shapes)


def entries(tensor: Tensor) -> Tensor:
    """At most `ENTRIES` entries at a fixed stride that walks through all columns. Shape (n,)."""
    count = tensor.numel()
    stride = 1 if count <= ENTRIES else _stride(count, tensor.shape[-1])
    if tensor.is_contiguous():
        return tensor.as_strided((-(-count // stride),), (stride,))
    return tensor.reshape(-1)[::stride]


@lru_cache(maxsize=4096)
def _stride(count: int, columns: int) -> int:
    stride = -(-count // ENTRIES)
    while math.gcd(stride, columns) > 1:
        stride += 1
    return stride


def kept(parts: Sequence[Tensor], rows: Rows) -> Floats:
    """All parts end to end, on the host, in a row that can be held."""
    dtype = HOSTED.get(parts[0].dtype)
    if dtype is not None and all(part.is_cpu and part.dtype is parts[0].dtype for part in parts):
        row = rows.take(sum([part.numel() for part in parts]), dtype)
        torch.cat([*parts], out=torch.from_numpy(row))
        return row
    return rows.held(flat(parts))


def flat(parts: Sequence[Tensor]) -> Floats:
    """All parts end to end, on the host; one transfer a device and dtype."""
    if parts and all(part.is_cpu for part in parts):
        return _on_host(parts)
    kinds = [(part.device, part.dtype) for part in parts]
    found: list[Floats] = [np.empty(0)] * len(parts)
    for kind in set(kinds):
        positions = [p for p, other in enumerate(kinds) if other == kind]
        joined = _on_host([parts[p] for p in positions])
        for p, piece in zip(
            positions, np.split(joined, np.cumsum([parts[p].numel() for p in positions])[:-1]), strict=True
        ):
            found[p] = piece
    whole: Floats = np.concatenate(found) if found else np.empty(0)
    return whole


def _on_host(parts: Sequence[Tensor]) -> Floats:
    joined = torch.cat([*parts])
    numbers: Floats = joined.to("cpu", joined.dtype if joined.dtype in HOSTED else torch.float64).numpy()
    return numbers
