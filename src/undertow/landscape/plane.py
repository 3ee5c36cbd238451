"""The points to be measured: a centre, and what is added to it along each axis."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

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

    def stacked(self, points: Tensor) -> dict[str, Tensor]:
        """The weights that move, at each of some points (points, axes): stacked along a new first dimension."""
        found: dict[str, Tensor] = {}
        for number, direction in enumerate(self.directions):
            for name, part in direction.items():
                if bool(part.any()):
                    step = points[:, number].to(part.dtype).reshape(-1, *(1 for _ in part.shape))
                    found[name] = torch.addcmul(found.get(name, self.centre[name]), step, part)
        return found

    def writer(self, tensors: Mapping[str, Tensor]) -> Callable[[Sequence[float]], None]:
        """What writes the weights at a point into tensors of these names.

        What the last coordinate does not change is kept from one point to the next.
        """
        moved = [[name for name, part in direction.items() if bool(part.any())] for direction in self.directions]
        along = [(name, tensors[name], self.directions[-1][name]) for name in moved[-1]]
        names = dict.fromkeys(name for some in moved for name in some)
        row: dict[str, Tensor] = {name: self.centre[name].clone() for name in names}
        rest = [name for name in row if name not in moved[-1]]
        at: list[Sequence[float]] = [()]
        for name, tensor in self.centre.items():
            tensors[name].copy_(tensor)

        def begin(coordinates: Sequence[float]) -> None:
            for name, tensor in row.items():
                tensor.copy_(self.centre[name])
            for coordinate, some, direction in zip(coordinates, moved, self.directions, strict=False):
                for name in some:
                    row[name].add_(direction[name], alpha=coordinate)
            for name in rest:
                tensors[name].copy_(row[name])

        def write(coordinates: Sequence[float]) -> None:
            if at[0] != coordinates[:-1] and len(coordinates) > 1:
                at[0] = coordinates[:-1]
                begin(at[0])
            for name, tensor, part in along:
                torch.add(row[name], part, alpha=coordinates[-1], out=tensor)

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
