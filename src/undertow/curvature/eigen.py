"""The extreme eigenvalues of a symmetric operator, each with a bound on its error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertow.curvature.krylov import Ritz, lanczos
from undertow.curvature.rows import square, times
from undertow.errors import CurvatureError
from undertow.linear import Operator
from undertow.linear.space import Point
from undertow.shown import Shown

__all__ = ["Eigen", "Eigenpair", "Start", "eigen"]

Ends = Literal["largest", "smallest", "both"]
TOLERANCE = 1e-3
"""Of the vector, relative to the spread of the spectrum; the eigenvalue is off by about its square."""

LARGEST = 48
"""Dimensions of the space in which all ends are sought at once, if memory allows."""

MEMORY = 1 << 30
"""Bytes that its vectors may take."""

STRAY = 0.1
"""Of the length of a point that is begun near: added at random, so that no direction is left out."""

LOOSE = 0.1
"""The same for an eigenvalue that only serves to find others."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where Lanczos begins.

    Attributes:
        seed: Of what is at random in it.
        near: A point of the operator's source that leans to the eigenvectors that are sought, as the gradient does to
            those of the largest eigenvalues (Gur-Ari, Roberts & Dyer 2018, arXiv:1812.04754). It saves products;
            something at random is added, lest it miss one. Where it is left out, all is at random.
    """

    seed: int = 0
    near: Point | None = field(default=None, repr=False)


FROM_ANYWHERE = Start()


@dataclass(frozen=True, slots=True)
class Eigenpair:
    """An eigenvalue with its vector.

    Attributes:
        value: In units of the loss over the square of the parameters.
        error: The norm of (H - value) v, and what rounding adds: an eigenvalue lies within so much of `value`.
        vector: Of norm 1, arranged as the operator's source is.
    """

    value: float
    error: float
    vector: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Eigen(Shown):
    """Extreme eigenvalues, in descending order.

    Attributes:
        pairs: The eigenvalues with their vectors.
        products: How many products with the operator they took.
    """

    pairs: Sequence[Eigenpair]
    products: int

    @property
    def largest(self) -> Eigenpair:
        return self.pairs[0]

    @property
    def smallest(self) -> Eigenpair:
        return self.pairs[-1]


def eigen(
    operator: Operator,
    count: int = 1,
    ends: Ends = "largest",
    *,
    tolerance: float = TOLERANCE,
    start: Start = FROM_ANYWHERE,
) -> Eigen:
    """The extreme eigenvalues of a symmetric operator, by Lanczos over our products.

    All ends are sought in the space of one start's products. Where that becomes too large before they are right,
    SciPy's Lanczos with restarts takes its place.

    Args:
        operator: Symmetric, such as `undertow.hessian(loss, model)`.
        count: How many; for `both` ends, half of them from each.
        ends: The algebraically largest, the smallest, or both.
        tolerance: Of the vectors, relative to the spread of the spectrum, at which to stop. Eigenvalues are off by
            about its square; the error told with each is a bound, and much larger.
        start: Where the first product is made.

    Raises:
        SpaceError: The point to begin near does not fit the operator.
        CurvatureError: The operator is not square, has fewer than `count` + 2 dimensions, gives numbers that are not
            finite, or did not converge.

    Source:
        Parlett 1980, The Symmetric Eigenvalue Problem; Lehoucq, Sorensen & Yang 1998, ARPACK Users' Guide; the bound
        of the error is Weyl's, for symmetric operators.
    """
    square(operator)
    if operator.source.size <= count + 1:
        return _of_all(operator, count, ends)
    upper = {"largest": count, "smallest": 0, "both": max(1, count - count // 2)}[ends]
    lower = {"largest": 0, "smallest": count, "both": max(1, count // 2)}[ends]
    counted = _Counted(operator)
    pairs = _within_one_space(counted, lower, upper, tolerance, _begun(operator, start))
    if pairs is None:
        found = [*_ends(counted, lower, upper, tolerance)]
        pairs = [_pair(operator, value, vector) for value, vector in sorted(found, key=lambda pair: -pair[0])]
        return Eigen(pairs, counted.products + len(pairs))
    return Eigen(pairs, counted.products)


def _within_one_space(
    counted: _Counted, lower: int, upper: int, tolerance: float, begun: Tensor
) -> list[Eigenpair] | None:
    """The lowest and the highest eigenpairs, in descending order; `None` where the space became too large."""
    most = min(counted.size, max(2 * (lower + upper) + 1, min(LARGEST, MEMORY // (8 * counted.size))))
    for ritz in lanczos(counted.product, begun, most):
        steps = len(ritz.values)
        places = [*range(steps - 1, steps - 1 - upper, -1), *range(lower - 1, -1, -1)]
        right = steps > lower + upper and all(ritz.errors[place] <= tolerance * ritz.spread for place in places)
        if right or steps == counted.size:
            return [_made(counted.operator, ritz, place) for place in places]
    return None


def _begun(operator: Operator, start: Start) -> Tensor:
    """A start at random, or one near a point: with a tenth of its length at random."""
    dtype = torch.float32 if all(dtype == torch.float32 for dtype in operator.source.dtypes) else torch.float64
    begun = torch.randn(operator.source.size, generator=torch.Generator().manual_seed(start.seed), dtype=dtype)
    if start.near is None:
        return begun
    point = operator.source.flat(operator.source.tensors(start.near, "entries of the point to begin near")[0])
    point = point.detach().to("cpu", dtype)
    length = float(torch.linalg.vector_norm(point))
    usable = 0 < length < math.inf
    return begun.mul_(STRAY / torch.linalg.vector_norm(begun)).add_(point, alpha=1 / length) if usable else begun


def _made(operator: Operator, ritz: Ritz, place: int) -> Eigenpair:
    point = operator.source.point(operator.source.unflat(ritz.vector(place)))
    return Eigenpair(float(ritz.values[place]), ritz.bound(place), point)


class _Counted:
    """Counts products."""

    def __init__(self, operator: Operator):
        self.operator = operator
        self.size = operator.source.size
        self.products = 0

    def product(self, vector: Tensor) -> Tensor:
        """With one vector."""
        self.products += 1
        return times(self.operator, vector[None])[0]

    def __call__(self, vector: NDArray[Any]) -> NDArray[Any]:
        return self.product(torch.as_tensor(vector).reshape(-1)).numpy()


Found = tuple[float, NDArray[Any]]


def _ends(counted: _Counted, lower: int, upper: int, tolerance: float) -> Iterator[Found]:
    """The smallest are sought as the largest of top - H: so their accuracy is relative to the whole spectrum.

    Relative to themselves they could not be had where they are 0, as most of a Gauss-Newton matrix's are.
    """
    largest = _largest(counted, counted.size, max(1, upper), tolerance if upper else LOOSE)
    if upper:
        yield from largest
    if lower:
        yield from _smallest(counted, lower, max(value for value, _ in largest), tolerance)


def _smallest(counted: _Counted, count: int, top: float, tolerance: float) -> list[Found]:
    found = _largest(lambda vector: top * vector - counted(vector), counted.size, count, tolerance)
    return [(top - value, vector) for value, vector in found]


def _largest(product: Callable[[NDArray[Any]], NDArray[Any]], size: int, count: int, tolerance: float) -> list[Found]:
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh  # late: see Operator

    start = np.random.default_rng(0).standard_normal(size)
    if not np.any(product(start)):
        return [(0.0, np.eye(size)[n]) for n in range(count)]
    flat = LinearOperator(shape=(size, size), dtype=np.float64, matvec=product)
    try:
        values, vectors = eigsh(flat, count, which="LA", tol=tolerance, v0=start, ncv=min(size, max(2 * count + 1, 12)))
    except ArpackNoConvergence as error:
        raise CurvatureError(
            f"{count} eigenvalues did not converge to {tolerance:g}\n"
            "  Ask for fewer of them, or with a larger tolerance."
        ) from error
    return [(float(value), vectors[:, n]) for n, value in enumerate(values)]


def _of_all(operator: Operator, count: int, ends: Ends) -> Eigen:
    """Of an operator so small that Lanczos has no room."""
    size = operator.source.size
    values, vectors = torch.linalg.eigh(times(operator, torch.eye(size, dtype=torch.float64)))
    wanted = {"largest": range(size - count, size), "smallest": range(count), "both": range(size)}[ends]
    pairs = [_pair(operator, values[n].item(), vectors[:, n].numpy()) for n in reversed(wanted) if n >= 0]
    return Eigen(pairs, size + len(pairs))


def _pair(operator: Operator, value: float, vector: NDArray[Any]) -> Eigenpair:
    """With the residual, by one more product."""
    row = torch.as_tensor(np.ascontiguousarray(vector))
    residual = times(operator, row.reshape(1, -1))[0] - value * row
    point = operator.source.point(operator.source.unflat(row))
    return Eigenpair(float(value), float(torch.linalg.vector_norm(residual)), point)
