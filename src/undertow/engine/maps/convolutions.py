"""Convolution, as a linear map of what is convolved and as one of the kernel; and average pooling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Shape

__all__ = ["AdaptiveAveragePool", "AveragePool", "Convolve", "ConvolveKernel", "Geometry"]


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a kernel moves: everything about a convolution but its two operands. One number a dimension."""

    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    transposed: bool
    output_padding: Sequence[int]
    groups: int

    def convolve(self, image: Tensor, kernel: Tensor) -> Tensor:
        """The convolution of an image (N, C, …) with a kernel."""
        return torch.convolution(image, kernel, None, *self._all())

    def pull(self, cotangent: Tensor, image: Tensor, kernel: Tensor, which: int) -> Tensor:
        """The cotangent of the image (`which` 0) or of the kernel (1); of that one only the shape is read."""
        mask = [which == 0, which == 1, False]
        answer: Tensor = torch.ops.aten.convolution_backward.default(
            cotangent, image, kernel, None, *self._all(), mask
        )[which]
        return answer

    def _all(self) -> tuple[Sequence[int], Sequence[int], Sequence[int], bool, Sequence[int], int]:
        return self.stride, self.padding, self.dilation, self.transposed, self.output_padding, self.groups


@dataclass(frozen=True, slots=True, repr=False)
class Convolve(LinearMap):
    """v ↦ v convolved with a fixed kernel."""

    kernel: Tensor
    geometry: Geometry
    source: Shape = field()
    target: Shape = field()

    def push(self, tangent: Tensor) -> Tensor:
        return self.geometry.convolve(tangent, self.kernel)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.geometry.pull(cotangent, cotangent.new_empty(self.source), self.kernel, 0)

    def modulus(self) -> LinearMap:
        return replace(self, kernel=self.kernel.abs())


@dataclass(frozen=True, slots=True, repr=False)
class ConvolveKernel(LinearMap):
    """v ↦ a fixed image convolved with the kernel v."""

    image: Tensor
    geometry: Geometry
    source: Shape = field()
    target: Shape = field()

    def push(self, tangent: Tensor) -> Tensor:
        return self.geometry.convolve(self.image, tangent)

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.geometry.pull(cotangent, self.image, cotangent.new_empty(self.source), 1)

    def modulus(self) -> LinearMap:
        return replace(self, image=self.image.abs())


@dataclass(frozen=True, slots=True, repr=False)
class AveragePool(LinearMap):
    """v ↦ the mean of v over each window; `window` is what `avg_pool2d` takes after its input."""

    source: Shape = field()
    target: Shape = field()
    window: tuple[Sequence[int], Sequence[int], Sequence[int], bool, bool, int | None]

    def push(self, tangent: Tensor) -> Tensor:
        answer: Tensor = torch.ops.aten.avg_pool2d.default(tangent, *self.window)
        return answer

    def pull(self, cotangent: Tensor) -> Tensor:
        shape = cotangent.new_empty(self.source)
        answer: Tensor = torch.ops.aten.avg_pool2d_backward.default(cotangent, shape, *self.window)
        return answer

    def modulus(self) -> LinearMap:
        return self


@dataclass(frozen=True, slots=True, repr=False)
class AdaptiveAveragePool(LinearMap):
    """v ↦ the mean of v over windows chosen so that the result has the target's height and width."""

    source: Shape = field()
    target: Shape = field()

    def push(self, tangent: Tensor) -> Tensor:
        answer: Tensor = torch.ops.aten._adaptive_avg_pool2d.default(tangent, self.target[-2:])
        return answer

    def pull(self, cotangent: Tensor) -> Tensor:
        shape = cotangent.new_empty(self.source)
        answer: Tensor = torch.ops.aten._adaptive_avg_pool2d_backward.default(cotangent, shape)
        return answer

    def modulus(self) -> LinearMap:
        return self
