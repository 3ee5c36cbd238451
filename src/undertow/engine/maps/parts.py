"""A gradient in parts, one for each example of a batch, in whatever form takes least work."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.linalg import vector_norm

from undertow.engine.maps.batch import Shape
from undertow.engine.maps.matmul import one_by_one, times

__all__ = ["BLOCK", "Explicit", "Outer", "Parts", "Picked", "Pullable", "written_along", "written_squares"]

BLOCK = 2**19
"""Gradients written out at a time: so many entries, or one example's."""


class Pullable(Protocol):
    """What cotangents can be pulled through: a linear map, or PyTorch's own product."""

    @property
    def source(self) -> Shape: ...

    @property
    def target(self) -> Shape: ...

    @property
    def keeps_norms(self) -> bool: ...

    def pull(self, cotangent: Tensor) -> Tensor: ...

    def pull_each(self, cotangents: Tensor) -> Tensor: ...


class Parts(abc.ABC):
    """What each example of a batch contributes to the gradient by one tensor, of shape `shape`."""

    __slots__ = ()

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many examples."""

    @property
    @abc.abstractmethod
    def shape(self) -> Shape:
        """The shape of each part."""

    @abc.abstractmethod
    def block(self, start: int, stop: int) -> Tensor:
        """The parts of some examples, written out: (stop - start, *shape)."""

    @abc.abstractmethod
    def squares(self) -> Tensor:
        """The squared norm of each part: (count,)."""

    @abc.abstractmethod
    def total(self) -> Tensor:
        """The sum of the parts: the gradient."""

    @abc.abstractmethod
    def along(self, direction: Tensor) -> Tensor:
        """The inner product of each part with a tensor of shape `shape`: (count,)."""

    @property
    def general(self) -> bool:
        """Whether each part costs a pull of its own."""
        return False

    def kin(self) -> object:
        """Parts of equal kin can be added without being written out."""
        return id(self)

    def plus(self, others: Sequence[Any]) -> Parts:
        """The sum with others of equal kin."""
        raise NotImplementedError(f"{type(self).__name__} is of no kin: {len(others)} others")

    def rows(self, index: Tensor) -> Tensor | None:
        """Of each part, a matrix, the rows that `index` (count, T) names, if they can be had without the rest."""
        del index
        return None

    def reshaped(self, shape: Shape) -> Parts | None:
        """The same parts in another shape, if this form can tell them."""
        del shape
        return None

    def permuted(self, dims: tuple[int, ...]) -> Parts | None:
        """The same parts with dimension `dims[i]` in place i, if this form can tell them."""
        del dims
        return None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.count} of {'×'.join(map(str, self.shape)) or 'scalar'})"


def _blocks(parts: Parts) -> Iterator[tuple[int, int]]:
    step = max(1, BLOCK // max(1, math.prod(parts.shape)))
    return ((start, min(start + step, parts.count)) for start in range(0, parts.count, step))


def _each(parts: Parts, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """What is measured of each part, written out a block at a time."""
    return torch.cat([measure(parts.block(*bounds).flatten(1)) for bounds in _blocks(parts)])


def _squares(tensor: Tensor) -> Tensor:
    """Over all dimensions but the first."""
    norms: Tensor = vector_norm(tensor.flatten(1), dim=1)
    return norms.square_()


def written_squares(parts: Parts) -> Tensor:
    """The squared norm of each part, by writing them out."""
    return _each(parts, _squares)


def written_along(parts: Parts, direction: Tensor) -> Tensor:
    """The inner product of each part with a direction, by writing them out."""
    return _each(parts, lambda block: block @ direction.flatten())


@dataclass(frozen=True, slots=True, repr=False)
class Explicit(Parts):
    """Written out: (count, *shape)."""

    parts: Tensor

    @property
    def count(self) -> int:
        return self.parts.shape[0]

    @property
    def shape(self) -> Shape:
        return tuple(self.parts.shape[1:])

    def block(self, start: int, stop: int) -> Tensor:
        return self.parts[start:stop]

    def squares(self) -> Tensor:
        return _squares(self.parts)

    def total(self) -> Tensor:
        return self.parts.sum(0)

    def along(self, direction: Tensor) -> Tensor:
        return self.parts.flatten(1) @ direction.flatten()

    def kin(self) -> object:
        return Explicit, self.shape

    def plus(self, others: Sequence[Explicit]) -> Parts:
        return Explicit(sum((other.parts for other in others), start=self.parts))

    def rows(self, index: Tensor) -> Tensor | None:
        return self.parts[torch.arange(self.count, device=index.device).unsqueeze(1), index]

    def reshaped(self, shape: Shape) -> Parts:
        return Explicit(self.parts.reshape(self.count, *shape))

    def permuted(self, dims: tuple[int, ...]) -> Parts:
        return Explicit(self.parts.permute(0, *[dim + 1 for dim in dims]))


@dataclass(frozen=True, slots=True, repr=False)
class Outer(Parts):
    """Part i is Σₜ left[i, :, t] ⊗ right[i, :, t], in each of some groups: what a product sends to a factor.

    `left` is (count, groups, T, m), `right` (count, groups, T, n); the part is (groups, m, n), in shape `shape`.
    """

    left: Tensor
    right: Tensor
    shape: Shape = field()

    @property
    def count(self) -> int:
        return self.left.shape[0]

    def block(self, start: int, stop: int) -> Tensor:
        return times(self.left[start:stop].mT, self.right[start:stop]).reshape(stop - start, *self.shape)

    def squares(self) -> Tensor:
        terms, m, n = self.left.shape[2], self.left.shape[3], self.right.shape[3]
        if terms == 1:
            each: Tensor = vector_norm(self.left, dim=-1).mul_(vector_norm(self.right, dim=-1)).square_()
            return each.flatten() if each.shape[1] == 1 else each.sum((1, 2))
        # ‖Σₜ aₜ ⊗ dₜ‖² = Σ over t, u of (aₜ·aᵤ)(dₜ·dᵤ), cheaper than the matrix where the terms are few.
        if terms * (m + n) < m * n:
            return ((self.left @ self.left.mT) * (self.right @ self.right.mT)).sum((1, 2, 3))
        # A matrix and its transpose have one norm, and the factor that comes first is copied: the narrower.
        first, second = (self.left, self.right) if m <= n else (self.right, self.left)
        return _product_squares(first, second) if one_by_one(first.mT, second) else written_squares(self)

    def total(self) -> Tensor:
        left, right = (side.transpose(0, 1).flatten(1, 2) for side in (self.left, self.right))
        return times(left.mT, right).reshape(self.shape)

    def along(self, direction: Tensor) -> Tensor:
        groups, m, n = self.left.shape[1], self.left.shape[3], self.right.shape[3]
        return ((self.left @ direction.reshape(groups, m, n)) * self.right).sum((1, 2, 3))

    def kin(self) -> object:
        return Outer, self.left.shape[1], self.left.shape[3], self.right.shape[3], self.shape

    def plus(self, others: Sequence[Outer]) -> Parts:
        every = (self, *others)
        left, right = torch.cat([o.left for o in every], 2), torch.cat([o.right for o in every], 2)
        return replace(self, left=left, right=right)

    def rows(self, index: Tensor) -> Tensor | None:
        if self.left.shape[1] != 1 or self.shape != (self.left.shape[3], self.right.shape[3]):
            return None
        left, right = self.left[:, 0], self.right[:, 0]
        return left.gather(2, index.unsqueeze(1).expand(-1, left.shape[1], -1)).mT @ right

    def reshaped(self, shape: Shape) -> Parts:
        return replace(self, shape=shape)

    def permuted(self, dims: tuple[int, ...]) -> Parts | None:
        *before, m, n = range(len(self.shape))
        if dims != (*before, n, m) or self.shape[-2:] != (self.left.shape[3], self.right.shape[3]):
            return None
        return Outer(self.right, self.left, tuple(self.shape[dim] for dim in dims))


def _product_squares(left: Tensor, right: Tensor) -> Tensor:
    """The squared norms of large products, each measured as soon as it is formed, while the cache has it."""
    pairs = zip(left.flatten(0, 1), right.flatten(0, 1), strict=True)
    norms = torch.stack([vector_norm(times(a.t(), b)) for a, b in pairs])
    return norms.square_().reshape(left.shape[:2]).sum(1)


def _rowwise(tensor: Tensor) -> Tensor:
    """The squared norm of each row."""
    norms: Tensor = vector_norm(tensor, dim=-1)
    return norms.square_()


@dataclass(frozen=True, slots=True, repr=False)
class Picked(Parts):
    """Part i adds `values[i, t]` to row `index[i, t]` of a matrix of zeros: what a lookup sends to its table."""

    index: Tensor
    values: Tensor
    length: int

    @property
    def count(self) -> int:
        return self.index.shape[0]

    @property
    def shape(self) -> Shape:
        return self.length, self.values.shape[-1]

    def block(self, start: int, stop: int) -> Tensor:
        written = self.values.new_zeros((stop - start) * self.length, self.values.shape[-1])
        first = torch.arange(0, written.shape[0], self.length, device=self.index.device).unsqueeze(1)
        written.index_add_(0, (self.index[start:stop] + first).flatten(), self.values[start:stop].flatten(0, 1))
        return written.reshape(stop - start, *self.shape)

    def squares(self) -> Tensor:
        # Of each example's table only the rows that it used are formed.
        first = torch.arange(self.count, device=self.index.device).unsqueeze(1) * self.length
        used, place = (self.index + first).flatten().unique(return_inverse=True)
        rows = self.values.new_zeros(len(used), self.values.shape[-1]).index_add_(0, place, self.values.flatten(0, 1))
        return self.values.new_zeros(self.count).index_add_(0, used // self.length, _rowwise(rows))

    def total(self) -> Tensor:
        return self.values.new_zeros(self.shape).index_add_(0, self.index.flatten(), self.values.flatten(0, 1))

    def along(self, direction: Tensor) -> Tensor:
        return (direction[self.index] * self.values).sum((1, 2))

    def kin(self) -> object:
        return Picked, self.shape

    def plus(self, others: Sequence[Picked]) -> Parts:
        every = (self, *others)
        index, values = torch.cat([p.index for p in every], 1), torch.cat([p.values for p in every], 1)
        return Picked(index, values, self.length)

    def rows(self, index: Tensor) -> Tensor | None:
        return (index.unsqueeze(2) == self.index.unsqueeze(1)).to(self.values.dtype) @ self.values
