"""Multiplication by a matrix, on either side and in batches."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rounding, Shape
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.matmul import times
from undertow.engine.maps.parts import Outer, Parts
from undertow.engine.maps.strongest import greatest_product

__all__ = ["LeftMultiply", "RightMultiply"]


@dataclass(frozen=True, slots=True, repr=False)
class LeftMultiply(LinearMap):
    """X ↦ A X, for A of shape (…, m, k) and X of shape (…, k, n), the leading dimensions the same.

    `by_columns` says how X lies in memory. What is pulled back lies there likewise, as autograd's does, so
    that it can become a weight's gradient without being copied.
    """

    a: Tensor
    columns: int
    by_columns: bool = False

    @property
    def source(self) -> Shape:
        *batch, _, k = self.a.shape
        return (*batch, k, self.columns)

    @property
    def target(self) -> Shape:
        *batch, m, _ = self.a.shape
        return (*batch, m, self.columns)

    def push(self, tangent: Tensor) -> Tensor:
        return times(self.a, tangent)

    def pull(self, cotangent: Tensor) -> Tensor:
        return times(cotangent.mH, self.a).mH if self.by_columns else times(self.a.mH, cotangent)

    @property
    def multiplies(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch | None:
        return None if batch.dim == self.a.ndim - 2 else batch

    def apart(self, cotangent: Tensor, batch: Batch) -> Parts:
        return Outer(_rows(self.a.conj(), batch), _rows(cotangent, batch), self.source)

    def modulus(self) -> LinearMap:
        return LeftMultiply(self.a.abs(), self.columns, self.by_columns)

    def strongest(self, cotangent: Tensor) -> Tensor:
        return greatest_product(self.a.abs().mT, cotangent)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return greatest_product(self.a.abs(), tangent)

    def rounding(self) -> Rounding:
        return Rounding(self.modulus(), *self.a.shape[-2:])


@dataclass(frozen=True, slots=True, repr=False)
class RightMultiply(LinearMap):
    """X ↦ X B, for B of shape (…, k, n) and X of shape (…, m, k), the leading dimensions the same."""

    b: Tensor
    rows: int

    @property
    def source(self) -> Shape:
        *batch, k, _ = self.b.shape
        return (*batch, self.rows, k)

    @property
    def target(self) -> Shape:
        *batch, _, n = self.b.shape
        return (*batch, self.rows, n)

    def push(self, tangent: Tensor) -> Tensor:
        return times(tangent, self.b)

    def pull(self, cotangent: Tensor) -> Tensor:
        return times(cotangent, self.b.mH)

    @property
    def multiplies(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch | None:
        return None if batch.dim == self.b.ndim - 1 else batch

    def apart(self, cotangent: Tensor, batch: Batch) -> Parts:
        across = batch.at(batch.dim - 1)
        return Outer(_rows(cotangent.mT, across), _rows(self.b.mH, across), self.source)

    def modulus(self) -> LinearMap:
        return RightMultiply(self.b.abs(), self.rows)

    def strongest(self, cotangent: Tensor) -> Tensor:
        return greatest_product(cotangent, self.b.abs().mT)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return greatest_product(tangent, self.b.abs())

    def rounding(self) -> Rounding:
        k, n = self.b.shape[-2:]
        return Rounding(self.modulus(), n, k)


def _rows(matrices: Tensor, batch: Batch) -> Tensor:
    """The rows of some matrices by the example that they belong to: (examples, matrices, rows, columns)."""
    *_, rows, columns = matrices.shape
    if matrices.ndim == 2 and rows == batch.count:
        return matrices.reshape(rows, 1, 1, columns)
    return batch.first(matrices).reshape(batch.count, -1, rows // batch.count, columns)
