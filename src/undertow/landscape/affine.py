"""What is affine in the coordinates of a point, and the operations that keep it so."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch

__all__ = ["keeps_affine"]

aten: Any = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Rule:
    """Of which arguments an operation is an affine function.

    Attributes:
        moving: Positions that may be affine in the coordinates; None for all.
        factors: Positions of which one at most may be: a product of two would be of second degree.
    """

    moving: tuple[int, ...] | None = None
    factors: tuple[int, ...] = ()

    def holds(self, places: Collection[int]) -> bool:
        """Whether the operation is affine where the arguments at these places are."""
        known = self.moving is None or set(places) <= set(self.moving)
        return known and sum(place in self.factors for place in places) <= 1


LINEAR = (
    *(aten.add.Tensor, aten.sub.Tensor, aten.neg.default, aten.cat.default, aten.stack.default),
    *(aten.t.default, aten.transpose.int, aten.permute.default, aten.view.default, aten._unsafe_view.default),
    *(aten.expand.default, aten.squeeze.dim, aten.squeeze.dims, aten.unsqueeze.default, aten.select.int),
    *(aten.slice.Tensor, aten.clone.default, aten.alias.default, aten.detach.default, aten.unbind.int),
    *(aten.split.Tensor, aten.split_with_sizes.default, aten.constant_pad_nd.default, aten.avg_pool2d.default),
    *(aten.mean.default, aten.mean.dim, aten.sum.default, aten.sum.dim_IntList, aten._adaptive_avg_pool2d.default),
)

RULES: dict[Any, Rule] = {operation: Rule() for operation in LINEAR} | {
    aten.div.Tensor: Rule((0,)),
    aten.embedding.default: Rule((0,)),
    aten.mul.Tensor: Rule((0, 1), (0, 1)),
    aten.mm.default: Rule((0, 1), (0, 1)),
    aten.bmm.default: Rule((0, 1), (0, 1)),
    aten.addmm.default: Rule((0, 1, 2), (1, 2)),
    aten.baddbmm.default: Rule((0, 1, 2), (1, 2)),
    aten.convolution.default: Rule((0, 1, 2), (0, 1)),
    aten._native_batch_norm_legit_no_training.default: Rule((0, 1, 2), (0, 1)),
}


def keeps_affine(operation: Any, places: Collection[int]) -> bool:
    """Whether what comes out is affine in the coordinates where the arguments at these places are."""
    rule = RULES.get(operation)
    return rule is not None and rule.holds(places)
