"""Which of several processes that train together this one is, by what their launcher has told it."""

from __future__ import annotations

import os

__all__ = ["apart", "rank", "ranks"]


def ranks() -> int:
    """How many processes train together; 1 of a training by itself."""
    return _told("WORLD_SIZE", 1)


def rank() -> int:
    """The place of this one among them; the first is 0."""
    return _told("RANK", 0) if ranks() > 1 else 0


def apart(name: str) -> str:
    """The name of a run, such that each process has a run of its own: the first has the plain one."""
    return f"{name}-rank{rank()}" if rank() else name


def _told(variable: str, otherwise: int) -> int:
    told = os.environ.get(variable, "")
    return int(told) if told.isdecimal() else otherwise
