"""Parts of a gradient that stand behind another map, behind no map that has a form of its own, or are sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from undertow.engine.maps.batch import Batch, Shape
from undertow.engine.maps.parts import Parts, Picked, Pullable, written_along, written_squares

__all__ = ["Joined", "Masked", "Pulled", "together"]


@dataclass(frozen=True, slots=True, repr=False)
class Masked(Parts):
    """What any map pulls back from each example's share of a cotangent: the general form, one pull an example."""

    jacobian: Pullable
    cotangent: Tensor
    batch: Batch

    @property
    def count(self) -> int:
        return self.batch.count

    @property
    def shape(self) -> Shape:
        return self.jacobian.source

    @property
    def general(self) -> bool:
        return True

    def block(self, start: int, stop: int) -> Tensor:
        return self.jacobian.pull_each(self.batch.each(self.cotangent, start, stop))

    def squares(self) -> Tensor:
        return written_squares(self)

    def total(self) -> Tensor:
        return self.jacobian.pull(self.cotangent)

    def along(self, direction: Tensor) -> Tensor:
        return written_along(self, direction)


@dataclass(frozen=True, slots=True, repr=False)
class Pulled(Parts):
    """What a map pulls back from parts."""

    jacobian: Pullable
    parts: Parts

    @property
    def count(self) -> int:
        return self.parts.count

    @property
    def shape(self) -> Shape:
        return self.jacobian.source

    @property
    def general(self) -> bool:
        return self.parts.general

    def block(self, start: int, stop: int) -> Tensor:
        return self.jacobian.pull_each(self.parts.block(start, stop))

    def squares(self) -> Tensor:
        return self.parts.squares() if self.jacobian.keeps_norms else written_squares(self)

    def total(self) -> Tensor:
        return self.jacobian.pull(self.parts.total())

    def along(self, direction: Tensor) -> Tensor:
        return written_along(self, direction)


@dataclass(frozen=True, slots=True, repr=False)
class Joined(Parts):
    """The sum of parts of different forms: what a tensor gets that is used in several ways."""

    summands: tuple[Parts, ...]

    @property
    def count(self) -> int:
        return self.summands[0].count

    @property
    def shape(self) -> Shape:
        return self.summands[0].shape

    def block(self, start: int, stop: int) -> Tensor:
        first, *others = (part.block(start, stop) for part in self.summands)
        return sum(others, start=first)

    def squares(self) -> Tensor:
        crossed = self._crossed()
        return written_squares(self) if crossed is None else sum(p.squares() for p in self.summands) + 2 * crossed

    def total(self) -> Tensor:
        first, *others = (part.total() for part in self.summands)
        return sum(others, start=first)

    def along(self, direction: Tensor) -> Tensor:
        first, *others = (part.along(direction) for part in self.summands)
        return sum(others, start=first)

    def _crossed(self) -> Tensor | None:
        """The inner product of the two summands of each example, where one is a lookup and there are two."""
        ordered = sorted(self.summands, key=lambda part: type(part) is not Picked)
        first, *others = ordered
        if type(first) is not Picked or len(others) != 1:
            return None
        rows = others[0].rows(first.index)
        return None if rows is None else (rows * first.values).sum((1, 2))


def together(parts: Sequence[Parts]) -> Parts:
    """The sum of some parts, with those of equal kin made one."""
    if len(parts) == 1:
        return parts[0]
    groups: dict[object, list[Parts]] = {}
    for part in parts:
        groups.setdefault(part.kin(), []).append(part)
    merged = [first.plus(others) if others else first for first, *others in groups.values()]
    return merged[0] if len(merged) == 1 else Joined(tuple(merged))
