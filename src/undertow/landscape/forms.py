"""Operations in other forms that are faster on a CPU: the same numbers up to rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

__all__ = ["faster"]

aten: Any = torch.ops.aten

NARROW = 32
"""Up to so many columns, and four times as many rows, a table is worked on with its columns as rows."""

WINDOW = 9
"""Up to so many places, a window is pooled by going over the places of the window instead of over the windows."""


def faster(operation: Any, first_alone: bool) -> Callable[..., Any]:
    """The form of an operation to use. Of some only the first result is made, if that alone is needed."""
    found = FORMS.get(operation) or (POOLS.get(operation) if first_alone else None)
    return operation if found is None else found


def _is_narrow(table: Tensor, columns: int) -> bool:
    return table.ndim == 2 and columns <= NARROW and table.device.type == "cpu" and 4 * columns <= table.shape[0]


def _addmm(bias: Tensor, left: Tensor, right: Tensor, **scales: Any) -> Tensor:
    if scales or bias.ndim != 1 or not _is_narrow(left, right.shape[1]):
        return torch.addmm(bias, left, right, **scales)
    return (torch.mm(right.t(), left.t()) + bias[:, None]).t()


def _log_softmax(table: Tensor, dim: int, half: bool) -> Tensor:
    if half or dim not in (1, -1) or not _is_narrow(table, table.shape[-1]):
        return aten._log_softmax.default(table, dim, half)  # type: ignore[no-any-return]
    return torch.log_softmax(table.t().contiguous(), 0).t()


def _nll_loss(
    scores: Tensor, target: Tensor, weight: Tensor | None, reduction: int, ignored: int
) -> tuple[Tensor, Tensor]:
    if scores.ndim != 2 or not _is_narrow(scores, scores.shape[1]) or reduction == 0:
        return aten.nll_loss_forward.default(scores, target, weight, reduction, ignored)  # type: ignore[no-any-return]
    picture, places = scores.t()[None, :, None], target[None, None]
    return aten.nll_loss2d_forward.default(picture, places, weight, reduction, ignored)  # type: ignore[no-any-return]


def _max_pool(pictures: Tensor, window: Sequence[int], *how: Any) -> tuple[Tensor, ...]:
    if not _is_plain(pictures, window, how):
        return aten.max_pool2d_with_indices.default(pictures, window, *how)  # type: ignore[no-any-return]
    return _pooled(torch.maximum, pictures, window, *how), pictures


def _mean_pool(pictures: Tensor, window: Sequence[int], *how: Any) -> Tensor:
    if not _is_plain(pictures, window, how):
        return aten.avg_pool2d.default(pictures, window, *how)  # type: ignore[no-any-return]
    return _pooled(torch.add, pictures, window, *how) / (window[0] * window[1])


def _is_plain(pictures: Tensor, window: Sequence[int], how: Sequence[Any]) -> bool:
    """Whether small windows are taken of rectangular pictures, without padding, dilation or part windows."""
    small = len(window) == 2 and window[0] * window[1] <= WINDOW
    return small and pictures.device.type == "cpu" and pictures.ndim == 4 and len(how) <= 1


def _pooled(
    both: Callable[[Tensor, Tensor], Tensor], pictures: Tensor, window: Sequence[int], steps: Sequence[int] = ()
) -> Tensor:
    """Windows of pictures, pooled over their rows and then over their columns."""
    for axis, size, step in zip((2, 3), window, steps or window, strict=True):
        count = (pictures.shape[axis] - size) // step + 1
        places = (pictures.narrow(axis, at, step * (count - 1) + 1) for at in range(size))
        pictures = reduce(both, (place[(slice(None),) * axis + (slice(None, None, step),)] for place in places))
    return pictures


FORMS: dict[Any, Callable[..., Any]] = {
    aten.addmm.default: _addmm,
    aten._log_softmax.default: _log_softmax,
    aten.nll_loss_forward.default: _nll_loss,
    aten.avg_pool2d.default: _mean_pool,
}

POOLS: dict[Any, Callable[..., Any]] = {aten.max_pool2d_with_indices.default: _max_pool}
