"""Maps that move entries, repeat them, add them up or leave them out, and never scale them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rearrangement, Rounding, Shape
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.parts import Explicit, Parts
from undertow.engine.maps.pulled import Pulled
from undertow.engine.maps.strongest import greatest, greatest_to_size

__all__ = ["Expand", "Flip", "Permute", "Reshape", "Roll", "Slice", "Total"]


@dataclass(frozen=True, slots=True, repr=False)
class Expand(LinearMap):
    """v ↦ v broadcast to `target`, by PyTorch's rules. Its adjoint sums over the broadcast dimensions."""

    source: Shape = field()
    target: Shape = field()

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.expand(self.target)

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent.sum_to_size(self.source)

    def pulled(self, batch: Batch) -> Batch | None:
        dim = batch.dim - len(self.target) + len(self.source)
        return batch.at(dim) if dim >= 0 and self.source[dim] == self.target[batch.dim] else None

    def pushed(self, batch: Batch) -> Batch | None:
        dim = batch.dim + len(self.target) - len(self.source)
        return batch.at(dim) if self.source[batch.dim] == self.target[dim] else None

    def apart(self, cotangent: Tensor, batch: Batch) -> Parts:
        if batch.dim == 0 and cotangent.shape == (batch.count, *self.source):
            return Explicit(cotangent)
        first = batch.first(cotangent)
        if cotangent.shape[batch.dim] == batch.count:  # a sum of one term each would copy
            first = first.squeeze(batch.dim + 1)
        else:
            first = first.sum((batch.dim + 1, batch.dim + 2)).unsqueeze(batch.dim + 1)
        kept = (1,) * (len(self.target) - len(self.source)) + self.source
        return Explicit(first.sum_to_size((batch.count, *kept)).reshape(batch.count, *self.source))

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        return greatest_to_size(cotangent, self.source)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.push(tangent)

    def rounding(self) -> Rounding:
        copies = torch.Size(self.target).numel() // max(torch.Size(self.source).numel(), 1)
        return Rounding(self, copies, 0)


@dataclass(frozen=True, slots=True, repr=False)
class Total(LinearMap):
    """v ↦ the sum of v over `dims`, which are kept with length 1. Its adjoint repeats along them."""

    source: Shape = field()
    dims: tuple[int, ...]

    @property
    def target(self) -> Shape:
        return tuple(1 if dim in self.dims else size for dim, size in enumerate(self.source))

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.sum(self.dims, keepdim=True) if self.dims else tangent

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent.expand(self.source)

    def pulled(self, batch: Batch) -> Batch:
        return batch

    def pushed(self, batch: Batch) -> Batch:
        return batch

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self.pull(cotangent)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return greatest(tangent, self.dims)

    def rounding(self) -> Rounding:
        return Rounding(self, 0, torch.Size([self.source[dim] for dim in self.dims]).numel())


@dataclass(frozen=True, slots=True, repr=False)
class Reshape(Rearrangement):
    """v ↦ the same entries, in the same order, in another shape."""

    source: Shape = field()
    target: Shape = field()

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.reshape(self.target)

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent.reshape(self.source)

    @property
    def keeps_norms(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch | None:
        return batch.reshaped(self.target, self.source)

    def pushed(self, batch: Batch) -> Batch | None:
        return batch.reshaped(self.source, self.target)

    def through(self, parts: Parts) -> Parts:
        return parts.reshaped(self.source) or Pulled(self, parts)


@dataclass(frozen=True, slots=True, repr=False)
class Permute(Rearrangement):
    """v ↦ v with its dimensions in another order: dimension i of the result is dimension `dims[i]` of v."""

    source: Shape = field()
    dims: tuple[int, ...]

    @property
    def target(self) -> Shape:
        return tuple(self.source[dim] for dim in self.dims)

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.permute(self.dims)

    def pull(self, cotangent: Tensor) -> Tensor:
        if len(self.dims) == 2:  # the one way to permute two dimensions, and the one that every linear layer takes
            return cotangent.permute(self.dims)
        return cotangent.permute(tuple(self.dims.index(dim) for dim in range(len(self.dims))))

    @property
    def keeps_norms(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch:
        return batch.at(self.dims[batch.dim])

    def pushed(self, batch: Batch) -> Batch:
        return batch.at(self.dims.index(batch.dim))

    def through(self, parts: Parts) -> Parts:
        back = tuple(self.dims.index(dim) for dim in range(len(self.dims)))
        return parts.permuted(back) or Pulled(self, parts)


@dataclass(frozen=True, slots=True, repr=False)
class Slice(Rearrangement):
    """v ↦ `count` of its slices along `dim`, from `start` on, each `step`-th. Its adjoint puts zeros elsewhere."""

    source: Shape = field()
    dim: int
    start: int
    count: int
    step: int = 1

    @property
    def target(self) -> Shape:
        return (*self.source[: self.dim], self.count, *self.source[self.dim + 1 :])

    def push(self, tangent: Tensor) -> Tensor:
        return tangent[self._where()]

    def pull(self, cotangent: Tensor) -> Tensor:
        answer = cotangent.new_zeros(self.source)
        answer[self._where()] = cotangent
        return answer

    @property
    def keeps_norms(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if self._goes_round(batch) else None

    def pushed(self, batch: Batch) -> Batch | None:
        return batch if self._goes_round(batch) and batch.fits(self.target) else None

    def _goes_round(self, batch: Batch) -> bool:
        """Whether what is left out, if it lies along the examples, is whole rounds of them."""
        if batch.dim != self.dim:
            return True
        return self.step == 1 and self.start % (batch.count * batch.inner) == 0 and batch.fits(self.source)

    def _where(self) -> tuple[slice, ...]:
        stop = self.start + self.count * self.step
        return (*[slice(None)] * self.dim, slice(self.start, stop, self.step))


@dataclass(frozen=True, slots=True, repr=False)
class Flip(Rearrangement):
    """v ↦ v in reverse order along `dims`."""

    source: Shape = field()
    dims: tuple[int, ...]

    @property
    def target(self) -> Shape:
        return self.source

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.flip(self.dims)

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent.flip(self.dims)

    @property
    def keeps_norms(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch | None:
        return None if batch.dim in self.dims else batch

    def pushed(self, batch: Batch) -> Batch | None:
        return self.pulled(batch)


@dataclass(frozen=True, slots=True, repr=False)
class Roll(Rearrangement):
    """v ↦ v moved round by `shifts` along `dims`; without `dims`, along v laid out in one row."""

    source: Shape = field()
    shifts: tuple[int, ...]
    dims: tuple[int, ...]

    @property
    def target(self) -> Shape:
        return self.source

    def push(self, tangent: Tensor) -> Tensor:
        return torch.roll(tangent, self.shifts, self.dims)

    def pull(self, cotangent: Tensor) -> Tensor:
        return torch.roll(cotangent, tuple(-shift for shift in self.shifts), self.dims)

    @property
    def keeps_norms(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch | None:
        return None if batch.dim in self.dims or not self.dims else batch

    def pushed(self, batch: Batch) -> Batch | None:
        return self.pulled(batch)
