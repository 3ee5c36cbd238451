"""A symmetric operator seen from within the space that its products with one vector span."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Ritz", "lanczos"]

CLOSED = 100
"""Units of rounding, of the spectrum's width: a vector no longer than that is none, and the space is closed."""

ELSEWHERE = 0x5EED
"""Seed of vectors that go on from a closed space: none that a start would be drawn with, or they would be in it."""

LEFT = 0.7
"""A vector that keeps less of its length when it is made orthogonal to others is not yet, by rounding: once more."""


@dataclass(frozen=True)
class Ritz:
    """The operator's eigenpairs within a space.

    Attributes:
        values: In ascending order, float64.
        errors: The norm of (H - value) v of each.
        basis: Orthonormal rows that span the space, shape (steps, size).
        mixes: Each eigenvector in terms of the basis, a column each.
    """

    values: Tensor
    errors: Tensor
    basis: Tensor
    mixes: Tensor

    @property
    def spread(self) -> float:
        """How wide the spectrum is, zero included."""
        return max(float(self.values[-1]), 0.0) - min(float(self.values[0]), 0.0)

    def vector(self, place: int) -> Tensor:
        """An eigenvector, of norm 1."""
        return self.mixes[:, place].to(self.basis.dtype) @ self.basis


def lanczos(product: Callable[[Tensor], Tensor], begun: Tensor, most: int) -> Iterator[Ritz]:
    """The eigenpairs within the space of one product, of two, and so on: those at either end come right first.

    Each vector is made orthogonal to all before it. Where the space is closed under the operator, it is gone on with
    from another vector at random, so that the rest of the spectrum is seen as well.

    Args:
        product: With a vector like `begun`; may give its own memory away.
        begun: The vector it starts from; all others have its dtype.
        most: Dimensions of the last space.
    """
    chance = torch.Generator().manual_seed(ELSEWHERE)
    basis = begun.new_empty(most, len(begun))
    diagonal, beside = torch.zeros(most, dtype=torch.float64), torch.zeros(most, dtype=torch.float64)
    following, length = begun, _norm(begun)
    for step in range(most):
        torch.div(following, length, out=basis[step])
        following, along, length = _orthogonal(product(basis[step]), basis[: step + 1])
        diagonal[step], beside[step] = along[step], length
        matrix = torch.diag(diagonal[: step + 1]) + torch.diag(beside[:step], 1) + torch.diag(beside[:step], -1)
        values, mixes = torch.linalg.eigh(matrix)
        if length <= CLOSED * torch.finfo(begun.dtype).eps * float(values.abs().max()):
            beside[step] = 0.0
            drawn = torch.randn(len(begun), generator=chance, dtype=begun.dtype)
            following, _, length = _orthogonal(drawn, basis[: step + 1])
        yield Ritz(values, beside[step] * mixes[-1].abs(), basis[: step + 1], mixes)


def _orthogonal(vector: Tensor, basis: Tensor) -> tuple[Tensor, Tensor, float]:
    """What of a vector is orthogonal to all rows, how far it went along each of them, and its norm after that."""
    along, before = basis.new_zeros(len(basis)), math.inf
    after = _norm(vector)
    while after < LEFT * before:
        before = after
        more = basis @ vector
        vector.addmv_(basis.T, more, alpha=-1)
        along, after = along + more, _norm(vector)
    return vector, along, after


def _norm(vector: Tensor) -> float:
    return float(torch.linalg.vector_norm(vector))
