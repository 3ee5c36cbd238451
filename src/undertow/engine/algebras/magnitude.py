"""The gradient as it would be if no two paths cancelled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.algebras.base import Algebra, fitted
from undertow.engine.borrowed import refuse
from undertow.engine.calculus import CALCULUS
from undertow.engine.maps import LinearMap, Shape

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

    def fit(self, contribution: Tensor, shape: Shape, dtype: torch.dtype) -> Tensor:
        return fitted(contribution, shape, dtype)

    def borrow(self, node: Any, cotangents: list[Tensor | None]) -> tuple[Tensor | None, ...]:  # noqa: ARG002
        refuse(node, "magnitude", CALCULUS)
