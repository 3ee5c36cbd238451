"""A fixed strided subsample of many tensors, as one flat array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ENTRIES", "entries", "flat", "segment_norms", "segment_sums"]

ENTRIES = 1024
"""Looked at of each tensor: a norm estimated from them has a relative error of about 2.2 %."""


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


def flat(parts: Sequence[Tensor]) -> NDArray[np.float64]:
    """All parts end to end, on the host; one transfer a device and dtype."""
    kinds = [(part.device, part.dtype) for part in parts]
    if len(set(kinds)) == 1:
        joined: NDArray[np.float64] = torch.cat([*parts]).to("cpu", torch.float64).numpy()
        return joined
    found: list[NDArray[np.float64]] = [np.empty(0)] * len(parts)
    for kind in set(kinds):
        positions = [p for p, other in enumerate(kinds) if other == kind]
        joined = torch.cat([parts[p] for p in positions]).to("cpu", torch.float64).numpy()
        for p, piece in zip(
            positions, np.split(joined, np.cumsum([parts[p].numel() for p in positions])[:-1]), strict=True
        ):
            found[p] = piece
    return np.concatenate(found) if found else np.empty(0)


def segment_sums(values: NDArray[Any], lengths: Sequence[int]) -> NDArray[np.float64]:
    """The sum of each stretch of `lengths` values, none of them empty."""
    starts = np.cumsum([0, *lengths[:-1]], dtype=np.int64)
    return np.add.reduceat(values, starts, dtype=np.float64) if len(lengths) else np.empty(0)


def segment_norms(values: NDArray[np.float64], lengths: Sequence[int], sizes: Sequence[int]) -> NDArray[np.float64]:
    """The norm of each tensor of `sizes` entries, estimated from the `lengths` entries that stand for it."""
    with np.errstate(all="ignore"):
        ratio = np.array(sizes, dtype=np.float64) / np.maximum(lengths, 1)
        return np.sqrt(segment_sums(values * values, lengths) * ratio)
