"""What a linear map is, and the maps that are made of other maps."""

from __future__ import annotations

import abc
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Adjoint", "Compose", "Identity", "LinearMap", "Shape", "Sum"]

Shape = tuple[int, ...]


class LinearMap(abc.ABC):
    """A linear function between two tensor spaces. Subclasses are final and frozen.

    A map states both directions, because each is best written by hand, and laws hold them together:
    `<push(v), w> = <v, pull(w)>` for all v and w. Maps over complex spaces use the conjugate transpose.
    """

    __slots__ = ()

    @property
    @abc.abstractmethod
    def source(self) -> Shape:
        """Shape of the tensors it takes."""

    @property
    @abc.abstractmethod
    def target(self) -> Shape:
        """Shape of the tensors it gives."""

    @abc.abstractmethod
    def push(self, tangent: Tensor) -> Tensor:
        """The Jacobian-vector product: a tensor of shape `source` to one of shape `target`."""

    @abc.abstractmethod
    def pull(self, cotangent: Tensor) -> Tensor:
        """The vector-Jacobian product: a tensor of shape `target` to one of shape `source`."""

    @abc.abstractmethod
    def modulus(self) -> LinearMap:
        """The same map with every matrix entry replaced by its absolute value."""

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


@dataclass(frozen=True, slots=True, repr=False)
class Identity(LinearMap):
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

    def modulus(self) -> LinearMap:
        return self


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

    def modulus(self) -> LinearMap:
        return Adjoint(self.of.modulus())

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

    def modulus(self) -> LinearMap:
        return Compose(self.outer.modulus(), self.inner.modulus())


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

    def modulus(self) -> LinearMap:
        return Sum(self.left.modulus(), self.right.modulus())
