"""Maps that act entry by entry."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rearrangement, Rounding, Shape
from undertow.engine.maps.batch import Batch

__all__ = ["Above", "Diagonal", "Mask", "Scale"]


threshold_backward = torch.ops.aten.threshold_backward.default


@dataclass(frozen=True, slots=True, repr=False)
class Diagonal(LinearMap):
    """v ↦ d · v, entry by entry; `d` has the shape of both spaces."""

    d: Tensor

    @property
    def source(self) -> Shape:
        return tuple(self.d.shape)

    @property
    def target(self) -> Shape:
        return tuple(self.d.shape)

    def push(self, tangent: Tensor) -> Tensor:
        return tangent * self.d

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent * self.d.conj()

    def pulled(self, batch: Batch) -> Batch:
        return batch

    def pushed(self, batch: Batch) -> Batch:
        return batch

    def modulus(self) -> LinearMap:
        return Diagonal(self.d.abs())

    def strongest(self, cotangent: Tensor) -> Tensor:
        return cotangent * self.d.abs()

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return tangent * self.d.abs()

    def rounding(self) -> Rounding:
        return Rounding(self.modulus(), 1, 1)


@dataclass(frozen=True, slots=True, repr=False)
class Mask(Rearrangement):
    """v ↦ v where `kept` is true, and 0 elsewhere, even for an entry that is infinite or not a number."""

    kept: Tensor

    @property
    def source(self) -> Shape:
        return tuple(self.kept.shape)

    @property
    def target(self) -> Shape:
        return tuple(self.kept.shape)

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.masked_fill(~self.kept, 0)

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent.masked_fill(~self.kept, 0)

    def pulled(self, batch: Batch) -> Batch:
        return batch

    def pushed(self, batch: Batch) -> Batch:
        return batch


@dataclass(frozen=True, slots=True, repr=False)
class Above(Rearrangement):
    """v ↦ v where `gate` is above `level`, and 0 elsewhere: a mask that is never written out."""

    gate: Tensor
    level: float

    @property
    def source(self) -> Shape:
        return tuple(self.gate.shape)

    @property
    def target(self) -> Shape:
        return tuple(self.gate.shape)

    def push(self, tangent: Tensor) -> Tensor:
        answer: Tensor = threshold_backward(tangent, self.gate, self.level)
        return answer

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.push(cotangent)

    def pulled(self, batch: Batch) -> Batch:
        return batch

    def pushed(self, batch: Batch) -> Batch:
        return batch


@dataclass(frozen=True, slots=True, repr=False)
class Scale(LinearMap):
    """v ↦ factor · v, for one number."""

    factor: float
    shape: Shape

    @property
    def source(self) -> Shape:
        return self.shape

    @property
    def target(self) -> Shape:
        return self.shape

    def push(self, tangent: Tensor) -> Tensor:
        return tangent * self.factor

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent * self.factor.conjugate()

    def pulled(self, batch: Batch) -> Batch:
        return batch

    def pushed(self, batch: Batch) -> Batch:
        return batch

    def modulus(self) -> LinearMap:
        return Scale(abs(self.factor), self.shape)

    def strongest(self, cotangent: Tensor) -> Tensor:
        return cotangent * abs(self.factor)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return tangent * abs(self.factor)

    def rounding(self) -> Rounding:
        # The factor is rounded to the dtype of what it multiplies.
        return Rounding(self.modulus(), 2, 2)
