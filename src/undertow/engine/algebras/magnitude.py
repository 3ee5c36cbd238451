"""The gradient as it would be if no two paths cancelled, and what rounding can do to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.linalg import vector_norm

from undertow.engine.algebras.base import Algebra, fitted
from undertow.engine.maps import LinearMap, Shape

__all__ = ["Bounds", "Magnitude"]


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """A gradient with what bounds it, entry by entry.

    Attributes:
        gradient: The gradient itself.
        magnitude: What it would be if no paths cancelled: the sum over paths of the size of what each brings.
        error: By how much the backward pass can have missed it, by rounding.
    """

    gradient: Tensor
    magnitude: Tensor
    error: Tensor

    @property
    def cancellation(self) -> float:
        """Norm of the gradient over norm of the magnitude: 1 where nothing cancelled, near 0 where nearly all did."""
        return _size(self.gradient) / size if (size := _size(self.magnitude)) else 1.0

    @property
    def relative_error(self) -> float:
        """Norm of the error's bound over norm of the gradient; infinite for a gradient of 0 that may be off."""
        size, error = _size(self.gradient), _size(self.error)
        return error / size if size else (float("inf") if error else 0.0)


def _size(tensor: Tensor) -> float:
    return float(vector_norm(tensor, dtype=torch.float64))


class Magnitude(Algebra[Bounds]):
    """The gradient, the gradient if no two paths cancelled, and a bound on its rounding error.

    ## What it means
    A gradient is a sum over all paths from the loss, and each path's contribution is a product of matrix entries.
    The *magnitude* adds up the absolute values of the contributions: cotangents go through the modulus of each map
    (every entry replaced by its absolute value). `cancellation` is the norm of the gradient over that of the
    magnitude. Where it is small, the gradient is a small difference of large contributions: a sum over examples
    that disagree, for instance, or one that rounding spoils.

    The *error* bounds, entry by entry, what rounding in the backward pass can have done to the gradient. At each
    operation with n roundings behind an entry, it is γ(n) times what the modulus makes of the cotangent's size, with
    γ(n) = n u / (1 - n u) and u the unit roundoff (6e-8 in float32); and it travels on through the moduli, as
    Linnainmaa let the effect of each rounding error travel. Compared with the gradient it says how many digits hold.

    ## How it errs
    Upward only, both. The magnitude is the sum over paths through the operations of the graph; inside a
    normalisation it counts the paths over mean and variance as paths. The error's bound takes all roundings to be
    as large as they can and to point the same way, and no path to cancel: on a net of four layers it was thousands of
    times too large, and with every layer more it grows as the magnitude does, until it says nothing (millions of
    times and more from ten layers on), see the figures in `benchmarks/algebras.md`. It takes the local derivatives
    as they are: what rounding did to
    the forward pass, and so to them, is not in it, nor is underflow (ask `Scaled`). It is had in the dtype of the
    gradient, and is off itself by a part in some thousands. In float16 and bfloat16 the roundings of long sums
    exceed 1 / u, and the bound is infinite.

    ## What it needs
    A rule for each operation on the way: nothing can be borrowed. Real dtypes. Three to twelve times the time of a
    gradient.

    ## Source
    S. Linnainmaa 1976, Taylor expansion of the accumulated rounding error, BIT 16, 146–160; γ(n) as in N. Higham
    2002, Accuracy and Stability of Numerical Algorithms, section 3.1."""

    @property
    def name(self) -> str:
        return "magnitude"

    @property
    def takes_complex(self) -> bool:
        return False

    def seed(self, cotangent: Tensor) -> Bounds:
        return Bounds(cotangent, cotangent.abs(), torch.zeros_like(cotangent))

    def pull(self, jacobian: LinearMap, cotangent: Bounds) -> Bounds:
        modulus, roundings, _ = jacobian.rounding()
        made = gamma(roundings, cotangent.gradient.dtype) * cotangent.gradient.abs()
        return Bounds(
            jacobian.pull(cotangent.gradient),
            jacobian.modulus().pull(cotangent.magnitude),
            modulus.pull(cotangent.error + made),
        )

    def add(self, left: Bounds, right: Bounds) -> Bounds:
        total = left.gradient + right.gradient
        made = gamma(1, total.dtype) * total.abs()
        return Bounds(total, left.magnitude + right.magnitude, left.error + right.error + made)

    def fit(self, contribution: Bounds, shape: Shape, dtype: torch.dtype) -> Bounds:
        present = contribution.gradient
        if present.shape == torch.Size(shape) and present.dtype is dtype:
            return contribution
        terms = present.numel() // max(torch.Size(shape).numel(), 1)
        made = contribution.error + gamma(terms, present.dtype) * present.abs()
        if torch.finfo(dtype).eps > torch.finfo(present.dtype).eps:
            made += gamma(1, dtype) * present.abs()
        parts = present, contribution.magnitude, made
        return Bounds(*[fitted(part, shape, dtype) for part in parts])

    def borrow(self, node: Any, cotangents: list[Bounds | None]) -> None:  # noqa: ARG002
        return None


def gamma(roundings: int, dtype: torch.dtype) -> float:
    """By how much so many roundings can change a term, relative to it."""
    share = roundings * torch.finfo(dtype).eps / 2
    return share / (1 - share) if share < 1 else float("inf")
