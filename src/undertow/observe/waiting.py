"""Optimizers that were made, and have not stepped yet."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import chain
from typing import Any

from torch.optim import Optimizer

from undertow.observe.roster import Roster

__all__ = ["waiting"]


def waiting(roster: Roster) -> Iterator[dict[str, Any]]:
    """Of each optimizer without a step: its kind, and what it holds of the called parameters that no other moves."""
    loose = {id(p): p for p in roster.called_parameters() if p.requires_grad and not roster.held(p)}
    for optimizer in _unstepped() if loose else ():
        held = chain.from_iterable(group["params"] for group in optimizer.param_groups)
        names = [roster.name_of(p) for p in held if id(p) in loose]
        if names:
            yield {"optimizer": type(optimizer).__name__, "parameters": names}


def _unstepped() -> Iterator[Optimizer]:
    """Those that exist and keep no state: one that has stepped before, unobserved, mostly does."""
    for thing in gc.get_objects():
        if issubclass(type(thing), Optimizer) and not getattr(thing, "state", True):
            yield thing
