"""One batch through a model to its loss, as a training script would do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor

from undertow.errors import PreflightError

__all__ = ["called", "described", "examples", "is_one_number", "listed", "loss_of", "mean_over", "tensors"]


def loss_of(model: Callable[..., Any], loss_fn: Callable[[Any, Any], Tensor], batch: Any) -> Tensor:
    """The loss of a batch.

    Args:
        model: Called with the inputs; with `**batch` where the batch is a mapping.
        loss_fn: Called with the model's output and the targets; with output and batch where the batch is a mapping.
        batch: A pair of inputs and targets, where inputs may be a tuple of several; or a mapping.

    Raises:
        PreflightError: The batch is neither, or what comes out is not one number that asks for a gradient.
    """
    return _checked(called(model, loss_fn, batch))


def called(model: Callable[..., Any], loss_fn: Callable[[Any, Any], Any], batch: Any) -> Any:
    """What the loss function makes of a batch, not looked at."""
    if isinstance(batch, Mapping):
        return loss_fn(model(**batch), batch)
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise PreflightError(
            f"a batch is a pair (inputs, targets) or a mapping, not {_told(batch)}\n"
            "  Pairs go as loss_fn(model(inputs), targets), mappings as loss_fn(model(**batch), batch)."
        )
    inputs, targets = batch
    return loss_fn(model(*inputs) if isinstance(inputs, (tuple, list)) else model(inputs), targets)


def listed(batch: Any) -> tuple[Any, ...]:
    """The batches of one that is a list of several; a pair of inputs and targets is one."""
    several = isinstance(batch, list) and (not batch or isinstance(batch[0], (list, tuple, Mapping)))
    return tuple(batch) if several else (batch,)


def mean_over(batches: Sequence[Any], loss: Callable[[Any], Tensor]) -> Tensor:
    """The mean of a loss over batches, each weighted by its examples.

    Raises:
        PreflightError: There is no batch.
    """
    if not batches:
        raise PreflightError("there is no batch to take the loss of\n  Pass a batch, or a list of at least one.")
    if len(batches) == 1:
        return loss(batches[0])
    sizes = [examples(batch) for batch in batches]
    weighted = [loss(batch) * (size / sum(sizes)) for batch, size in zip(batches, sizes, strict=True)]
    return torch.stack(weighted).sum()


def examples(batch: Any) -> int:
    """How many examples a batch has: the first dimension of its first tensor."""
    return next((tensor.shape[0] for tensor in tensors(batch) if tensor.ndim), 1)


def tensors(batch: Any) -> Iterator[Tensor]:
    """The tensors of a batch, however it is made up."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, (tuple, list, Mapping)):
        for part in batch.values() if isinstance(batch, Mapping) else batch:
            yield from tensors(part)


def is_one_number(loss: Any) -> TypeGuard[Tensor]:
    """Whether a loss function gave what can be made smaller."""
    return isinstance(loss, Tensor) and loss.numel() == 1


def described(loss: Any) -> str:
    """What a loss function gave, in words."""
    return f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"


def _told(batch: Any) -> str:
    kind = type(batch).__name__
    return f"{kind} of {len(batch)}" if isinstance(batch, (tuple, list)) else kind


def _checked(loss: Any) -> Tensor:
    if not is_one_number(loss):
        raise PreflightError(
            f"loss_fn gave {described(loss)}, and a loss is one number\n"
            "  Only that can be made smaller. Take the mean of it, or pick the loss out of what the model returns."
        )
    if not loss.requires_grad:
        enabled = "" if torch.is_grad_enabled() else " Gradients are switched off here (torch.no_grad)."
        raise PreflightError(
            f"the loss does not depend on any parameter that is trained{enabled}\n"
            "  No gradient can reach them: something on the way is detached, or every parameter is frozen."
        )
    return loss
