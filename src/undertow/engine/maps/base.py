"""What a linear map is, and the maps that are made of other maps."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from undertow.engine.maps.batch import Batch, Shape
from undertow.engine.maps.parts import Parts
from undertow.engine.maps.per_example import PerExample

__all__ = ["Adjoint", "Compose", "Identity", "LinearMap", "Rearrangement", "Rounding", "Shape", "Sum", "links"]


class Rounding(NamedTuple):
    """How far the arithmetic of a map can be off: entry by entry, γ(n) · modulus.pull(|cotangent|) for its pull.

    γ(n) = n u / (1 - n u), for the unit roundoff u of the dtype. Likewise for its push.

    Attributes:
        modulus: The map's modulus, or one that is larger where computing takes apart what a matrix entry adds up.
        pull: The most roundings that a term of an entry of `pull` goes through.
        push: The same of `push`.
    """

    modulus: LinearMap
    pull: int
    push: int


class LinearMap(PerExample):
    """A linear function between two tensor spaces. Subclasses are final and frozen.

    A map states both directions, because each is best written by hand, and laws hold them together:
    `<push(v), w> = <v, pull(w)>` for all v and w. Maps over complex spaces use the conjugate transpose.
    """

    __slots__ = ()

    @abc.abstractmethod
    def push(self, tangent: Tensor) -> Tensor:
        """The Jacobian-vector product: a tensor of shape `source` to one of shape `target`."""

    @abc.abstractmethod
    def pull(self, cotangent: Tensor) -> Tensor:
        """The vector-Jacobian product: a tensor of shape `target` to one of shape `source`."""

    @abc.abstractmethod
    def modulus(self) -> LinearMap:
        """The same map with every matrix entry replaced by its absolute value."""

    @abc.abstractmethod
    def strongest(self, cotangent: Tensor) -> Tensor:
        """For each entry s of `source`, the largest |A[t, s]| · cotangent[t] there is, over the entries t of `target`.

        What the strongest path brings back to s, in place of what all paths bring together (`pull`). No entry
        of the cotangent is negative. Where a map is made of several, a path is one through each of them.
        """

    @abc.abstractmethod
    def strongest_push(self, tangent: Tensor) -> Tensor:
        """The same from source to target: for each t, the largest |A[t, s]| · tangent[s], over s."""

    @abc.abstractmethod
    def rounding(self) -> Rounding:
        """How far `pull` and `push` can be off by rounding."""

    def adjoint(self) -> LinearMap:
        """The map back, with `<Av, w> = <v, A*w>` for all v and w."""
        return Adjoint(self)

    def __call__(self, tangent: Tensor) -> Tensor:
        return self.push(tangent)

    def __matmul__(self, inner: LinearMap) -> LinearMap:
        return Compose(self, inner)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_size(self.source)} → {_size(self.target)})"


def _size(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "scalar"


class Rearrangement(LinearMap):
    """A map that moves entries or leaves them out: its matrix has a 1 at most once in each row and each column."""

    __slots__ = ()

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self.pull(cotangent)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.push(tangent)

    def rounding(self) -> Rounding:
        return Rounding(self, 0, 0)


@dataclass(frozen=True, slots=True, repr=False)
class Identity(Rearrangement):
    """v ↦ v."""

    shape: Shape

    @property
    def source(self) -> Shape:
        return self.shape

    @property
    def target(self) -> Shape:
        return self.shape

    def push(self, tangent: Tensor) -> Tensor:
        return tangent

    def pull(self, cotangent: Tensor) -> Tensor:
        return cotangent

    @property
    def keeps_norms(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch:
        return batch

    def pushed(self, batch: Batch) -> Batch:
        return batch

    def through(self, parts: Parts) -> Parts:
        return parts


@dataclass(frozen=True, slots=True, repr=False)
class Adjoint(LinearMap):
    """The map back: push and pull change places."""

    of: LinearMap

    @property
    def source(self) -> Shape:
        return self.of.target

    @property
    def target(self) -> Shape:
        return self.of.source

    def push(self, tangent: Tensor) -> Tensor:
        return self.of.pull(tangent)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.of.push(cotangent)

    def pulled(self, batch: Batch) -> Batch | None:
        return self.of.pushed(batch)

    def pushed(self, batch: Batch) -> Batch | None:
        return self.of.pulled(batch)

    def modulus(self) -> LinearMap:
        return Adjoint(self.of.modulus())

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self.of.strongest_push(cotangent)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.of.strongest(tangent)

    def rounding(self) -> Rounding:
        modulus, pull, push = self.of.rounding()
        return Rounding(Adjoint(modulus), push, pull)

    def adjoint(self) -> LinearMap:
        return self.of


@dataclass(frozen=True, slots=True, repr=False)
class Compose(LinearMap):
    """v ↦ outer(inner(v)).

    Its modulus composes the moduli: entry by entry an upper bound, which counts the paths through the
    space between the two as paths that do not cancel.
    """

    outer: LinearMap
    inner: LinearMap

    @property
    def source(self) -> Shape:
        return self.inner.source

    @property
    def target(self) -> Shape:
        return self.outer.target

    def push(self, tangent: Tensor) -> Tensor:
        return self.outer.push(self.inner.push(tangent))

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.inner.pull(self.outer.pull(cotangent))

    @property
    def multiplies(self) -> bool:
        return self.outer.multiplies or self.inner.multiplies

    def pulled(self, batch: Batch) -> Batch | None:
        between = self.outer.pulled(batch)
        return None if between is None else self.inner.pulled(between)

    def pushed(self, batch: Batch) -> Batch | None:
        between = self.inner.pushed(batch)
        return None if between is None else self.outer.pushed(between)

    def mixes(self, batch: Batch) -> bool:
        between = self.outer.pulled(batch)
        return self.outer.mixes(batch) or (between is not None and self.inner.mixes(between))

    def apart(self, cotangent: Tensor, batch: Batch) -> Parts:
        between = self.outer.pulled(batch)
        if between is None:
            return self.inner.through(self.outer.apart(cotangent, batch))
        return self.inner.apart(self.outer.pull(cotangent), between)

    def through(self, parts: Parts) -> Parts:
        return self.inner.through(self.outer.through(parts))

    def pull_each(self, cotangents: Tensor) -> Tensor:
        return self.inner.pull_each(self.outer.pull_each(cotangents))

    def modulus(self) -> LinearMap:
        return Compose(self.outer.modulus(), self.inner.modulus())

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self.inner.strongest(self.outer.strongest(cotangent))

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self.outer.strongest_push(self.inner.strongest_push(tangent))

    def rounding(self) -> Rounding:
        outer, inner = self.outer.rounding(), self.inner.rounding()
        return Rounding(Compose(outer.modulus, inner.modulus), outer.pull + inner.pull, outer.push + inner.push)


@dataclass(frozen=True, slots=True, repr=False)
class Sum(LinearMap):
    """v ↦ left(v) + right(v). Its modulus adds the moduli: an upper bound where the two overlap."""

    left: LinearMap
    right: LinearMap

    @property
    def source(self) -> Shape:
        return self.left.source

    @property
    def target(self) -> Shape:
        return self.left.target

    def push(self, tangent: Tensor) -> Tensor:
        return self.left.push(tangent) + self.right.push(tangent)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.left.pull(cotangent) + self.right.pull(cotangent)

    def pulled(self, batch: Batch) -> Batch | None:
        left = self.left.pulled(batch)
        return left if left == self.right.pulled(batch) else None

    def mixes(self, batch: Batch) -> bool:
        return self.left.mixes(batch) or self.right.mixes(batch)

    def modulus(self) -> LinearMap:
        return Sum(self.left.modulus(), self.right.modulus())

    def strongest(self, cotangent: Tensor) -> Tensor:
        return torch.maximum(self.left.strongest(cotangent), self.right.strongest(cotangent))

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return torch.maximum(self.left.strongest_push(tangent), self.right.strongest_push(tangent))

    def rounding(self) -> Rounding:
        left, right = self.left.rounding(), self.right.rounding()
        both = max(left.pull, right.pull) + 1, max(left.push, right.push) + 1
        return Rounding(Sum(left.modulus, right.modulus), *both)


def links(chain: LinearMap) -> list[LinearMap]:
    """The maps that a cotangent is pulled through one after the other."""
    if not isinstance(chain, Compose):
        return [chain]
    return [*links(chain.outer), *links(chain.inner)]
