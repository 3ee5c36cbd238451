"""By which attribute a module reaches another that it has not registered."""

from __future__ import annotations

from torch import nn

__all__ = ["attribute_of"]


def attribute_of(parent: nn.Module | None, module: nn.Module) -> str:
    """By which attribute a module reaches one that it has not registered: empty if by none."""
    for name, value in vars(parent).items() if parent is not None else ():
        if isinstance(value, (list, tuple)):
            found = [f"{name}[{i}]" for i, item in enumerate(value) if item is module]
        elif isinstance(value, dict) and not name.startswith("_"):
            found = [f"{name}[{key!r}]" for key, item in value.items() if item is module]
        else:
            found = []
        if found:
            return found[0]
    return ""
