"""How the states of a long short-term memory answer to what comes in at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from undertow.engine.maps.base import LinearMap, Rounding, Shape
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.strongest import greatest_product

__all__ = ["Recurrence"]


class _Arithmetic(NamedTuple):
    """How paths are joined: they add up, or the strongest of them counts."""

    add: Callable[[Tensor, Tensor], Tensor]
    total: Callable[[Tensor, int], Tensor]
    product: Callable[[Tensor, Tensor], Tensor]


_ALL = _Arithmetic(torch.add, torch.sum, torch.matmul)
_BEST = _Arithmetic(torch.maximum, torch.amax, greatest_product)


@dataclass(frozen=True, slots=True, repr=False)
class Recurrence(LinearMap):
    """(u, e) ↦ (h, c) at every step, in a row each, where z = u + h W, c = keeps · c + Σ gates · z + e and
    h = opens · z₄ + shows · c, entry by entry, with the h and c of the step before on the right of = signs.

    z consists of four parts as wide as h and c; the sum is over them, and z₄ is the last. Tensors are
    (steps, batch, …). The modulus is an upper bound: it takes all paths through the steps as if none cancelled.
    """

    weight: Tensor
    gates: Tensor
    keeps: Tensor
    opens: Tensor
    shows: Tensor

    @property
    def source(self) -> Shape:
        *steps, width = self.keeps.shape
        return (*steps, 5 * width)

    @property
    def target(self) -> Shape:
        *steps, width = self.keeps.shape
        return (*steps, 2 * width)

    def push(self, tangent: Tensor) -> Tensor:
        return self._onwards(tangent, _ALL)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self._back(cotangent, _ALL)

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim == 1 else None

    def pushed(self, batch: Batch) -> Batch | None:
        return self.pulled(batch)

    def modulus(self) -> Recurrence:
        of = self.weight, self.gates, self.keeps, self.opens, self.shows
        return Recurrence(*(tensor.abs() for tensor in of))

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self.modulus()._back(cotangent, _BEST)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.modulus()._onwards(tangent, _BEST)

    def rounding(self) -> Rounding:
        steps, _, width = self.keeps.shape
        return Rounding(self.modulus(), *[steps * (4 * width + 8)] * 2)

    def _onwards(self, tangent: Tensor, paths: _Arithmetic) -> Tensor:
        answer, width = tangent.new_empty(self.target), self.keeps.shape[-1]
        h = c = tangent.new_zeros(self.keeps.shape[1:])
        for step, (u, e) in enumerate(zip(*tangent.split([4 * width, width], -1), strict=True)):
            z = paths.add(u, paths.product(h, self.weight))
            entered = paths.total((self.gates[step] * z).unflatten(-1, (4, width)), -2)
            c = paths.add(paths.add(self.keeps[step] * c, entered), e)
            h = paths.add(self.opens[step] * z[..., 3 * width :], self.shows[step] * c)
            answer[step] = torch.cat([h, c], -1)
        return answer

    def _back(self, cotangent: Tensor, paths: _Arithmetic) -> Tensor:
        answer, width = cotangent.new_empty(self.source), self.keeps.shape[-1]
        z, kept = cotangent.new_zeros(self.gates.shape[1:]), cotangent.new_zeros(self.keeps.shape[1:])
        for step in reversed(range(len(cotangent))):
            by_h, by_c = cotangent[step].split(width, -1)
            h = paths.add(by_h, paths.product(z, self.weight.mT))
            c = paths.add(paths.add(by_c, kept), self.shows[step] * h)
            z = paths.add(self.gates[step] * c.repeat(1, 4), pad(self.opens[step] * h, (3 * width, 0)))
            kept = self.keeps[step] * c
            answer[step] = torch.cat([z, c], -1)
        return answer
