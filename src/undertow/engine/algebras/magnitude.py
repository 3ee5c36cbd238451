"""The gradient as it would be if no two paths cancelled."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from torch import Tensor

from undertow.engine.algebras.base import Algebra, fitted
from undertow.engine.calculus import CALCULUS
from undertow.engine.maps import LinearMap
from undertow.errors import MissingRuleError

__all__ = ["Magnitude"]


class Magnitude(Algebra[Tensor]):
    """Carries cotangents through the moduli of the maps: for each entry, an upper bound on the gradient's size.

    It errs upward only. Divided by the gradient's own size it says how much of it cancelled between paths.
    """

    def seed(self, cotangent: Tensor) -> Tensor:
        return cotangent.abs()

    def pull(self, jacobian: LinearMap, cotangent: Tensor) -> Tensor:
        return jacobian.modulus().pull(cotangent)

    def add(self, left: Tensor, right: Tensor) -> Tensor:
        return left + right

    def fit(self, contribution: Tensor, receiver: Any) -> Tensor:
        return fitted(contribution, receiver)

    def borrow(self, node: Any, cotangents: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        name = type(node).__name__
        near = ", ".join(get_close_matches(name, CALCULUS, cutoff=0.5)) or "none"
        raise MissingRuleError(
            f"no derivative rule for {name}\n"
            "  A cotangent reached this operation, so the magnitude sweep behind it would be wrong.\n"
            f'  Declare one with @undertow.derivative("{name}"), or use the gradient algebra,\n'
            "  which borrows PyTorch's own derivative for this operation.\n"
            f"  Nearest operations that have a rule: {near}."
        )
