"""Where the examples of a batch lie in a tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

__all__ = ["Batch"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Entry i along dimension `dim` of a tensor belongs to example `i // inner % count`.

    Plain batches have `inner` 1 and `count` entries along `dim`. After N × T × C was flattened to N·T × C,
    `inner` is T; after T × N × C was, it is 1 and the examples come round T times.
    """

    count: int
    dim: int = 0
    inner: int = 1

    def fits(self, shape: Shape) -> bool:
        """Whether a tensor of this shape can hold the examples so."""
        return self.dim < len(shape) and shape[self.dim] % (self.count * self.inner) == 0

    def at(self, dim: int) -> Batch:
        """The same along another dimension."""
        return self if dim == self.dim else replace(self, dim=dim)

    def reshaped(self, shape: Shape, into: Shape) -> Batch | None:
        """Where the examples lie once the tensor is reshaped; `None` where no one dimension tells them apart."""
        stride = self.inner * math.prod(shape[self.dim + 1 :])
        after = 1
        for dim in range(len(into) - 1, -1, -1):
            before, after = after, after * into[dim]
            if stride % before == 0 and after % (stride * self.count) == 0:
                return Batch(self.count, dim, stride // before)
        return None

    def first(self, tensor: Tensor) -> Tensor:
        """The tensor with a dimension of examples put first; what is left of `dim` stays, as two dimensions."""
        size = tensor.shape[self.dim]
        rounds = size // (self.count * self.inner)
        apart = tensor.reshape(*tensor.shape[: self.dim], rounds, self.count, self.inner, *tensor.shape[self.dim + 1 :])
        return apart.movedim(self.dim + 1, 0)

    def each(self, tensor: Tensor, start: int, stop: int) -> Tensor:
        """Copies of the tensor, one for each of some examples, zero in all entries but that example's."""
        return torch.where(self.own(tensor, start, stop), tensor, tensor.new_zeros(()))

    def own(self, tensor: Tensor, start: int, stop: int) -> Tensor:
        """For each of some examples, which entries of the tensor are its own, in a shape that broadcasts."""
        owner = torch.arange(tensor.shape[self.dim], device=tensor.device) // self.inner % self.count
        own = owner == torch.arange(start, stop, device=tensor.device).unsqueeze(1)
        return own.reshape(stop - start, *[1] * self.dim, -1, *[1] * (tensor.ndim - self.dim - 1))

    def candidates(self, shape: Shape) -> list[Batch]:
        """Where as many examples could lie in a tensor of some shape, the likeliest first."""
        plain = [Batch(self.count, dim) for dim, size in enumerate(shape) if size == self.count]
        rounds = [
            Batch(self.count, dim, inner)
            for dim, size in enumerate(shape)
            if size > self.count and size % self.count == 0
            for inner in (size // self.count, 1)
        ]
        return sorted([*plain, *rounds], key=lambda batch: batch != self)
