"""The parts of a convolution kernel's gradient, from the windows that the kernel saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

from undertow.engine.maps.batch import Batch, Shape
from undertow.engine.maps.parts import Outer, Parts, Pullable, written_squares

__all__ = ["Correlated", "Motion"]

WRITTEN = 2**20
"""Entries of windows that are in hand at once, or one example's."""


class OfKernel(Pullable, Protocol):
    """A map whose pull adds up what each image brings, and that can tell this image by image."""

    def pull_by_image(self, cotangent: Tensor, start: int, stop: int) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Motion:
    """How a kernel of this size moves over an image. One number a dimension."""

    kernel: Shape
    stride: Shape
    padding: Shape
    dilation: Shape
    groups: int

    def of(self, image: Tensor, positions: Shape) -> Tensor:
        """What the kernel sees of an image (N, C, …): (N, groups, C / groups · kernel, positions)."""
        if any(self.padding):
            image = pad(image, [amount for size in reversed(self.padding) for amount in (size, size)])
        one, channel, *steps = image.stride()
        channels = image.shape[1] // self.groups
        seen = image.as_strided(
            (image.shape[0], self.groups, channels, *self.kernel, *positions),
            (
                *(one, channels * channel, channel),
                *(step * dilation for step, dilation in zip(steps, self.dilation, strict=True)),
                *(step * stride for step, stride in zip(steps, self.stride, strict=True)),
            ),
            image.storage_offset(),
        )
        return seen.reshape(image.shape[0], self.groups, channels * math.prod(self.kernel), math.prod(positions))


@dataclass(frozen=True, slots=True, repr=False)
class Correlated(Parts):
    """Part i is Σ over positions of fixed[i] ⊗ window(slid[i]): what a convolution sends to its kernel.

    The windows are those of the larger image: the input's, or under a transposed convolution the cotangent's.
    """

    slid: Tensor
    fixed: Tensor
    batch: Batch
    motion: Motion
    jacobian: OfKernel
    cotangent: Tensor

    @property
    def count(self) -> int:
        return self.batch.count

    @property
    def shape(self) -> Shape:
        return self.jacobian.source

    def block(self, start: int, stop: int) -> Tensor:
        if self._one_image_each:
            return self.jacobian.pull_by_image(self.cotangent, start, stop)
        return torch.cat([part.block(0, part.count) for part in self._outer(start, stop)])

    def squares(self) -> Tensor:
        written = self._one_image_each and not self._few_positions
        return written_squares(self) if written else self._each(Outer.squares)

    def total(self) -> Tensor:
        return self.jacobian.pull(self.cotangent)

    def along(self, direction: Tensor) -> Tensor:
        return self._each(lambda part: part.along(direction))

    @property
    def _one_image_each(self) -> bool:
        return self.fixed.shape[0] == self.count

    @property
    def _few_positions(self) -> bool:
        """Whether inner products between positions are cheaper than the kernel written out."""
        m, n = self.shape[0] // self.motion.groups, math.prod(self.shape[1:])
        return math.prod(self.fixed.shape[2:]) * (m + n) < m * n

    def _each(self, measure: Callable[[Outer], Tensor]) -> Tensor:
        return torch.cat([measure(part) for part in self._outer(0, self.count)])

    def _outer(self, start: int, stop: int) -> Iterator[Outer]:
        """The parts of some examples as sums of outer products, a few examples at a time."""
        slid, fixed = self.batch.first(self.slid), self.batch.first(self.fixed)
        images, positions = slid.shape[1] * slid.shape[2], tuple(self.fixed.shape[2:])
        entries = images * self.slid.shape[1] * math.prod(self.motion.kernel) * math.prod(positions)
        step = max(1, WRITTEN // max(1, entries))
        for first in range(start, stop, step):
            last = min(first + step, stop)
            seen = self.motion.of(slid[first:last].flatten(0, 2), positions)
            own = fixed[first:last].reshape(len(seen), self.motion.groups, -1, math.prod(positions))
            yield Outer(_by_example(own, last - first), _by_example(seen, last - first), self.shape)


def _by_example(images: Tensor, count: int) -> Tensor:
    """(images, groups, entries, positions) to (examples, groups, terms, entries)."""
    _, groups, entries, positions = images.shape
    if len(images) == count:
        return images.mT
    apart = images.reshape(count, -1, groups, entries, positions)
    return apart.permute(0, 2, 1, 4, 3).reshape(count, groups, -1, entries)
