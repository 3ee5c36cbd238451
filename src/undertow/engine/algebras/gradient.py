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
    """The gradient: the derivative of the loss by the tensor at hand.

    ## What it means
    The cotangent of a tensor says by how much the loss changes, to first order, when an entry of the tensor does. It is
    the sum over all paths from the loss of the products of the local derivatives along them. `undertow.backward`
    accumulates it into `.grad` and tells how much came by which way.

    ## How it errs
    By rounding, as `loss.backward()` does: with borrowed derivatives to the last bit as PyTorch, with our own rules
    in another order of sums. How far that can be off, `Magnitude` bounds. Below the smallest number of its dtype it
    is 0, which `Scaled` tells from a true zero. At a kink (of a rectifier at 0, of a maximum between equals) it
    takes the value that PyTorch takes.

    ## What it needs
    Nothing: operations without a rule are borrowed. Real or complex dtypes.

    ## Source
    S. Linnainmaa 1970, The representation of the cumulative rounding error of an algorithm as a Taylor expansion of
    the local rounding errors, master's thesis, University of Helsinki; Griewank & Walther 2008, Evaluating
    Derivatives, 2nd edition, chapter 3.
    """

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
