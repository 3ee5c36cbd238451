"""The spectrum of a symmetric operator as a density, by Lanczos from random starts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertow.curvature.krylov import lanczos
from undertow.curvature.rows import signs, square, times
from undertow.linear import Operator
from undertow.shown import Shown

__all__ = ["Density", "density"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Density(Shown):
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
    nodes, weights = zip(*[_quadrature(operator, start, steps) for start in begun], strict=True)
    return Density(np.stack(nodes), np.stack(weights), operator.source.size, steps * starts)


def _quadrature(operator: Operator, start: Tensor, steps: int) -> tuple[Floats, Floats]:
    """The eigenvalues within the space of a start's products, and how much of the start, squared, lies along each."""
    *_, ritz = lanczos(lambda vector: times(operator, vector[None])[0], start, steps)
    return ritz.values.numpy(), ritz.mixes[0].square().numpy()


def _mean(each: Floats) -> tuple[float, float]:
    return float(each.mean()), float(each.std(ddof=1) / math.sqrt(len(each)))
