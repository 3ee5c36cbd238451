"""The one table of local derivatives, and how to write in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from undertow.engine.calculus.kernels import Kernel
from undertow.engine.calculus.node import is_complex
from undertow.engine.maps import Diagonal, LinearMap, Mask
from undertow.errors import RegistryError

__all__ = [
    "CALCULUS",
    "KEEPS",
    "KERNELS",
    "Keeps",
    "Local",
    "Rule",
    "derivative",
    "elementwise",
    "everywhere",
    "masked",
    "pulled_by",
]

Local = Sequence[LinearMap | tuple[LinearMap | None, ...] | None]
"""One entry per input of the operation: its map to the output (a tuple of maps where there are several
outputs), or `None` where nothing flows."""

Rule = Callable[[Any], Local | None]
"""Reads a node's saved tensors and states its local derivative; answers `None` where it cannot, and then
the derivative is borrowed."""

CALCULUS: dict[str, Rule] = {}

KERNELS: dict[Rule, Kernel] = {}
"""For some rules, what gives the same products faster than the maps do that the rule states."""


Keeps = Callable[[Any, int], Sequence[int]]
"""Of a node and a dimension of its output: which dimension it is of the first inputs, as far as it is one of them, and
no entry of theirs is sent anything by what stands elsewhere along it."""

KEEPS: dict[Rule, Keeps] = {}
"""For some rules that have a kernel, to which inputs it keeps the examples of a batch apart."""


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


def pulled_by(kernel: Kernel, keeps: Keeps | None = None) -> Callable[[Rule], Rule]:
    """Let the gradient be computed by a kernel wherever the decorated rule is used.

    Where it `keeps` the examples of a batch apart, their gradients are computed by it too.

    Raises:
        RegistryError: The rule has a kernel already.
    """

    def remember(rule: Rule) -> Rule:
        if rule in KERNELS:
            raise RegistryError(f"{rule} has a kernel already\n  Change that kernel, or state another rule.")
        KERNELS[rule] = kernel
        if keeps is not None:
            KEEPS[rule] = keeps
        return rule

    return remember


def elementwise(name: str, slope: Callable[[Any], Tensor], kernel: Kernel | None = None) -> None:
    """State the local derivative of an operation that acts entry by entry, by its slope there.

    Slopes are those of real functions: over complex numbers the derivative is borrowed.
    """

    def rule(node: Any) -> Local | None:
        return None if is_complex(node) else (Diagonal(slope(node)),)

    _enter(name, rule)
    if kernel is not None:
        pulled_by(kernel, everywhere)(rule)


def masked(name: str, kept: Callable[[Any], Tensor], kernel: Kernel | None = None) -> None:
    """State the local derivative of an operation that passes some entries on and holds the others."""

    def rule(node: Any) -> Local | None:
        return (Mask(kept(node)),)

    _enter(name, rule)
    if kernel is not None:
        pulled_by(kernel, everywhere)(rule)


def everywhere(_: Any, dim: int) -> Sequence[int]:
    """Entry by entry, in the one input there is."""
    return (dim,)


def _enter(name: str, rule: Rule) -> None:
    if not isinstance(name, str) or ("Backward" not in name and name != "CopySlices"):
        raise RegistryError(f"{name!r} is not the name of a node type\n  Names look like 'MmBackward0'.")
    if name in CALCULUS:
        raise RegistryError(f"{name} has a derivative rule already\n  Change that rule, or choose another name.")
    CALCULUS[name] = rule
