"""Running a sweep where PyTorch's own backward passes run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch

__all__ = ["in_graph_task"]

T = TypeVar("T")

ONE = torch.ones(())


def in_graph_task(work: Callable[[], T]) -> T:
    """Call `work` from inside PyTorch's engine, without gradient mode, and return what it returns.

    Saved tensors that are recomputed (checkpointing) are then recomputed once a pass, as in
    `loss.backward()`, rather than once for each that is read.
    """
    results: list[T] = []
    ticket = torch.zeros((), requires_grad=True)
    ticket.register_hook(lambda _: results.append(work()))
    # What torch.autograd.backward calls after it has looked at its arguments, which takes longer than the call.
    engine: Any = torch.autograd.Variable._execution_engine
    engine.run_backward((ticket,), (ONE,), False, False, (), allow_unreachable=True, accumulate_grad=True)
    return results[0]
