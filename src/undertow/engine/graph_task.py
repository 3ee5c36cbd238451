"""Running a sweep where PyTorch's own backward passes run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

__all__ = ["in_graph_task"]

T = TypeVar("T")


def in_graph_task(work: Callable[[], T]) -> T:
    """Call `work` from inside PyTorch's engine, without gradient mode, and return what it returns.

    Saved tensors that are recomputed (checkpointing) are then recomputed once a pass, as in
    `loss.backward()`, rather than once for each that is read.
    """
    results: list[T] = []
    ticket = torch.zeros((), requires_grad=True)
    ticket.register_hook(lambda _: results.append(work()))  # type: ignore[no-untyped-call]
    torch.autograd.backward(ticket)
    return results[0]
