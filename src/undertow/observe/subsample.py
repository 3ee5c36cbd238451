"""A fixed strided subsample of many tensors, as one flat tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["ENTRIES", "entries", "flat", "segment_norms", "segment_sums"]

ENTRIES = 2048
"""Looked at of each tensor: a norm estimated from them has a relative error of about 1.6 %."""


def entries(tensor: Tensor) -> Tensor:
    """At most `ENTRIES` entries at a fixed stride that walks through all columns. Shape (n,)."""
    line = tensor.detach().reshape(-1)
    if line.numel() <= ENTRIES:
        return line
    stride = -(-line.numel() // ENTRIES)
    while math.gcd(stride, tensor.shape[-1]) > 1:
        stride += 1
    return line[::stride]


def flat(parts: Sequence[Tensor]) -> NDArray[np.float64]:
    """All parts end to end, on the host; one transfer a device and dtype."""
    groups: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for position, part in enumerate(parts):
        groups.setdefault((part.device, part.dtype), []).append(position)
    found: list[NDArray[np.float64]] = [np.empty(0)] * len(parts)
    for positions in groups.values():
        joined = torch.cat([parts[p] for p in positions]).to("cpu", torch.float64).numpy()
        for p, piece in zip(positions, np.split(joined, np.cumsum([parts[p].numel() for p in positions])[:-1]), strict=True):
            found[p] = piece
    return np.concatenate(found) if found else np.empty(0)


def segment_sums(values: NDArray[np.float64], lengths: Sequence[int]) -> NDArray[np.float64]:
    """The sum of each stretch of `lengths` values."""
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return np.array([values[a:b].sum() for a, b in zip(ends[:-1], ends[1:], strict=True)], dtype=np.float64)


def segment_norms(values: NDArray[np.float64], lengths: Sequence[int], sizes: Sequence[int]) -> NDArray[np.float64]:
    """The norm of each tensor of `sizes` entries, estimated from the `lengths` entries that stand for it."""
    ratio = np.array(sizes, dtype=np.float64) / np.maximum(lengths, 1)
    return np.sqrt(np.maximum(segment_sums(values**2, lengths), 0) * ratio)
