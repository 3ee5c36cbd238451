"""What the optimizer really did to the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from undertow.observe.subsample import Subsample, entries, flat, subsample_of

__all__ = ["UpdateProbe", "carried", "in_force", "moved"]


class UpdateProbe:
    """Compares parameters before and after a step, on a fixed subsample of their entries."""

    def __init__(self, parameters: Sequence[Tensor]):
        self._parameters = parameters
        self._places = [parameter.data_ptr() for parameter in parameters]
        self._subsample = subsample_of(tuple([parameter.shape for parameter in parameters]))
        self._views = self._subsample.views(parameters)
        self._weights = flat(self._views)
        self._gradients = _gradients(parameters, self._subsample)

    def meet_gradients(self) -> None:
        """Take the gradients as they are now: those of a loop by hand come after the weights were looked at."""
        self._gradients = _gradients(self._parameters, self._subsample)

    def after(self) -> dict[str, NDArray[np.float64]]:
        """What changed since this probe was made: columns of `Updates`, one entry a parameter."""
        gradients, weights, seen = self._gradients, self._weights, self._subsample
        change = flat(self._views_now()) - weights
        asked = gradients != 0
        terms = np.empty((6, len(change)))
        np.multiply(weights, weights, out=terms[0])
        np.multiply(gradients, gradients, out=terms[1])
        np.multiply(change, change, out=terms[2])
        np.multiply(change, gradients, out=terms[3])
        terms[4] = asked
        np.logical_and(change == 0, asked, out=terms[5])
        with np.errstate(all="ignore"):
            sums = seen.sums(terms)
            weight, gradient, update = seen.norms(sums[:3])
            return {
                "weight": weight,
                "gradient": gradient,
                "update": update,
                "lost": sums[5] / sums[4],
                "silent": 1 - sums[4] / seen.lengths,
                "angle": np.arccos(np.clip(-sums[3] / np.sqrt(sums[2] * sums[1]), -1, 1)),
            }

    def _views_now(self) -> list[Tensor]:
        """The same views, anew where a parameter was given other memory, or where a view was a copy."""
        now = [parameter.data_ptr() for parameter in self._parameters]
        if now == self._places == [view.data_ptr() for view in self._views]:
            return self._views
        return self._subsample.views(self._parameters)


def carried(parameters: Sequence[Tensor]) -> NDArray[np.float64]:
    """The norm of what each parameter's `.grad` holds now; 0 where it holds nothing."""
    if not parameters:
        return np.empty(0)
    seen = subsample_of(tuple([parameter.shape for parameter in parameters]))
    with np.errstate(all="ignore"):
        norms = seen.norms(seen.sums(_gradients(parameters, seen) ** 2))
    return np.nan_to_num(norms, nan=0.0, posinf=np.inf)


def _gradients(parameters: Sequence[Tensor], seen: Subsample) -> NDArray[np.float64]:
    """The subsampled gradients, `nan` for parameters that have none or a sparse one."""
    grads = [parameter.grad for parameter in parameters]
    present = [grad for grad in grads if grad is not None and not grad.is_sparse]
    if len(present) == len(grads):
        return flat(seen.views(present))
    dense = np.array([grad is not None and not grad.is_sparse for grad in grads], dtype=bool)
    found = np.full(int(seen.lengths.sum()), np.nan)
    found[np.repeat(dense, seen.lengths)] = flat([entries(grad) for grad in present])
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
