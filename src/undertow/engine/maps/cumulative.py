"""Maps that add up along a dimension as they go."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rounding, Shape
from undertow.engine.maps.batch import Batch

__all__ = ["CumulativeSoftmax", "CumulativeSum"]


@dataclass(frozen=True, slots=True, repr=False)
class CumulativeSum(LinearMap):
    """v ↦ for each entry, the sum of the entries along `dim` up to it. Its adjoint sums from it on."""

    shape: Shape
    dim: int

    @property
    def source(self) -> Shape:
        return self.shape

    @property
    def target(self) -> Shape:
        return self.shape

    def push(self, tangent: Tensor) -> Tensor:
        return tangent.cumsum(self.dim)

    def pull(self, cotangent: Tensor) -> Tensor:
        return _from_the_end(Tensor.cumsum, cotangent, self.dim)

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim != self.dim else None

    def pushed(self, batch: Batch) -> Batch | None:
        return self.pulled(batch)

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        return _from_the_end(_greatest_so_far, cotangent, self.dim)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return _greatest_so_far(tangent, self.dim)

    def rounding(self) -> Rounding:
        count = self.shape[self.dim] if self.shape else 1
        return Rounding(self, count, count)


@dataclass(frozen=True, slots=True, repr=False)
class CumulativeSoftmax(LinearMap):
    """v ↦ Σ exp(x_j - r_i) v_j, the sum over j up to i: the derivative of r = log Σ exp x, summed as one goes.

    Sums are taken of logarithms, so that no term overflows however far apart the entries of x are.
    """

    x: Tensor
    r: Tensor
    dim: int

    @property
    def source(self) -> Shape:
        return tuple(self.x.shape)

    @property
    def target(self) -> Shape:
        return tuple(self.r.shape)

    def push(self, tangent: Tensor) -> Tensor:
        return self._signed(self._forth, Tensor.logcumsumexp, tangent)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self._signed(self._back, Tensor.logcumsumexp, cotangent)

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim != self.dim else None

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self._back(_greatest_so_far, cotangent)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self._forth(_greatest_so_far, tangent)

    def rounding(self) -> Rounding:
        # Each step's rounding is relative to a logarithm, of which there are none beyond those of the extremes.
        extremes = torch.finfo(self.x.dtype)
        sizes = [part[part.isfinite()].abs().max().item() for part in (self.x, self.r) if part.isfinite().any()]
        reach = sum(sizes) - math.log(extremes.tiny * extremes.eps) + 4
        count = self.x.shape[self.dim] if self.x.ndim else 1
        return Rounding(self, *[(count + 1) * math.ceil(2 * reach)] * 2)

    def _forth(self, gather: Callable[[Tensor, int], Tensor], v: Tensor) -> Tensor:
        return (gather(self.x + v.log(), self.dim) - self.r).exp()

    def _back(self, gather: Callable[[Tensor, int], Tensor], v: Tensor) -> Tensor:
        return (_from_the_end(gather, v.log() - self.r, self.dim) + self.x).exp()

    def _signed(
        self,
        way: Callable[[Callable[[Tensor, int], Tensor], Tensor], Tensor],
        gather: Callable[[Tensor, int], Tensor],
        v: Tensor,
    ) -> Tensor:
        """What has a logarithm is positive: the positive and the negative part go apart."""
        return way(gather, v.clamp(min=0)) - way(gather, (-v).clamp(min=0))


def _greatest_so_far(v: Tensor, dim: int) -> Tensor:
    return v.cummax(dim).values


def _from_the_end(gather: Callable[[Tensor, int], Tensor], v: Tensor, dim: int) -> Tensor:
    if not v.ndim:
        return gather(v, dim)  # `torch.vmap` cannot flip single numbers
    return gather(v.flip(dim), dim).flip(dim)
