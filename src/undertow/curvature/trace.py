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
from undertow.shown import Shown

__all__ = ["Trace", "estimate", "trace"]

WORTH_IT = 1 / 3
"""Left of the squared norm by the sketch: then a third of the probes varies as little as all would without it."""


@dataclass(frozen=True, slots=True)
class Trace(Shown):
    """A trace.

    Attributes:
        whole: Of the operator.
        by_tensor: Of the block of each tensor of its space, by name, or by number where tensors have no names.
        products: How many products with the operator, or sweeps that cost no more, it took.
        how: In words, which way was taken.
    """

    whole: Estimate
    by_tensor: Mapping[str, Estimate]
    products: int
    how: str

    def __str__(self) -> str:
        return f"{self.whole} ({self.how})"


def trace(operator: Operator, products: int = 48, *, seed: int = 0) -> Trace:
    """The trace, by random probes.

    A third of the products shows how much of the operator lies in few directions. Where enough of it does, a second
    third takes these out exactly (Hutch++), and the error falls as 1 / `products`. Otherwise all are probes, and it
    falls as 1 / √`products`.

    Args:
        operator: Symmetric, such as `undertow.hessian(loss, model)`.
        products: How many products to spend, at least 9.
        seed: Of the probes.

    Raises:
        CurvatureError: The operator is not square, there are too few products for an error, or one is not finite.

    Source:
        Hutchinson 1990; Meyer, Musco, Musco & Woodruff 2021, Hutch++: Optimal Stochastic Trace Estimation,
        arXiv:2010.09649.
    """
    square(operator)
    if products < 9:
        raise CurvatureError(f"products={products} leaves too few probes for an error\n  Take 9 or more.")
    generator = torch.Generator().manual_seed(seed)
    third = min(products // 3, operator.source.size)
    probes = signs(operator, third, generator)
    sketch = times(operator, probes)
    spanned, upper = torch.linalg.qr(sketch.T)
    if _left_over(sketch, upper) < WORTH_IT:
        exact, random = _deflated(operator, spanned.T, generator)
    else:
        more = signs(operator, products - third, generator)
        exact = probes[:0]
        random = torch.cat([probes * sketch, more * times(operator, more)])
    names = operator.source.names or tuple(map(str, range(len(operator.source.shapes))))
    sizes = operator.source.sizes
    blocks = zip(names, exact.split(sizes, 1), random.split(sizes, 1), strict=True)
    spent = len(exact) + len(random) + (third if len(exact) else 0)
    how = f"by {len(random)} random probes" + (f" beside {len(exact)} directions" if len(exact) else "")
    return Trace(estimate(exact, random), {name: estimate(*block) for name, *block in blocks}, spent, how)


def _left_over(sketch: Tensor, upper: Tensor) -> float:
    """The share of the operator's squared norm that its products with some probes leave to that with another.

    The distance of a column from the span of the others is one over the norm of a row of the inverse of R, `upper`.
    """
    total = sketch.square().sum(1)
    if not bool(total.all()) or float(upper.diagonal().abs().min()) <= 1e-12 * float(upper.diagonal().abs().max()):
        return 0.0
    rows = torch.linalg.solve_triangular(upper, torch.eye(len(upper), dtype=upper.dtype), upper=True)
    return float(rows.square().sum(1).reciprocal().sum() / total.sum())


def _deflated(operator: Operator, basis: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Entry by entry, what the directions of a basis, (count, size), hold of the trace, and what probes find beside."""
    probes = signs(operator, len(basis), generator)
    probes -= (probes @ basis.T) @ basis
    return basis * times(operator, basis), probes * times(operator, probes)


def estimate(exact: Tensor, random: Tensor) -> Estimate:
    """From entries that are summed, and rows of entries each of whose sums is one try."""
    each = random.sum(1)
    error = float(each.std()) / math.sqrt(len(each)) if len(each) > 1 else math.inf
    return Estimate(float(exact.sum() + each.mean()), error, max(len(each) - 1, 1))
