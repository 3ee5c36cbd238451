"""The points to be measured: a centre, and what is added to it along each axis."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from undertow.errors import LandscapeError
from undertow.landscape.directions import difference

__all__ = ["Plane"]


@dataclass(frozen=True)
class Plane:
    """An affine space of weights, of one or two dimensions.

    Attributes:
        centre: Where all coordinates are 0: tensors by name.
        directions: What one unit along each axis adds to each of them.
    """

    centre: Mapping[str, Tensor]
    directions: tuple[Mapping[str, Tensor], ...]

    def __post_init__(self) -> None:
        for direction in self.directions:
            wrong = [n for n, d in direction.items() if n not in self.centre or d.shape != self.centre[n].shape]
            if wrong or not direction:
                raise LandscapeError(
                    f"a direction does not fit the model: {', '.join(wrong[:3]) or 'it is empty'}\n"
                    "  A direction has a tensor for each parameter that is to be moved, by its name and in its shape."
                )

    def at(self, coordinates: Tensor) -> dict[str, Tensor]:
        """The weights at a point."""
        point = dict(self.centre)
        for number, direction in enumerate(self.directions):
            for name, part in direction.items():
                point[name] = point[name] + coordinates[number].to(part.dtype) * part
        return point

    def writer(self, model: nn.Module) -> Callable[[Sequence[float]], None]:
        """What writes the weights at a point into a model."""
        named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        tensors, values = [named[name] for name in self.centre], [*self.centre.values()]
        moved = [([named[name] for name in direction], [*direction.values()]) for direction in self.directions]

        def write(coordinates: Sequence[float]) -> None:
            torch._foreach_copy_(tensors, values)
            for coordinate, (some, parts) in zip(coordinates, moved, strict=True):
                torch._foreach_add_(some, parts, alpha=coordinate)

        return write

    def project(self, point: Mapping[str, Tensor]) -> tuple[tuple[float, ...], float]:
        """The coordinates of the point of this plane nearest to another, and the share of the way that lies outside.

        The share is the distance to the plane over the distance to the centre: 0 where the other lies in it.
        """
        away = _flat(difference(self.centre, point), self.centre)
        axes = np.stack([_flat(direction, self.centre) for direction in self.directions], 1)
        coordinates = np.linalg.lstsq(axes, away, rcond=None)[0]
        distance = float(np.linalg.norm(away))
        outside = float(np.linalg.norm(away - axes @ coordinates)) / distance if distance else 0.0
        return tuple(coordinates.tolist()), outside

    def digest(self) -> str:
        """A fingerprint of its numbers."""
        told = hashlib.sha256()
        for tensors in (self.centre, *self.directions):
            for name, tensor in tensors.items():
                told.update(name.encode())
                told.update(tensor.detach().cpu().double().numpy().tobytes())
        return told.hexdigest()


def _flat(tensors: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """All entries in a row, zeros where there is none of a name."""
    parts = [tensors[name] if name in tensors else torch.zeros_like(tensor) for name, tensor in like.items()]
    return torch.cat([part.detach().flatten().double().cpu() for part in parts]).numpy()
