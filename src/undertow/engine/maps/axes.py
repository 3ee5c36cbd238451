"""A matrix applied along one dimension: of resampling, and of pooling by means."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rounding, Shape
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.strongest import greatest_product

__all__ = ["AlongAxis"]


@dataclass(frozen=True, slots=True, repr=False)
class AlongAxis(LinearMap):
    """v ↦ A v along `dim`, for a matrix A of shape (m, n) and v of length n there.

    Products are taken in the wider dtype of the two, so that A need not be rounded to that of v. What is not finite
    makes not a number of what it goes into, and of nothing else: an entry of A that is 0 joins nothing.
    """

    a: Tensor
    source: Shape = field()
    dim: int

    @property
    def target(self) -> Shape:
        return (*self.source[: self.dim], self.a.shape[0], *self.source[self.dim + 1 :])

    def push(self, tangent: Tensor) -> Tensor:
        return self._apply(torch.matmul, tangent, self.a.T)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self._apply(torch.matmul, cotangent, self.a)

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim != self.dim else None

    def pushed(self, batch: Batch) -> Batch | None:
        return self.pulled(batch)

    def modulus(self) -> LinearMap:
        return AlongAxis(self.a.abs(), self.source, self.dim)

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self._apply(greatest_product, cotangent, self.a.abs())

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self._apply(greatest_product, tangent, self.a.abs().T)

    def rounding(self) -> Rounding:
        rows, columns = self.a.shape
        return Rounding(self.modulus(), rows + 1, columns + 1)

    def _apply(self, product: Callable[[Tensor, Tensor], Tensor], v: Tensor, matrix: Tensor) -> Tensor:
        wide = torch.promote_types(v.dtype, matrix.dtype)
        rows = v.movedim(self.dim, -1).to(wide)
        flat = _told_apart(product, rows.unsqueeze(0).flatten(0, -2), matrix.to(wide))
        return flat.reshape(*rows.shape[:-1], matrix.shape[1]).movedim(-1, self.dim).to(v.dtype)


def _told_apart(product: Callable[[Tensor, Tensor], Tensor], rows: Tensor, matrix: Tensor) -> Tensor:
    """A product in which 0 times what is not finite is 0."""
    wild = ~rows.isfinite()
    reached = wild.to(rows.dtype) @ (matrix != 0).to(rows.dtype) > 0
    return product(rows.masked_fill(wild, 0), matrix).masked_fill(reached, math.nan)
