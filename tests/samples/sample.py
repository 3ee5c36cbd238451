"""One small forward pass, and short ways to write it down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from undertow.engine.graph import Graph

__all__ = [
    "IMAGE",
    "Kind",
    "M",
    "Sample",
    "as_it_is",
    "at",
    "channels_last",
    "entrywise",
    "integers",
    "of",
    "strided",
    "uniform",
]


Kind = Callable[[Tensor], Tensor]
"""The same numbers as a tensor of another kind."""


def as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def strided(tensor: Tensor) -> Tensor:
    """Every other entry of a larger one, its dimensions in reverse order in memory."""
    if not tensor.ndim:
        return tensor.expand(2)[0]
    room = torch.empty(*tensor.shape[::-1], 2, dtype=tensor.dtype)[..., 1].permute(*reversed(range(tensor.ndim)))
    return room.copy_(tensor)


def channels_last(tensor: Tensor) -> Tensor:
    """The channels next to each other in memory, of images and volumes."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return tensor.contiguous(memory_format=formats.get(tensor.ndim, torch.contiguous_format))


@dataclass(frozen=True)
class Sample:
    """A function of some float64 tensors of these shapes, with entries drawn between two numbers."""

    run: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    low: float = -2.0
    high: float = 2.0

    def ran(self, kind: Kind = as_it_is) -> tuple[list[Tensor], list[Tensor]]:
        """The tensors it was run on, and those of its results that require a gradient."""
        inputs = [kind(drawn).requires_grad_() for drawn in self.drawn()]
        return inputs, [output for output in self.results(inputs) if output.requires_grad]

    def drawn(self) -> list[Tensor]:
        """The tensors it is run on."""
        generator = torch.Generator().manual_seed(0)
        return [
            torch.empty(shape, dtype=torch.float64).uniform_(self.low, self.high, generator=generator)
            for shape in self.shapes
        ]

    def results(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """What comes of other tensors of these shapes."""
        torch.manual_seed(0)
        result = self.run(*inputs)
        return [result] if isinstance(result, Tensor) else [*result]

    def nodes(self, name: str, kind: Kind = as_it_is) -> list[Any]:
        """The nodes of one type that running it records."""
        _, outputs = self.ran(kind)
        return [node for node in Graph.read(outputs).nodes if type(node).__name__ == name]


def of(run: Callable[..., Any], *shapes: tuple[int, ...], low: float = -2.0, high: float = 2.0) -> Sample:
    return Sample(run, shapes, low, high)


def entrywise(run: Callable[[Tensor], Tensor], low: float = -2.0, high: float = 2.0) -> list[Sample]:
    return [of(run, shape, low=low, high=high) for shape in ((3, 4), (), (0, 2))]


def at(run: Callable[[Tensor], Tensor], *points: float) -> Sample:
    """At exactly these points: the kinks of a function."""
    return of(lambda x: run(x * 0 + torch.tensor(points, dtype=x.dtype)), (len(points),))


def integers(*shape: int, below: int) -> Tensor:
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(1))


def uniform(*shape: int) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


M = torch.eye(3, 4) > 0
IMAGE = (2, 4, 5, 6)
