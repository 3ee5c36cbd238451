"""A matrix of blocks, each a map of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rounding, Shape

__all__ = ["Blocks", "Place"]

Place = tuple[slice | int, ...]
"""Which part of a tensor, as it is written in brackets."""


@dataclass(frozen=True, slots=True, repr=False)
class Blocks(LinearMap):
    """v ↦ some parts of v, each through a map of its own and put in its place, with zeros elsewhere.

    No two blocks take from the same entries, nor put into the same ones.
    """

    source: Shape = field()
    target: Shape = field()
    takes: tuple[Place, ...]
    maps: tuple[LinearMap, ...]
    puts: tuple[Place, ...]

    def push(self, tangent: Tensor) -> Tensor:
        return _each(tangent, self.takes, [block.push for block in self.maps], self.puts, self.target)

    def pull(self, cotangent: Tensor) -> Tensor:
        return _each(cotangent, self.puts, [block.pull for block in self.maps], self.takes, self.source)

    def modulus(self) -> LinearMap:
        return replace(self, maps=tuple(block.modulus() for block in self.maps))

    def strongest(self, cotangent: Tensor) -> Tensor:
        return _each(cotangent, self.puts, [block.strongest for block in self.maps], self.takes, self.source)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return _each(tangent, self.takes, [block.strongest_push for block in self.maps], self.puts, self.target)

    def rounding(self) -> Rounding:
        each = [block.rounding() for block in self.maps]
        modulus = replace(self, maps=tuple(rounding.modulus for rounding in each))
        return Rounding(modulus, max(rounding.pull for rounding in each), max(rounding.push for rounding in each))


def _each(
    tensor: Tensor,
    takes: Sequence[Place],
    maps: Sequence[Callable[[Tensor], Tensor]],
    puts: Sequence[Place],
    shape: Shape,
) -> Tensor:
    answer = tensor.new_zeros(shape)
    for take, through, put in zip(takes, maps, puts, strict=True):
        answer[put] = through(tensor[take])
    return answer
