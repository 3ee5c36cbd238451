"""Maps that pick entries by index; their adjoints add up what went to the same place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rounding, Shape
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.parts import Parts, Picked
from undertow.engine.maps.strongest import scattered

__all__ = ["Index", "Lookup", "TakeAlong"]


def _most_often(picks: LinearMap) -> int:
    """How often the entry is picked that is picked most."""
    times = picks.pull(torch.ones(picks.target))
    return int(times.max()) if times.numel() else 0


@dataclass(frozen=True, slots=True, repr=False)
class TakeAlong(LinearMap):
    """v ↦ the entries of v that `index` names along `dim`, as in `torch.gather`."""

    source: Shape = field()
    dim: int
    index: Tensor

    @property
    def target(self) -> Shape:
        return tuple(self.index.shape)

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.gather(self.dim, self.index)

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent.new_zeros(self.source).scatter_add_(self.dim, self.index, cotangent)

    def pulled(self, batch: Batch) -> Batch | None:
        same = batch.dim != self.dim and self.source[batch.dim] == self.index.shape[batch.dim]
        return batch if same else None

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        return cotangent.new_zeros(self.source).scatter_reduce_(self.dim, self.index, cotangent, "amax")

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.push(tangent)

    def rounding(self) -> Rounding:
        return Rounding(self, _most_often(self), 0)


@dataclass(frozen=True, slots=True, repr=False)
class Index(LinearMap):
    """v ↦ v[indices], for tensors of integers or booleans, and `None` where a dimension is taken whole."""

    source: Shape = field()
    target: Shape = field()
    indices: tuple[Tensor | None, ...]

    def push(self, tangent: Tensor) -> Tensor:
        picked: Tensor = torch.ops.aten.index.Tensor(tangent, self.indices)
        return picked

    def pull(self, cotangent: Tensor) -> Tensor:
        if not self._are_together():
            return self._pull_entries(cotangent)
        answer = cotangent.new_zeros(self.source)
        torch.ops.aten.index_put_.default(answer, self.indices, cotangent, accumulate=True)
        return answer

    def pulled(self, batch: Batch) -> Batch | None:
        named = [dim for dim, index in enumerate(self.indices) if index is not None]
        if not self._are_together():
            return None  # the dimensions of the indices stand first then, before those that are taken whole
        if batch.dim < named[0]:
            return batch
        after = batch.dim - len(self.target) + len(self.source)
        return batch.at(after) if after > named[-1] else None

    def _are_together(self) -> bool:
        given = [dim for dim, index in enumerate(self.indices) if index is not None]
        return not given or given[-1] - given[0] < len(given)

    def _pull_entries(self, cotangent: Tensor) -> Tensor:
        """Entry by entry: `torch.vmap` puts the result of indices that stand apart in the wrong order."""
        numbers = torch.arange(math.prod(self.source), device=cotangent.device).reshape(self.source)
        answer = cotangent.new_zeros(math.prod(self.source))
        return answer.index_add_(0, self.push(numbers).reshape(-1), cotangent.reshape(-1)).reshape(self.source)

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        positions = torch.arange(torch.Size(self.source).numel(), device=cotangent.device).reshape(self.source)
        return scattered(cotangent, self.push(positions), self.source)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.push(tangent)

    def rounding(self) -> Rounding:
        return Rounding(self, _most_often(self), 0)


@dataclass(frozen=True, slots=True, repr=False)
class Lookup(LinearMap):
    """v ↦ the rows of v that `index` names. The row `padding`, if not negative, counts as zero."""

    index: Tensor
    rows: int
    width: int
    padding: int = -1

    @property
    def source(self) -> Shape:
        return (self.rows, self.width)

    @property
    def target(self) -> Shape:
        return (*self.index.shape, self.width)

    def push(self, tangent: Tensor) -> Tensor:
        return tangent[self.index] * (self.index != self.padding).unsqueeze(-1)

    def pull(self, cotangent: Tensor) -> Tensor:
        answer: Tensor = torch.ops.aten.embedding_dense_backward.default(
            cotangent, self.index, self.rows, self.padding, False
        )
        return answer

    @property
    def multiplies(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch | None:
        return batch.at(1) if batch.dim == self.index.ndim else None

    def apart(self, cotangent: Tensor, batch: Batch) -> Parts:
        index, values = batch.first(self.index), batch.first(cotangent)
        kept = (index != self.padding).unsqueeze(-1)
        return Picked(index.flatten(1), (values * kept).reshape(batch.count, -1, self.width), self.rows)

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        kept = cotangent * (self.index != self.padding).unsqueeze(-1)
        rows = self.index.unsqueeze(-1).expand(self.target).reshape(-1, self.width)
        return cotangent.new_zeros(self.source).scatter_reduce_(0, rows, kept.reshape(rows.shape), "amax")

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.push(tangent)

    def rounding(self) -> Rounding:
        return Rounding(self, _most_often(self), 0)
