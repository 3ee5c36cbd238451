"""The one table of local derivatives, and how to write in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from undertow.engine.maps import Diagonal, LinearMap, Mask
from undertow.errors import RegistryError

__all__ = ["CALCULUS", "Local", "Rule", "derivative", "elementwise", "masked"]

Local = Sequence[LinearMap | tuple[LinearMap | None, ...] | None]
"""One entry per input of the operation: its map to the output (a tuple of maps where there are several
outputs), or `None` where nothing flows."""

Rule = Callable[[Any], Local | None]
"""Reads a node's saved tensors and states its local derivative; answers `None` where it cannot, and then
the derivative is borrowed."""

CALCULUS: dict[str, Rule] = {}


def derivative(*names: str) -> Callable[[Rule], Rule]:
    """State the local derivative of node types, such as `MmBackward0`.

    The decorated function takes the node and returns one linear map per input, in order: from that
    input's space to the output's. `None` where the operation has no derivative for an input.

    Raises:
        RegistryError: A name is no node type's, or has a rule already.
    """

    def write(rule: Rule) -> Rule:
        for name in names:
            _enter(name, rule)
        return rule

    return write


def elementwise(name: str, slope: Callable[[Any], Tensor]) -> None:
    """State the local derivative of an operation that acts entry by entry, by its slope there.

    Slopes are those of real functions: over complex numbers the derivative is borrowed.
    """

    def rule(node: Any) -> Local | None:
        return None if _is_complex(node) else (Diagonal(slope(node)),)

    _enter(name, rule)


def masked(name: str, kept: Callable[[Any], Tensor]) -> None:
    """State the local derivative of an operation that passes some entries on and holds the others."""
    _enter(name, lambda node: (Mask(kept(node)),))


def _is_complex(node: Any) -> bool:
    receiver, slot = node.next_functions[0]
    return bool(node._input_metadata[0].dtype.is_complex or receiver._input_metadata[slot].dtype.is_complex)


def _enter(name: str, rule: Rule) -> None:
    if not isinstance(name, str) or "Backward" not in name:
        raise RegistryError(f"{name!r} is not the name of a node type\n  Names look like 'MmBackward0'.")
    if name in CALCULUS:
        raise RegistryError(f"{name} has a derivative rule already\n  Change that rule, or choose another name.")
    CALCULUS[name] = rule
