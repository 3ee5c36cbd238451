"""The gradient itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from undertow.engine.algebras.base import Algebra, fitted
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.calculus import KERNELS, Rule
from undertow.engine.maps import LinearMap, Shape

__all__ = ["Gradient"]


class Gradient(Algebra[Tensor]):
    """Carries the cotangent: the derivative of the loss by the tensor at hand. Exact up to rounding."""

    @property
    def name(self) -> str:
        return "gradient"

    @property
    def takes_complex(self) -> bool:
        return True

    def seed(self, cotangent: Tensor) -> Tensor:
        return cotangent

    def pull(self, jacobian: LinearMap, cotangent: Tensor) -> Tensor:
        return jacobian.pull(cotangent)

    def through(
        self, node: Any, rule: Rule, cotangents: Sequence[Tensor | None], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None] | None:
        kernel = KERNELS.get(rule)
        if kernel is not None and cotangents[0] is not None:
            products = kernel(node, cotangents, wanted)
            if products is not None:
                return products
        return super().through(node, rule, cotangents, wanted)

    def add(self, left: Tensor, right: Tensor) -> Tensor:
        return left + right

    def fit(self, contribution: Tensor, shape: Shape, dtype: torch.dtype) -> Tensor:
        fits = contribution.shape == shape and contribution.dtype is dtype
        return contribution if fits else fitted(contribution, shape, dtype)

    def borrow(self, node: Any, cotangents: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        return vector_jacobian(node, cotangents)
