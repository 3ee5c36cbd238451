"""What is known, along a reverse sweep, of which example each part of a cotangent belongs to."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from undertow.engine.algebras.base import fitted
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.maps import Expand, LinearMap, Shape
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.parts import BLOCK, Parts
from undertow.engine.maps.pulled import Masked, Pulled

__all__ = ["Apart", "Borrowed", "Mixed", "Share", "Spread", "Whole"]


class Share(abc.ABC):
    """A cotangent, and what each example of a batch has in it."""

    __slots__ = ()

    @abc.abstractmethod
    def pull(self, jacobian: LinearMap | Borrowed) -> Share:
        """What a map makes of it."""

    @abc.abstractmethod
    def add(self, other: Any) -> Share:
        """The sum with another of the same class."""

    @abc.abstractmethod
    def fit(self, shape: Shape, dtype: torch.dtype) -> Share:
        """In the shape and dtype of the tensor it is for."""

    def join(self, other: Share) -> Share:
        """The sum with another; mixed unless the examples lie alike in both."""
        if type(self) is type(other):
            return self.add(other)
        return next((share for share in (self, other) if type(share) is Mixed), MET)


@dataclass(frozen=True, slots=True)
class Mixed(Share):
    """Examples have met where they should not: why."""

    reason: str

    def pull(self, jacobian: LinearMap | Borrowed) -> Share:
        del jacobian
        return self

    def add(self, other: Any) -> Share:
        del other
        return self

    def fit(self, shape: Shape, dtype: torch.dtype) -> Share:
        del shape, dtype
        return self


MET = Mixed("what it computed is used for each example by itself, and for all examples together")


@dataclass(frozen=True, slots=True)
class Whole(Share):
    """The cotangent of one number that all examples made: a loss that was reduced."""

    cotangent: Tensor
    count: int

    def pull(self, jacobian: LinearMap | Borrowed) -> Share:
        pulled = jacobian.pull(self.cotangent)
        if pulled.numel() == 1:
            return Whole(pulled, self.count)
        return self._divided(pulled)

    def add(self, other: Whole) -> Share:
        return Whole(self.cotangent + other.cotangent, self.count)

    def fit(self, shape: Shape, dtype: torch.dtype) -> Share:
        return Whole(fitted(self.cotangent.expand(shape), shape, dtype), self.count)

    def _divided(self, cotangent: Tensor) -> Share:
        """What was reduced has its examples along its first dimension, as PyTorch's losses have."""
        first, *others = cotangent.shape
        if first % self.count or (first != self.count and self.count in others):
            shape = " × ".join(map(str, cotangent.shape))
            return Mixed(f"it reduces a tensor of {shape}, whose first dimension does not hold {self.count} examples")
        return Spread(cotangent, Batch(self.count, 0, first // self.count))


@dataclass(frozen=True, slots=True)
class Spread(Share):
    """Each entry belongs to one example: where, `batch` says."""

    cotangent: Tensor
    batch: Batch

    def pull(self, jacobian: LinearMap | Borrowed) -> Share:
        if self.batch.count == 1:  # there is nobody to be told apart from
            return Spread(jacobian.pull(self.cotangent), self.batch)
        batch = jacobian.pulled(self.batch)
        if batch is not None and batch.fits(jacobian.source):
            return Spread(jacobian.pull(self.cotangent), batch)
        if jacobian.mixes(self.batch):
            return Mixed("it normalises over the examples, so that each changes what becomes of the others")
        parts = jacobian.apart(self.cotangent, self.batch)
        return (self._found(jacobian) if parts.general else None) or Apart((parts,))

    def add(self, other: Spread) -> Share:
        return Spread(self.cotangent + other.cotangent, self.batch) if self.batch == other.batch else MET

    def fit(self, shape: Shape, dtype: torch.dtype) -> Share:
        if self.cotangent.shape != shape:
            return self.pull(Expand(shape, tuple(self.cotangent.shape))).fit(shape, dtype)
        return self if self.cotangent.dtype is dtype else Spread(self.cotangent.to(dtype), self.batch)

    def _found(self, jacobian: LinearMap | Borrowed) -> Share | None:
        """The cotangent that is pulled back, where in fact no entry of it has come from two examples."""
        left = [batch for batch in self.batch.candidates(jacobian.source) if batch.fits(jacobian.source)]
        total: Tensor | None = None
        step = max(1, BLOCK // max(1, math.prod(jacobian.target)))
        for start in range(0, self.batch.count if left else 0, step):
            stop = min(start + step, self.batch.count)
            block = jacobian.pull_each(self.batch.each(self.cotangent, start, stop))
            left = [batch for batch in left if not block.masked_fill(batch.own(block[0], start, stop), 0).any()]
            if not left:
                return None
            total = block.sum(0) if total is None else total + block.sum(0)
        return Spread(total, left[0]) if total is not None else None


@dataclass(frozen=True, slots=True)
class Apart(Share):
    """What each example has in it, told apart, in forms that are added up where a parameter is reached."""

    parts: tuple[Parts, ...]

    def pull(self, jacobian: LinearMap | Borrowed) -> Share:
        return Apart(tuple(jacobian.through(part) for part in self.parts))

    def add(self, other: Apart) -> Share:
        return Apart(self.parts + other.parts)

    def fit(self, shape: Shape, dtype: torch.dtype) -> Share:
        del dtype
        if all(part.shape == shape for part in self.parts):
            return self
        return Apart(tuple(p if p.shape == shape else Expand(shape, p.shape).through(p) for p in self.parts))


@dataclass(frozen=True, slots=True)
class Borrowed:
    """From one input of an operation to one output, as PyTorch's own product has it: it can only be pulled."""

    node: Any
    slot: int
    position: int
    source: Shape
    target: Shape
    dtype: torch.dtype
    keeps_norms: bool = False

    def pull(self, cotangent: Tensor) -> Tensor:
        cotangents: list[Tensor | None] = [None] * len(self.node._input_metadata)
        cotangents[self.slot] = cotangent
        answer = vector_jacobian(self.node, cotangents)[self.position]
        return cotangent.new_zeros(self.source) if answer is None else fitted(answer, self.source, self.dtype)

    def pull_each(self, cotangents: Tensor) -> Tensor:
        return torch.stack([self.pull(cotangent) for cotangent in cotangents])

    def pulled(self, batch: Batch) -> None:
        del batch

    def mixes(self, batch: Batch) -> bool:
        del batch
        return False

    def apart(self, cotangent: Tensor, batch: Batch) -> Parts:
        return Masked(self, cotangent, batch)

    def through(self, parts: Parts) -> Parts:
        return Pulled(self, parts)
