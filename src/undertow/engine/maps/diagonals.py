"""The diagonal of a matrix, and of batches of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from undertow.engine.maps.base import Rearrangement, Shape

__all__ = ["DiagonalOf"]


@dataclass(frozen=True, slots=True, repr=False)
class DiagonalOf(Rearrangement):
    """v ↦ its diagonal `offset` places above the main one, over two dimensions. Its adjoint puts zeros elsewhere."""

    source: Shape = field()
    offset: int
    first: int
    second: int

    @property
    def target(self) -> Shape:
        return tuple(self.push(torch.empty(self.source, device="meta")).shape)

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.diagonal(self.offset, self.first, self.second)

    def pull(self, cotangent: Tensor) -> Tensor:
        answer = cotangent.new_zeros(self.source)
        answer.diagonal(self.offset, self.first, self.second).copy_(cotangent)
        return answer
