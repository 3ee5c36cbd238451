"""The trace of a symmetric operator, whole and by tensor, with its standard error."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from undertow.curvature.rows import signs, square, times
from undertow.errors import CurvatureError
from undertow.linear import Operator
from undertow.noise import Estimate

__all__ = ["Trace", "trace"]


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace.

    Attributes:
        whole: Of the operator.
        by_tensor: Of the block of each tensor of its space, by name, or by number where tensors have no names.
        products: How many products with the operator it took.
    """

    whole: Estimate
    by_tensor: Mapping[str, Estimate]
    products: int


def trace(operator: Operator, products: int = 48, *, seed: int = 0) -> Trace:
    """The trace, by random probes, two thirds of the products spent on taking out the largest part exactly (Hutch++).

    Args:
        operator: Symmetric, such as `undertow.hessian(loss, model)`.
        products: How many products to spend, at least 9. The error falls as 1 / `products` where the spectrum falls
            fast, as a network's does, and as 1 / √`products` otherwise.
        seed: Of the probes.

    Raises:
        CurvatureError: The operator is not square, there are too few products for an error, or one is not finite.

    Source:
        Meyer, Musco, Musco & Woodruff 2021, Hutch++: Optimal Stochastic Trace Estimation, arXiv:2010.09649.
    """
    square(operator)
    if products < 9:
        raise CurvatureError(f"products={products} leaves too few probes for an error\n  Take 9 or more.")
    generator = torch.Generator().manual_seed(seed)
    third = min(products // 3, operator.source.size)
    sketch = times(operator, signs(operator, third, generator))
    basis = torch.linalg.qr(sketch.T)[0].T  # (third, size): the directions that the operator mostly gives
    exact = basis * times(operator, basis)
    probes = signs(operator, third, generator)
    probes -= (probes @ basis.T) @ basis
    random = probes * times(operator, probes)
    names = operator.source.names or tuple(map(str, range(len(operator.source.shapes))))
    sizes = operator.source.sizes
    blocks = zip(names, exact.split(sizes, 1), random.split(sizes, 1), strict=True)
    return Trace(_estimate(exact, random), {name: _estimate(*block) for name, *block in blocks}, 3 * third)


def _estimate(exact: Tensor, random: Tensor) -> Estimate:
    each = random.sum(1)
    error = float(each.std()) / math.sqrt(len(each)) if len(each) > 1 else math.inf
    return Estimate(float(exact.sum() + each.mean()), error, max(len(each) - 1, 1))
