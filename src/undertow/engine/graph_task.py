"""Running a sweep where PyTorch's own backward passes run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import torch

__all__ = ["in_graph_task"]

T = TypeVar("T")

ONE = torch.ones((), device="cpu")


class Ticket(threading.local):
    """What a thread hands to PyTorch's engine to be called back by it; made once, since that takes a while."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.leaf = torch.zeros((), device="cpu", requires_grad=True)
        waiting = self.waiting
        # By the list and not by the ticket: deep nesting lets PyTorch go on in another thread, which has its own.
        self.leaf.register_hook(lambda _: waiting.pop()())


TICKET = Ticket()


def in_graph_task(work: Callable[[], T]) -> T:
    """Call `work` from inside PyTorch's engine, without gradient mode, and return what it returns.

    Saved tensors that are recomputed (checkpointing) are then recomputed once a pass, as in
    `loss.backward()`, rather than once for each that is read.
    """
    results: list[T] = []
    depth = len(TICKET.waiting)
    TICKET.waiting.append(lambda: results.append(work()))
    # What torch.autograd.backward calls after it has looked at its arguments, which takes longer than the call.
    # Not for these inputs only: nodes that are called within would then have nothing to compute.
    engine: Any = torch.autograd.Variable._execution_engine
    try:
        engine.run_backward((TICKET.leaf,), (ONE,), False, False, (), allow_unreachable=True, accumulate_grad=True)
    finally:
        del TICKET.waiting[depth:]
    return results[0]
