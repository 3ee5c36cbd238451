"""Who brings the data: the loaders and the tensors that the user's code holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader

from undertow.observe.frames import user_frames, variables

__all__ = ["loaders", "tensors"]

IN_ORDER = frozenset({"SequentialSampler"})


def loaders() -> list[dict[str, Any]]:
    """Of each `DataLoader` that a variable of the user's holds: its name, size, batch size and order."""
    found: dict[int, dict[str, Any]] = {}
    for frame in user_frames():
        for name, value in variables(frame):
            if isinstance(value, DataLoader) and id(value) not in found:
                found[id(value)] = _told(name, value)
    return [*found.values()]


def _told(name: str, loader: Any) -> dict[str, Any]:
    sampler = type(getattr(loader, "sampler", None)).__name__
    return {
        "name": name,
        "examples": next(_length(loader), -1),
        "rows": loader.batch_size or 0,
        "in_order": sampler in IN_ORDER,
    }


def _length(loader: Any) -> Iterator[int]:
    try:
        yield len(loader.dataset)
    except (TypeError, NotImplementedError):
        return


MOST = 24
"""Tensors that are told of, the longest ones."""


def tensors() -> list[dict[str, Any]]:
    """Of each array of data that a variable of the user's holds: its name, how many examples, and their size."""
    found: dict[int, dict[str, Any]] = {}
    for frame in user_frames():
        for name, value in variables(frame):
            if isinstance(value, (Tensor, np.ndarray)) and len(value.shape) and value.shape[0] and _is_data(value):
                width = math.prod(value.shape[1:])
                found.setdefault(id(value), {"name": name, "rows": int(value.shape[0]), "width": int(width)})
    return sorted(found.values(), key=lambda facts: -facts["rows"])[:MOST]


def _is_data(value: Any) -> bool:
    return not getattr(value, "requires_grad", False)
