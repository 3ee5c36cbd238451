"""The spectrum of a symmetric operator as a density, by Lanczos from random starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertow.curvature.rows import signs, square, times
from undertow.linear import Operator

__all__ = ["Density", "density"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """How many of the eigenvalues lie where.

    Attributes:
        nodes: For each start, the Ritz values: (starts, steps).
        weights: For each start, the share of the spectrum that each stands for; they sum to 1.
        size: How many eigenvalues there are.
        products: How many products with the operator it took.
    """

    nodes: Floats
    weights: Floats
    size: int
    products: int

    def share_below(self, value: float) -> tuple[float, float]:
        """The share of eigenvalues below a value, with its standard error over the starts."""
        return _mean((self.weights * (self.nodes < value)).sum(1))

    def moment(self, power: int) -> tuple[float, float]:
        """The mean of the eigenvalues to a power, with its standard error; the first is the trace over the size."""
        return _mean((self.weights * self.nodes**power).sum(1))

    def curve(self, points: int = 400, width: float = 0.01) -> tuple[Floats, Floats, Floats]:
        """Places, the density there, and its standard error, each Ritz value smeared to a bell.

        Args:
            points: How many places, evenly over the range.
            width: The standard deviation of the bell, as a part of the range.
        """
        low, high = float(self.nodes.min()), float(self.nodes.max())
        spread = (high - low or abs(high) or 1.0) * width
        places = np.linspace(low - 5 * spread, high + 5 * spread, points)
        bells = np.exp(-0.5 * ((places - self.nodes[..., None]) / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
        each = (self.weights[..., None] * bells).sum(1)
        return places, each.mean(0), each.std(0, ddof=1) / math.sqrt(len(each))


def density(operator: Operator, steps: int = 30, starts: int = 4, *, seed: int = 0) -> Density:
    """The spectral density, by stochastic Lanczos quadrature.

    Args:
        operator: Symmetric, such as `undertow.hessian(loss, model)`.
        steps: Lanczos steps from each start; moments up to twice as high come out exact but for the random starts.
        starts: Random starts, at least 2.
        seed: Of the starts.

    Raises:
        CurvatureError: The operator is not square, or a product is not finite.
        ValueError: There is only one start, which would give no error.

    Source:
        Golub & Welsch 1969; Ubaru, Chen & Saad 2017, Fast estimation of tr(f(A)) via stochastic Lanczos quadrature;
        Ghorbani, Krishnan & Xiao 2019, arXiv:1901.10159.
    """
    square(operator)
    if starts < 2:
        raise ValueError(f"starts={starts}: an error needs 2 or more")
    steps = min(steps, operator.source.size)
    begun = signs(operator, starts, torch.Generator().manual_seed(seed)) / math.sqrt(operator.source.size)
    diagonals, besides = _lanczos(operator, begun, steps)
    nodes, weights = zip(*[_quadrature(d, b) for d, b in zip(diagonals, besides, strict=True)], strict=True)
    return Density(np.stack(nodes), np.stack(weights), operator.source.size, steps * starts)


def _lanczos(operator: Operator, begun: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """The tridiagonal matrices of all starts, each vector made orthogonal to all before it, twice."""
    vectors = [begun]
    diagonals, besides = [], []
    for step in range(steps):
        answer = times(operator, vectors[-1])
        diagonals.append((answer * vectors[-1]).sum(1))
        known = torch.stack(vectors, 1)  # (starts, steps so far, size)
        for _ in range(2):
            answer = answer - torch.einsum("sk,skn->sn", torch.einsum("skn,sn->sk", known, answer), known)
        norm = torch.linalg.vector_norm(answer, dim=1)
        if step + 1 < steps:
            besides.append(norm)
            vectors.append(answer / norm.clamp_min(1e-300)[:, None])
    return torch.stack(diagonals, 1), torch.stack(besides, 1) if besides else torch.zeros(len(begun), 0)


def _quadrature(diagonal: Tensor, beside: Tensor) -> tuple[Floats, Floats]:
    """Where the eigenvalues of a tridiagonal matrix lie, and the squares of their vectors' first entries."""
    whole = torch.diag(diagonal) + torch.diag(beside, 1) + torch.diag(beside, -1)
    values, vectors = torch.linalg.eigh(whole)
    return values.numpy(), vectors[0].square().numpy()


def _mean(each: Floats) -> tuple[float, float]:
    return float(each.mean()), float(each.std(ddof=1) / math.sqrt(len(each)))
