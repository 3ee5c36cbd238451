"""Products of a symmetric operator with flat vectors, in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from undertow.errors import CurvatureError
from undertow.linear import Operator
from undertow.linear.space import arranged

__all__ = ["signs", "square", "times"]

TOGETHER = 4
"""Products in one sweep: more of them take memory, and gain little."""


def times(operator: Operator, rows: Tensor) -> Tensor:
    """The products with the rows of a matrix, (count, size), a few in one sweep.

    Raises:
        CurvatureError: One of them is not finite.
    """
    parts = []
    for part in rows.split(TOGETHER):
        alone = part[0] if len(part) == 1 else part  # one needs no batch around it, which costs more than it
        answer = operator.push(operator.source.point(operator.source.unflat(alone)))
        parts.append(operator.target.flat(arranged(answer)[0]).reshape(part.shape).double().cpu())
    found = torch.cat(parts)
    if not bool(torch.isfinite(found).all()):
        raise CurvatureError(
            "a product with this operator is not finite\n"
            "  The loss, or a derivative of it, overflows here, so it has no curvature that could be measured."
        )
    return found


def signs(operator: Operator, count: int, generator: torch.Generator) -> Tensor:
    """Random rows of 1 and -1."""
    return torch.randint(2, (count, operator.source.size), generator=generator).double() * 2 - 1


def square(operator: Operator) -> None:
    """Refuse an operator that goes from one space to another.

    Raises:
        CurvatureError: It does.
    """
    if operator.source.shapes != operator.target.shapes:
        raise CurvatureError(
            f"{operator!r} goes from one space to another, so it has no eigenvalues and no trace\n"
            "  Pass a Hessian or a Gauss-Newton matrix: undertow.hessian(loss, model)."
        )
