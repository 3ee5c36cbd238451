"""What a linear operator is, and the operators that are made of other operators."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undertow.engine.batched import falling_back
from undertow.errors import SpaceError
from undertow.linear.space import Point, Space

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

__all__ = ["Adjoint", "Operator", "Product"]

Run = Callable[[Sequence[Tensor]], list[Tensor]]


class Operator(abc.ABC):
    """A linear map between spaces of tensors, known by its products. Subclasses are final and frozen.

    A product takes one point of a space, arranged as the tensors were that the space was made from, or a batch of
    points with one more dimension in front, and gives the same of the other space. One law holds both directions
    together: `<push(v), w> = <v, pull(w)>` for all v and w, its real part where there are complex numbers.

    Attributes:
        source: What it takes.
        target: What it gives.
    """

    source: Space
    target: Space

    @abc.abstractmethod
    def _push(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        """The product with one point of the source, not looked at again."""

    @abc.abstractmethod
    def _pull(self, cotangents: Sequence[Tensor]) -> list[Tensor]:
        """The adjoint's product with one point of the target, not looked at again."""

    def push(self, tangents: Point) -> Any:
        """The product with a point of the source, or with each of a batch in one sweep.

        Raises:
            SpaceError: The tangents do not fit the source.
        """
        given, batched = self.source.tensors(tangents, "tangents")
        return self.target.point(_each(self._push, given) if batched else self._push(given))

    def pull(self, cotangents: Point) -> Any:
        """The adjoint's product with a point of the target, or with each of a batch in one sweep.

        Raises:
            SpaceError: The cotangents do not fit the target.
        """
        given, batched = self.target.tensors(cotangents, "cotangents")
        return self.source.point(_each(self._pull, given) if batched else self._pull(given))

    def __call__(self, tangents: Point) -> Any:
        return self.push(tangents)

    def adjoint(self) -> Operator:
        """The operator back: push and pull change places."""
        return Adjoint(self, self.target, self.source)

    def __matmul__(self, inner: Operator) -> Operator:
        """First `inner`, then this.

        Raises:
            SpaceError: What `inner` gives is not what this takes.
        """
        if inner.target.shapes != self.source.shapes or inner.target.dtypes != self.source.dtypes:
            raise SpaceError(
                f"these operators do not fit end to end\n  The inner one gives {inner.target},\n"
                f"  the outer one takes {self.source}."
            )
        return Product(self, inner, inner.source, self.target)

    def matrix(self) -> Tensor:
        """The operator written out, (entries of the target, entries of the source), by one sweep from the smaller side.

        Raises:
            SpaceError: It is between complex tensors, over whose numbers it need not be linear.
        """
        self._refuse_complex("a matrix")
        if self.target.size <= self.source.size:
            return self.source.flat(_each(self._pull, self.target.basis()))
        return self.target.flat(_each(self._push, self.source.basis())).T

    def as_linear_operator(self) -> LinearOperator:
        """The operator over flat NumPy vectors, for SciPy's eigensolvers and solvers.

        A matrix is multiplied in one sweep over all of its columns. The dtype is float64 if any tensor of the two
        spaces has that dtype, float32 otherwise.

        Raises:
            SpaceError: It is between complex tensors, over whose numbers it need not be linear.
        """
        from scipy.sparse.linalg import LinearOperator  # late: it takes 0.3 s and 20 MB of whoever only observes

        self._refuse_complex("SciPy's LinearOperator")
        wide = torch.float64 in {*self.source.dtypes, *self.target.dtypes}
        forward, back = (
            lambda x: _flatly(self._push, self.source, self.target, x),
            lambda x: _flatly(self._pull, self.target, self.source, x),
        )
        return LinearOperator(
            shape=(self.target.size, self.source.size),
            dtype=np.dtype(np.float64 if wide else np.float32),
            matvec=forward,
            matmat=forward,
            rmatvec=back,
            rmatmat=back,
        )

    def _refuse_complex(self, what: str) -> None:
        for space in (self.source, self.target):
            if space.is_complex:
                raise SpaceError(
                    f"{what} cannot be made of an operator between complex tensors: {space}\n"
                    "  It is linear over the real numbers, and need not be over the complex ones.\n"
                    "  Use push and pull, or view the tensors as real (torch.view_as_real) before the forward pass."
                )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source.size} → {self.target.size})"


@dataclass(frozen=True, repr=False)
class Adjoint(Operator):
    """The operator back."""

    of: Operator
    source: Space
    target: Space

    def _push(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        return self.of._pull(tangents)

    def _pull(self, cotangents: Sequence[Tensor]) -> list[Tensor]:
        return self.of._push(cotangents)

    def adjoint(self) -> Operator:
        return self.of


@dataclass(frozen=True, repr=False)
class Product(Operator):
    """First `inner`, then `outer`."""

    outer: Operator
    inner: Operator
    source: Space
    target: Space

    def _push(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        return self.outer._push(self.inner._push(tangents))

    def _pull(self, cotangents: Sequence[Tensor]) -> list[Tensor]:
        return self.inner._pull(self.outer._pull(cotangents))


def _each(run: Run, batches: Sequence[Tensor]) -> list[Tensor]:
    """The products with all points of a batch, in one sweep."""
    if not len(batches[0]):
        return [answer[:0] for answer in _each(run, [batch.new_zeros(1, *batch.shape[1:]) for batch in batches])]
    with falling_back():
        return [*torch.vmap(lambda *point: tuple(run(point)))(*batches)]


def _flatly(run: Run, source: Space, target: Space, x: NDArray[Any]) -> NDArray[Any]:
    """A product with a flat vector, or with the columns of a matrix."""
    vector = torch.as_tensor(np.ascontiguousarray(x.T))
    if x.ndim == 1 or x.shape[1] == 1:
        answer = target.flat(run(source.unflat(vector.reshape(-1)))).reshape(*x.shape[1:], -1)
    else:
        answer = target.flat(_each(run, source.unflat(vector)))
    return answer.cpu().numpy().T
