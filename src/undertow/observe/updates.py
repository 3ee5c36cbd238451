"""What the optimizer really did to the weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from undertow.observe.subsample import entries, flat, segment_norms, segment_sums

__all__ = ["COLUMNS", "UpdateProbe", "carried"]

COLUMNS = ("weight", "gradient", "update", "lost", "carried", "silent", "rate")


class UpdateProbe:
    """Compares parameters before and after a step, on a fixed subsample of their entries."""

    def __init__(self, parameters: Sequence[Tensor]):
        self._parameters = parameters
        self._views = [entries(parameter) for parameter in parameters]
        self._lengths = [view.numel() for view in self._views]
        self._sizes = [parameter.numel() for parameter in parameters]
        self._weights = flat(self._views)
        self._gradients = _gradients(parameters, self._lengths)

    def after(self) -> dict[str, NDArray[np.float64]]:
        """What changed since this probe was made: columns of `Updates`, one entry a parameter."""
        change = flat([entries(parameter) for parameter in self._parameters]) - self._weights
        asked = self._gradients != 0
        lost = segment_sums(((change == 0) & asked).astype(np.float64), self._lengths)
        silent = segment_sums((~asked).astype(np.float64), self._lengths)
        with np.errstate(divide="ignore", invalid="ignore"):
            return {
                "weight": segment_norms(self._weights, self._lengths, self._sizes),
                "gradient": segment_norms(self._gradients, self._lengths, self._sizes),
                "update": segment_norms(change, self._lengths, self._sizes),
                "lost": lost / (np.array(self._lengths) - silent),
                "silent": silent / np.array(self._lengths),
            }


def carried(parameters: Sequence[Tensor]) -> NDArray[np.float64]:
    """The norm of what each parameter's `.grad` holds now; 0 where it holds nothing."""
    lengths = [entries(parameter).numel() for parameter in parameters]
    norms = segment_norms(_gradients(parameters, lengths), lengths, [parameter.numel() for parameter in parameters])
    return np.nan_to_num(norms, nan=0.0, posinf=np.inf)


def _gradients(parameters: Sequence[Tensor], lengths: Sequence[int]) -> NDArray[np.float64]:
    """The subsampled gradients, `nan` for parameters that have none or a sparse one."""
    dense = [parameter.grad is not None and not parameter.grad.is_sparse for parameter in parameters]
    present = flat([entries(p.grad) for p, has in zip(parameters, dense, strict=True) if has and p.grad is not None])
    found = np.full(sum(lengths), np.nan)
    found[np.repeat(np.array(dense, dtype=bool), np.array(lengths, dtype=np.int64))] = present
    return found
