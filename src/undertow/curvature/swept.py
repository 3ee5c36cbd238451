"""The trace of a Gauss-Newton matrix, tensor by tensor, by sweeps from what the loss does with the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from undertow.curvature.roots import Root, roots
from undertow.engine.per_sample import contributions
from undertow.errors import ExamplesMixError, GraphError
from undertow.linear import hessian

__all__ = ["Swept", "swept"]

FEWEST = 3
"""Tries that an error is told from."""


@dataclass(frozen=True)
class Swept:
    """The trace of the Gauss-Newton matrix.

    Attributes:
        rows: By tensor, what each of independent tries found; one row where nothing was left to chance.
        sweeps: How many sweeps over all examples it took.
        exact: Whether nothing was left to chance.
    """

    rows: Mapping[str, Tensor]
    sweeps: int
    exact: bool


def swept(model: nn.Module, loss: Tensor, outputs: Sequence[object], most: int) -> Swept | None:
    """Σ over examples of tr(Jᵀ H J) = Σ sign · ‖Jᵀ s‖², s the columns of a root of H, each in one sweep for all.

    With at most `most` sweeps: where there are more columns than that, from random sums of them. `None` where this
    way does not lead there: examples meet in the network or in the loss, or an output is too wide.
    """
    tensors = [output for output in outputs if isinstance(output, Tensor) and _serves(output)]
    if len(tensors) != len(outputs) or not tensors:
        return None
    try:
        found = roots(hessian(loss, tensors), tensors)
        return None if found is None else _all(model, tensors, found, most)
    except (ExamplesMixError, GraphError):
        return None


def _serves(output: Tensor) -> bool:
    return output.is_floating_point() and output.requires_grad and output.ndim > 0 and output.numel() > 0


def _all(model: nn.Module, outputs: Sequence[Tensor], found: Sequence[Root], most: int) -> Swept:
    needed = max(root.count for root in found)
    if needed <= most:
        columns = [
            (output, *root.column(place))
            for output, root in zip(outputs, found, strict=True)
            for place in range(root.count)
        ]
        return Swept(_sum(model, columns), needed, exact=True)
    chance, sweeps = torch.Generator().manual_seed(0), 0
    rows: list[dict[str, Tensor]] = []
    while sweeps < most or len(rows) < FEWEST:
        blends = [[(output, *c) for c in root.blended(chance)] for output, root in zip(outputs, found, strict=True)]
        rows.append(_sum(model, [column for blend in blends for column in blend]))
        sweeps += max(1, *map(len, blends))
    return Swept({name: torch.cat([row[name] for row in rows]) for name in rows[0]}, sweeps, exact=False)


def _sum(model: nn.Module, columns: Sequence[tuple[Tensor, Tensor, Tensor]]) -> dict[str, Tensor]:
    """By tensor, the sum over columns and examples of sign · ‖Jᵀ column‖²: (1,)."""
    total = {name: torch.zeros(1, dtype=torch.float64) for name, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for output, column, signs in columns:
            squares, _ = contributions(output, model, None, lambda parts: parts.squares(), column)
            for name, each in squares.items():
                total[name] += (each * signs).double().sum().cpu()
    return total
