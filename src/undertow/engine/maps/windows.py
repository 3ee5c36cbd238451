"""Maps that lay out what a sliding window sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rounding, Shape
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.strongest import scattered

__all__ = ["Patches", "Windows"]


@dataclass(frozen=True, slots=True, repr=False)
class Windows(LinearMap):
    """v ↦ its slices of some `size` along `dim`, one each `step`, laid along a new last dimension."""

    source: Shape = field()
    dim: int
    size: int
    step: int

    @property
    def target(self) -> Shape:
        count = (self.source[self.dim] - self.size) // self.step + 1
        return (*self.source[: self.dim], count, *self.source[self.dim + 1 :], self.size)

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.unfold(self.dim, self.size, self.step)

    def pull(self, cotangent: Tensor) -> Tensor:
        answer: Tensor = torch.ops.aten.unfold_backward.default(cotangent, self.source, self.dim, self.size, self.step)
        return answer

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim not in (self.dim, len(self.source)) else None

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        positions = torch.arange(torch.Size(self.source).numel(), device=cotangent.device).reshape(self.source)
        return scattered(cotangent, self.push(positions), self.source)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.push(tangent)

    def rounding(self) -> Rounding:
        return Rounding(self, -(-self.size // self.step), 0)


@dataclass(frozen=True, slots=True, repr=False)
class Patches(LinearMap):
    """v ↦ the patches of an image, one a column, zeros where they reach beyond it: `unfold`; its adjoint is `fold`.

    `window` holds the size of a patch, the dilation, the padding and the stride, two numbers each.
    """

    source: Shape = field()
    target: Shape = field()
    window: tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]

    def push(self, tangent: Tensor) -> Tensor:
        answer: Tensor = torch.ops.aten.im2col.default(tangent, *self.window)
        return answer

    def pull(self, cotangent: Tensor) -> Tensor:
        answer: Tensor = torch.ops.aten.col2im.default(cotangent, self.source[-2:], *self.window)
        return answer

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim < len(self.source) - 3 else None

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        count = torch.Size(self.source).numel()
        # counted from 1, since what lies beyond the image is 0
        numbers = torch.arange(1, count + 1, dtype=torch.float64, device=cotangent.device).reshape(self.source)
        return scattered(cotangent, self.push(numbers).long(), (count + 1,))[1:].reshape(self.source)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.push(tangent)

    def rounding(self) -> Rounding:
        return Rounding(self, math.prod(self.window[0]), 0)
