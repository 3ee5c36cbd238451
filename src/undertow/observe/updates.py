"""What the optimizer really did to the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from undertow.observe.subsample import Subsample, entries, flat, subsample_of

__all__ = ["Moving", "UpdateProbe", "carried", "in_force", "moved_by"]


class Moving:
    """Parameters that a step may move, and views of the entries of them that are looked at, good for several steps.

    Attributes:
        parameters: None of them is empty.
        numbers: Their numbers.
        seen: Which entries.
    """

    def __init__(self, parameters: Sequence[Tensor], numbers: Sequence[int]):
        self.parameters = parameters
        self.numbers = numbers
        self.seen = subsample_of(tuple([parameter.shape for parameter in parameters]))
        self._places: list[int] = []
        self._views: list[Tensor] = []

    def weights(self) -> NDArray[np.float64]:
        """The entries as they are now."""
        places = [parameter.data_ptr() for parameter in self.parameters]
        if places != self._places:
            self._views = self.seen.views([parameter.detach() for parameter in self.parameters])
            # A view that is a copy has to be made anew each time.
            self._places = places if places == [view.data_ptr() for view in self._views] else []
        return flat(self._views)

    def gradients(self) -> NDArray[np.float64]:
        """The same entries of `.grad`, `nan` for parameters that have none or a sparse one."""
        return _gradients(self.parameters, self.seen)


class UpdateProbe:
    """Compares parameters before and after a step, on a fixed subsample of their entries."""

    def __init__(self, moving: Moving):
        self._moving = moving
        self._weights = moving.weights()
        self._gradients = moving.gradients()

    def meet_gradients(self) -> None:
        """Take the gradients as they are now: those of a loop by hand come after the weights were looked at."""
        self._gradients = self._moving.gradients()

    def after(self) -> dict[str, NDArray[np.float64]]:
        """What changed since this probe was made: columns of `Updates`, one entry a parameter."""
        gradients, weights, seen = self._gradients, self._weights, self._moving.seen
        change = self._moving.weights()
        change -= weights
        asked = gradients != 0
        moved = seen.sums(asked)
        terms = np.empty_like(weights)
        with np.errstate(all="ignore"):
            weight, gradient, update = (
                seen.sums(np.multiply(values, values, out=terms)) for values in (weights, gradients, change)
            )
            downhill = -seen.sums(np.multiply(change, gradients, out=terms)) / np.sqrt(update * gradient)
            return {
                "weight": seen.norms(weight),
                "gradient": seen.norms(gradient),
                "update": seen.norms(update),
                "lost": seen.sums((change == 0) & asked) / moved,
                "silent": 1 - moved / seen.lengths,
                "angle": np.arccos(np.clip(downhill, -1, 1)),
            }


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


def moved_by(optimizer: Optimizer) -> list[list[Tensor]]:
    """The parameters that an optimizer may move, by group."""
    return [
        [parameter for parameter in group["params"] if parameter.requires_grad and parameter.numel()]
        for group in optimizer.param_groups
    ]


def in_force(optimizer: Optimizer, setting: str, counts: Sequence[int]) -> NDArray[np.float64]:
    """A setting of as many parameters of each group; `nan` where there is none, or no number."""
    values = [group.get(setting) for group in optimizer.param_groups]
    return np.repeat([float(v) if isinstance(v, (int, float, Tensor)) else math.nan for v in values], counts)
