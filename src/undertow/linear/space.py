"""What an operator takes and gives: a tensor, several in order, or several by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from undertow.engine.maps import Shape
from undertow.errors import GraphError, SpaceError

__all__ = ["Point", "Space", "arranged", "chosen"]

Point = Tensor | Sequence[Tensor] | Mapping[str, Tensor]
"""An element of a space, arranged as the tensors were that the space was made from."""


@dataclass(frozen=True, slots=True)
class Space:
    """The tensors that an operator takes, or those that it gives: how many, of which shapes, how arranged.

    Attributes:
        shapes: The shape of each tensor.
        dtypes: The dtype of each.
        devices: The device of each.
        names: Their names, where they are arranged by name.
        single: Whether it is one tensor, not arranged at all.
    """

    shapes: tuple[Shape, ...]
    dtypes: tuple[torch.dtype, ...]
    devices: tuple[torch.device, ...]
    names: tuple[str, ...] | None = None
    single: bool = False

    @classmethod
    def of(cls, given: Point) -> Space:
        """The space in which the tangents of some tensors live."""
        tensors, names = arranged(given)
        return cls(
            tuple(tuple(tensor.shape) for tensor in tensors),
            tuple(tensor.dtype for tensor in tensors),
            tuple(tensor.device for tensor in tensors),
            names,
            isinstance(given, Tensor),
        )

    @property
    def sizes(self) -> list[int]:
        """The number of entries of each tensor."""
        return [torch.Size(shape).numel() for shape in self.shapes]

    @property
    def size(self) -> int:
        """The number of entries in all: the length of a flat vector."""
        return sum(self.sizes)

    @property
    def is_complex(self) -> bool:
        return any(dtype.is_complex for dtype in self.dtypes)

    def __str__(self) -> str:
        return ", ".join(map(self._described, range(len(self.shapes)))) or "nothing"

    def filled(self, tensors: Sequence[Tensor | None]) -> list[Tensor]:
        """Tensors, with zeros in place of those that are none."""
        spaces = zip(tensors, self.shapes, self.dtypes, self.devices, strict=True)
        return [
            torch.zeros(shape, dtype=dtype, device=device) if tensor is None else tensor
            for tensor, shape, dtype, device in spaces
        ]

    def basis(self) -> list[Tensor]:
        """The batch of all its unit vectors."""
        rows = torch.eye(self.size, dtype=torch.float64)
        return self.unflat(rows)

    def tensors(self, point: Point, what: str) -> tuple[list[Tensor], bool]:
        """The tensors of a point, or of a batch of points along a leading dimension, and whether it is a batch.

        Raises:
            SpaceError: It does not fit.
        """
        tensors, names = arranged(point)
        if (names is None) != (self.names is None) or set(names or ()) != set(self.names or ()):
            raise self._refusal(f"{what} are arranged in another way: {_names(names, tensors)}")
        if names is not None and self.names is not None:
            by_name = dict(zip(names, tensors, strict=True))
            tensors = [by_name[name] for name in self.names]
        if len(tensors) != len(self.shapes):
            raise self._refusal(f"{len(tensors)} {what} for {len(self.shapes)} tensors")
        batches = {self._batch(number, tensor, what) for number, tensor in enumerate(tensors)}
        if len(batches) > 1:
            raise self._refusal(f"some {what} are batches and some are not, or their batches differ in length")
        return tensors, batches != {None} and bool(batches)

    def point(self, tensors: Sequence[Tensor]) -> Any:
        """Tensors arranged as this space arranges them."""
        if self.single:
            return tensors[0]
        return tuple(tensors) if self.names is None else dict(zip(self.names, tensors, strict=True))

    def flat(self, tensors: Sequence[Tensor]) -> Tensor:
        """All entries in one row, or of a batch in one row each, in the dtype that the tensors promote to."""
        pairs = zip(tensors, self.shapes, strict=True)
        return torch.cat([tensor.reshape(*tensor.shape[: tensor.ndim - len(shape)], -1) for tensor, shape in pairs], -1)

    def unflat(self, vector: Tensor) -> list[Tensor]:
        """The tensors whose entries stand in a row, or in the rows of a matrix, in their own dtypes."""
        parts = vector.split(self.sizes, -1)
        spaces = zip(parts, self.shapes, self.dtypes, self.devices, strict=True)
        return [part.reshape((*vector.shape[:-1], *shape)).to(device, dtype) for part, shape, dtype, device in spaces]

    def _batch(self, number: int, tensor: Tensor, what: str) -> int | None:
        if tensor.dtype is not self.dtypes[number]:
            raise self._refusal(f"one of the {what} has dtype {_plain(tensor.dtype)}", number)
        if tuple(tensor.shape) == self.shapes[number]:
            return None
        if tuple(tensor.shape[1:]) == self.shapes[number]:
            return tensor.shape[0]
        raise self._refusal(f"one of the {what} has shape {tuple(tensor.shape)}", number)

    def _refusal(self, what: str, number: int | None = None) -> SpaceError:
        wanted = str(self) if number is None else self._described(number)
        return SpaceError(
            f"{what}\n  A product pairs entry with entry, so it must fit: {wanted},\n"
            "  or the same with one more dimension in front for a batch."
        )

    def _described(self, number: int) -> str:
        name = f"{self.names[number]}: " if self.names else ""
        return f"{name}{self.shapes[number]} {_plain(self.dtypes[number])}"


def chosen(inputs: Point | nn.Module) -> Point:
    """The tensors to differentiate by: of a module, its parameters that require a gradient, by name.

    Raises:
        GraphError: There is none, or one of them does not require a gradient.
    """
    if isinstance(inputs, nn.Module):
        inputs = {name: parameter for name, parameter in inputs.named_parameters() if parameter.requires_grad}
    tensors, names = arranged(inputs)
    if not tensors:
        raise GraphError(
            "nothing to differentiate by\n  Pass tensors, or a module with parameters that require a gradient."
        )
    for number, tensor in enumerate(tensors):
        if not tensor.requires_grad:
            raise GraphError(
                f"input {names[number] if names else number}, of shape {tuple(tensor.shape)}, requires no gradient\n"
                "  The forward pass recorded nothing of what was computed from it, so there is no derivative by it.\n"
                "  Call .requires_grad_() on it before the forward pass."
            )
    return inputs


def arranged(point: Point) -> tuple[list[Tensor], tuple[str, ...] | None]:
    """The tensors of a point, and their names if they have any."""
    if isinstance(point, Tensor):
        return [point], None
    if isinstance(point, Mapping):
        return [*point.values()], tuple(point)
    return [*point], None


def _names(names: tuple[str, ...] | None, tensors: Sequence[Tensor]) -> str:
    return f"{len(tensors)} in order" if names is None else "by the names " + ", ".join(names)


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
