"""What an operation saved, read once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from torch import Tensor

__all__ = ["RAW", "Saved", "held_by", "saves_input", "saves_output"]

RAW = "_raw_saved_"


class Saved:
    """What a node saved, read once and without its history, and the node itself for everything else.

    With history, a saved tensor would keep the graph alive, and PyTorch would lay out anew what it is multiplied with.
    """

    def __init__(self, node: Any, *, all_of_it: bool):
        self.node = node
        kind: Any = type(node)
        for name in _saved_by(kind) if all_of_it else ():
            getattr(self, name)

    def __getattr__(self, name: str) -> Any:
        value = _without_history(getattr(self.node, name))
        if "saved" in name:
            setattr(self, name, value)
        return value

    def __call__(self, *cotangents: Tensor) -> Any:
        return self.node(*cotangents)


@lru_cache(maxsize=512)
def held_by(kind: Any) -> list[str]:
    """The attributes under which a type of node holds the tensors that it saved."""
    return [name for name in dir(kind) if name.startswith(RAW)]


def saves_output(kind: Any) -> bool:
    """Whether a type of node may hold what it computed."""
    return any(name.startswith(RAW + "result") for name in held_by(kind))


def saves_input(kind: Any) -> bool:
    """Whether a type of node may hold what it was given."""
    return any(not name.startswith(RAW + "result") for name in held_by(kind))


@lru_cache(maxsize=512)
def _saved_by(kind: Any) -> list[str]:
    """What a node of some type saved, without the sizes and strides, which it keeps when it lets go of the rest."""
    return [name for name in dir(kind) if name.startswith("_saved_") and "_sym_" not in name]


def _without_history(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if type(value) is tuple and value and type(value[0]) is not int:
        return tuple(map(_without_history, value))
    return value
