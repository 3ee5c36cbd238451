"""The strongest path, in place of the sum over all paths."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.algebras.base import Algebra
from undertow.engine.maps import LinearMap, Shape
from undertow.engine.maps.strongest import greatest_to_size

__all__ = ["MaxProduct"]


class MaxProduct(Algebra[Tensor]):
    """For each entry, the size of what the strongest single path from the loss brings.

    ## What it means
    A gradient is a sum over all paths from the loss, through single entries of the tensors on the way: this unit of
    this token, by this weight, to that unit. A path brings the product of the matrix entries along it. The gradient
    adds these up; this algebra keeps the largest by absolute value, through matrix products, convolutions,
    attention and pooling entry by entry. `undertow.strongest_path` names the path itself. Where one path brings
    most of the magnitude, the gradient there hangs on a single entry of a single example; where the strongest
    brings a millionth, it is made of many.

    ## How it errs
    It is exact up to rounding for paths through the operations as the graph has them. Inside a normalisation, the
    ways through an entry itself, through the mean and through the variance count as paths of their own. A product
    of many small factors can underflow, which `Scaled(MaxProduct())` prevents. It is no estimate of the gradient:
    it is never more than `Magnitude`, but can be more than the gradient, where paths cancel, and far less.

    ## What it needs
    A rule for each operation on the way: nothing can be borrowed. Real dtypes. Little more memory than a gradient;
    time as for matrix products without a fast kernel, see the figures in `benchmarks/algebras.md`.

    ## Source
    The max-product semiring of Goodman 1999, Semiring Parsing, Computational Linguistics 25(4); over backpropagation
    in Du, Torroba Hennigen, Stoehr, Warstadt & Cotterell 2023, Generalizing Backpropagation for Gradient-Based
    Interpretability, ACL, arXiv:2307.03056, where matrix products stayed ordinary sums.
    """

    @property
    def name(self) -> str:
        return "max-product"

    @property
    def takes_complex(self) -> bool:
        return False

    def seed(self, cotangent: Tensor) -> Tensor:
        return cotangent.abs()

    def pull(self, jacobian: LinearMap, cotangent: Tensor) -> Tensor:
        return jacobian.strongest(cotangent)

    def add(self, left: Tensor, right: Tensor) -> Tensor:
        return torch.maximum(left, right)

    def fit(self, contribution: Tensor, shape: Shape, dtype: torch.dtype) -> Tensor:
        return greatest_to_size(contribution, shape).to(dtype)

    def borrow(self, node: Any, cotangents: list[Tensor | None]) -> None:  # noqa: ARG002
        return None
