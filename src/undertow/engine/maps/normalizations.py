"""Maps in which the entries of a group see each other: the derivatives of normalisations and softmax."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rounding, Shape, Sum
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.entrywise import Diagonal
from undertow.engine.maps.strongest import greatest, other_greatest

__all__ = ["LogSoftmax", "RankOne", "Softmax", "Standardize"]


def _group(tensor: Tensor, dims: tuple[int, ...]) -> int:
    """How many entries see each other."""
    return torch.Size([tensor.shape[dim] for dim in dims] if tensor.ndim else []).numel()


@dataclass(frozen=True, slots=True, repr=False)
class RankOne(LinearMap):
    """v ↦ left · Σ (right · v), the sum over `dims`: in each group of entries, one column times one row."""

    left: Tensor
    right: Tensor
    dims: tuple[int, ...]

    @property
    def source(self) -> Shape:
        return tuple(self.right.shape)

    @property
    def target(self) -> Shape:
        return tuple(self.left.shape)

    def push(self, tangent: Tensor) -> Tensor:
        return self.left * (self.right * tangent).sum(self.dims, keepdim=True)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.right * (self.left * cotangent).sum(self.dims, keepdim=True)

    def pulled(self, batch: Batch) -> Batch | None:
        return None if self.mixes(batch) else batch

    def mixes(self, batch: Batch) -> bool:
        return batch.dim in self.dims

    def modulus(self) -> LinearMap:
        return RankOne(self.left.abs(), self.right.abs(), self.dims)

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self.right.abs() * greatest(self.left.abs() * cotangent, self.dims)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.left.abs() * greatest(self.right.abs() * tangent, self.dims)

    def rounding(self) -> Rounding:
        return Rounding(self.modulus(), *[_group(self.left, self.dims) + 1] * 2)


@dataclass(frozen=True, slots=True, repr=False)
class Softmax(LinearMap):
    """v ↦ p · (v - Σ p v), the sum over `dim`: the derivative of a softmax whose result was p."""

    p: Tensor
    dim: int

    @property
    def source(self) -> Shape:
        return tuple(self.p.shape)

    @property
    def target(self) -> Shape:
        return tuple(self.p.shape)

    def push(self, tangent: Tensor) -> Tensor:
        return self.p * (tangent - (self.p * tangent).sum(self.dim, keepdim=True))

    def pull(self, cotangent: Tensor) -> Tensor:
        return torch._softmax_backward_data(cotangent, self.p, self.dim, self.p.dtype)

    def pulled(self, batch: Batch) -> Batch | None:
        return None if self.mixes(batch) else batch

    def mixes(self, batch: Batch) -> bool:
        return batch.dim in (self.dim % self.p.ndim,)

    def modulus(self) -> LinearMap:
        # p_i - p_i² on the diagonal, -p_i p_j off it.
        return Sum(Diagonal(self.p * (1 - 2 * self.p)), RankOne(self.p, self.p, (self.dim,)))

    def strongest(self, cotangent: Tensor) -> Tensor:
        weighted = self.p * cotangent
        return torch.maximum((1 - self.p) * weighted, self.p * other_greatest(weighted, self.dim))

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.strongest(tangent)

    def rounding(self) -> Rounding:
        terms = Sum(Diagonal(self.p), RankOne(self.p, self.p, (self.dim,)))
        return Rounding(terms, *[_group(self.p, (self.dim,)) + 3] * 2)


@dataclass(frozen=True, slots=True, repr=False)
class LogSoftmax(LinearMap):
    """v ↦ v - Σ p v, the sum over `dim`: the derivative of a log-softmax whose result was log p."""

    log_p: Tensor
    dim: int

    @property
    def source(self) -> Shape:
        return tuple(self.log_p.shape)

    @property
    def target(self) -> Shape:
        return tuple(self.log_p.shape)

    def push(self, tangent: Tensor) -> Tensor:
        return tangent - (self.log_p.exp() * tangent).sum(self.dim, keepdim=True)

    def pull(self, cotangent: Tensor) -> Tensor:
        return torch._log_softmax_backward_data(cotangent, self.log_p, self.dim, self.log_p.dtype)

    def pulled(self, batch: Batch) -> Batch | None:
        return None if self.mixes(batch) else batch

    def mixes(self, batch: Batch) -> bool:
        return batch.dim in (self.dim % self.log_p.ndim,)

    def modulus(self) -> LinearMap:
        # 1 - p_i on the diagonal, -p_j off it.
        p = self.log_p.exp()
        return Sum(Diagonal(1 - 2 * p), RankOne(torch.ones_like(p), p, (self.dim,)))

    def strongest(self, cotangent: Tensor) -> Tensor:
        p = self.log_p.exp()
        return torch.maximum((1 - p) * cotangent, p * other_greatest(cotangent, self.dim))

    def strongest_push(self, tangent: Tensor) -> Tensor:
        p = self.log_p.exp()
        return torch.maximum((1 - p) * tangent, other_greatest(p * tangent, self.dim))

    def rounding(self) -> Rounding:
        p = self.log_p.exp()
        terms = Sum(Diagonal(torch.ones_like(p)), RankOne(torch.ones_like(p), p, (self.dim,)))
        return Rounding(terms, *[_group(p, (self.dim,)) + 6] * 2)  # of which 4 for the exponential


@dataclass(frozen=True, slots=True, repr=False)
class Standardize(LinearMap):
    """v ↦ r · (v - mean v - z · mean(z v)), the means over `dims`: the derivative of z = r · (x - mean x).

    `r`, one over the standard deviation, has length 1 along `dims`. The map is its own adjoint. Its modulus
    is an upper bound: it takes the three terms as if they never cancelled.
    """

    z: Tensor
    r: Tensor
    dims: tuple[int, ...]

    @property
    def source(self) -> Shape:
        return tuple(self.z.shape)

    @property
    def target(self) -> Shape:
        return tuple(self.z.shape)

    def push(self, tangent: Tensor) -> Tensor:
        along = (self.z * tangent).mean(self.dims, keepdim=True)
        centred = tangent - tangent.mean(self.dims, keepdim=True)
        return self.r * torch.addcmul(centred, self.z, along, value=-1)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.push(cotangent)

    def pulled(self, batch: Batch) -> Batch | None:
        return None if self.mixes(batch) else batch

    def mixes(self, batch: Batch) -> bool:
        return batch.dim in self.dims

    def modulus(self) -> LinearMap:
        share = self.r.expand_as(self.z) / (self.z.numel() / max(self.r.numel(), 1))
        one, z = torch.ones_like(self.z), self.z.abs()
        means = Sum(RankOne(share, one, self.dims), RankOne(share * z, z, self.dims))
        return Sum(Diagonal(self.r.expand_as(self.z)), means)

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self.modulus().strongest(cotangent)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.modulus().strongest_push(tangent)

    def rounding(self) -> Rounding:
        return Rounding(self.modulus(), *[_group(self.z, self.dims) + 6] * 2)
