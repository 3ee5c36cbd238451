"""Running a sweep where PyTorch's own backward passes run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["in_graph_task"]

T = TypeVar("T")


def in_graph_task(work: Callable[[], T]) -> T:
    """Call `work` from inside PyTorch's engine, without gradient mode, and return what it returns.

    Saved tensors that are recomputed (checkpointing) are then recomputed once a pass, as in
    `loss.backward()`, rather than once for each that is read.
    """
    results: list[T] = []
    ticket = torch.zeros((), requires_grad=True)
    torch.autograd.backward(_Visit.apply(ticket, lambda: results.append(work())))
    return results[0]


class _Visit(torch.autograd.Function):
    """An operation whose backward pass is somebody's work."""

    @staticmethod
    def forward(ctx: Any, ticket: Tensor, work: Callable[[], None]) -> Tensor:
        ctx.work = work
        return ticket.new_zeros(())

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, None]:
        ctx.work()
        return None, None
