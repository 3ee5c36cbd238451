"""What the optimizer really did to the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from undertow.observe.subsample import entries, flat, segment_norms, segment_sums

__all__ = ["UpdateProbe", "carried", "in_force", "moved"]


class UpdateProbe:
    """Compares parameters before and after a step, on a fixed subsample of their entries."""

    def __init__(self, parameters: Sequence[Tensor]):
        self._parameters = parameters
        self._places = [parameter.data_ptr() for parameter in parameters]
        self._views = [entries(parameter) for parameter in parameters]
        self._lengths = [view.numel() for view in self._views]
        self._sizes = [parameter.numel() for parameter in parameters]
        self._weights = flat(self._views)
        self._gradients = _gradients(parameters, self._lengths)

    def after(self) -> dict[str, NDArray[np.float64]]:
        """What changed since this probe was made: columns of `Updates`, one entry a parameter."""
        change = flat(self._views_now()) - self._weights
        asked = self._gradients != 0
        lost = segment_sums((change == 0) & asked, self._lengths)
        moved = segment_sums(asked, self._lengths)
        with np.errstate(all="ignore"):
            return {
                "weight": segment_norms(self._weights, self._lengths, self._sizes),
                "gradient": segment_norms(self._gradients, self._lengths, self._sizes),
                "update": segment_norms(change, self._lengths, self._sizes),
                "lost": lost / moved,
                "silent": 1 - moved / np.array(self._lengths),
                "angle": self._angle(change),
            }

    def _angle(self, change: NDArray[np.float64]) -> NDArray[np.float64]:
        """Between each parameter's change and the way straight downhill."""
        downhill = -segment_sums(change * self._gradients, self._lengths)
        squares = segment_sums(change * change, self._lengths) * segment_sums(self._gradients**2, self._lengths)
        angle: NDArray[np.float64] = np.arccos(np.clip(downhill / np.sqrt(squares), -1, 1))
        return angle

    def _views_now(self) -> list[Tensor]:
        """The same views, anew where a parameter was given other memory, or where a view was a copy."""
        return [
            view if parameter.data_ptr() == place == view.data_ptr() else entries(parameter)
            for parameter, place, view in zip(self._parameters, self._places, self._views, strict=True)
        ]


def carried(parameters: Sequence[Tensor]) -> NDArray[np.float64]:
    """The norm of what each parameter's `.grad` holds now; 0 where it holds nothing."""
    if not parameters:
        return np.empty(0)
    lengths = [entries(parameter).numel() for parameter in parameters]
    norms = segment_norms(_gradients(parameters, lengths), lengths, [parameter.numel() for parameter in parameters])
    return np.nan_to_num(norms, nan=0.0, posinf=np.inf)


def _gradients(parameters: Sequence[Tensor], lengths: Sequence[int]) -> NDArray[np.float64]:
    """The subsampled gradients, `nan` for parameters that have none or a sparse one."""
    grads = [parameter.grad for parameter in parameters]
    dense = [grad is not None and not grad.is_sparse for grad in grads]
    present = flat([entries(grad) for grad, has in zip(grads, dense, strict=True) if has and grad is not None])
    if all(dense):
        return present
    found = np.full(sum(lengths), np.nan)
    found[np.repeat(np.array(dense, dtype=bool), np.array(lengths, dtype=np.int64))] = present
    return found


def moved(optimizer: Optimizer) -> list[Tensor]:
    """The parameters that an optimizer may move, in the order of its groups."""
    return [parameter for group in optimizer.param_groups for parameter in _moved_of(group)]


def in_force(optimizer: Optimizer, setting: str) -> list[float]:
    """A setting of each of these parameters' groups; `nan` where there is none, or no number."""
    values: list[float] = []
    for group in optimizer.param_groups:
        value = group.get(setting)
        values += [float(value) if isinstance(value, (int, float, Tensor)) else math.nan] * len(_moved_of(group))
    return values


def _moved_of(group: dict[str, Any]) -> list[Tensor]:
    return [parameter for parameter in group["params"] if parameter.requires_grad and parameter.numel()]
