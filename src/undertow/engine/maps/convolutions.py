"""Convolution, as a linear map of what is convolved and as one of the kernel; and average pooling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from undertow.engine.maps.base import LinearMap, Rounding, Shape
from undertow.engine.maps.batch import Batch
from undertow.engine.maps.correlated import Correlated, Motion
from undertow.engine.maps.parts import Parts
from undertow.engine.maps.pulled import Masked
from undertow.engine.maps.strongest import Sliding

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

    def terms(self, kernel: Shape) -> tuple[int, int]:
        """How many products an entry of the image's cotangent adds up, and how many one of the result."""
        size, first, second = torch.Size(kernel[2:]).numel(), kernel[0] // self.groups, kernel[1]
        return (second * size, first * size) if self.transposed else (first * size, second * size)

    def sliding(self) -> Sliding:
        """How the kernel slides over the larger of the two images, the one that a transposed convolution makes."""
        return Sliding(self.stride, self.padding, self.dilation, self.groups)

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

    @property
    def multiplies(self) -> bool:
        return True

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim == 0 else None

    def modulus(self) -> LinearMap:
        return replace(self, kernel=self.kernel.abs())

    def strongest(self, cotangent: Tensor) -> Tensor:
        return self._strongest(cotangent, self.source, outwards=self.geometry.transposed)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        return self._strongest(tangent, self.target, outwards=not self.geometry.transposed)

    def _strongest(self, image: Tensor, shape: Shape, *, outwards: bool) -> Tensor:
        sliding, kernel = self.geometry.sliding(), self.kernel.abs()
        return sliding.result(image, kernel, shape) if outwards else sliding.image(image, kernel, shape)

    def rounding(self) -> Rounding:
        return Rounding(self.modulus(), *self.geometry.terms(self.kernel.shape))


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

    def pull_by_image(self, cotangent: Tensor, start: int, stop: int) -> Tensor:
        """What some of the images bring, one by one: (images, *source)."""
        images, first, *others = stop - start, *self.source
        apart = replace(self.geometry, groups=images * self.geometry.groups)  # each image a group of channels
        beside, image = (each[start:stop].reshape(1, -1, *each.shape[2:]) for each in (cotangent, self.image))
        kernels = apart.pull(beside, image, cotangent.new_empty(images * first, *others), 1)
        return kernels.reshape(images, *self.source)

    @property
    def multiplies(self) -> bool:
        return True

    def apart(self, cotangent: Tensor, batch: Batch) -> Parts:
        if batch.dim != 0:
            return Masked(self, cotangent, batch)
        g = self.geometry
        slid, fixed = (cotangent, self.image) if g.transposed else (self.image, cotangent)
        motion = Motion(tuple(self.source[2:]), tuple(g.stride), tuple(g.padding), tuple(g.dilation), g.groups)
        return Correlated(slid, fixed, batch, motion, self, cotangent)

    def modulus(self) -> LinearMap:
        return replace(self, image=self.image.abs())

    def strongest(self, cotangent: Tensor) -> Tensor:
        sliding, image = self.geometry.sliding(), self.image.abs()
        small, large = (image, cotangent) if self.geometry.transposed else (cotangent, image)
        return sliding.kernel(small, large, self.source)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        sliding, image = self.geometry.sliding(), self.image.abs()
        slide = sliding.image if self.geometry.transposed else sliding.result
        return slide(image, tangent, self.target)

    def rounding(self) -> Rounding:
        small = self.image.shape if self.geometry.transposed else self.target
        places = small[0] * torch.Size(small[2:]).numel()
        return Rounding(self.modulus(), places, self.geometry.terms(self.source)[1])


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

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim < len(self.source) - 2 else None

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        sliding, kernel = self._sliding(cotangent)
        shares = (cotangent * self._share(cotangent)).reshape(math.prod(self.target[:-2]), 1, *self.target[-2:])
        return sliding.image(shares, kernel, (shares.shape[0], 1, *self.source[-2:])).reshape(self.source)

    def strongest_push(self, tangent: Tensor) -> Tensor:
        sliding, kernel = self._sliding(tangent)
        image = tangent.reshape(math.prod(self.source[:-2]), 1, *self.source[-2:])
        best = sliding.result(image, kernel, (image.shape[0], 1, *self.target[-2:]))
        return best.reshape(self.target) * self._share(tangent)

    def _sliding(self, like: Tensor) -> tuple[Sliding, Tensor]:
        size, stride, padding, *_ = self.window
        return Sliding(stride or size, padding, (1, 1)), like.new_ones(1, 1, *size)

    def _share(self, like: Tensor) -> Tensor:
        """By what each window multiplies the entries it sees."""
        ones = like.new_ones(1, *self.source[-2:])
        inside = torch.ops.aten.avg_pool2d.default(ones, *self.window[:-1], 1)
        share: Tensor = torch.ops.aten.avg_pool2d.default(ones, *self.window) / inside
        return share[0]

    def rounding(self) -> Rounding:
        size = torch.Size(self.window[0]).numel() + 2
        return Rounding(self, size, size)


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

    def pulled(self, batch: Batch) -> Batch | None:
        return batch if batch.dim < len(self.source) - 2 else None

    def modulus(self) -> LinearMap:
        return self

    def strongest(self, cotangent: Tensor) -> Tensor:
        for dim in (-2, -1):
            shape = [*cotangent.shape]
            shape[dim] = self.source[dim]
            answer = cotangent.new_zeros(shape)
            for place, start, count in self._windows(dim):
                seen = answer.narrow(dim, start, count)
                torch.maximum(seen, cotangent.narrow(dim, place, 1) / count, out=seen)
            cotangent = answer
        return cotangent

    def strongest_push(self, tangent: Tensor) -> Tensor:
        for dim in (-2, -1):
            windows = [tangent.narrow(dim, start, n).amax(dim, keepdim=True) / n for _, start, n in self._windows(dim)]
            tangent = torch.cat(windows, dim)
        return tangent

    def _windows(self, dim: int) -> Iterator[tuple[int, int, int]]:
        """Along a dimension, each place of the target with where its window starts and how long it is."""
        places, size = self.target[dim], self.source[dim]
        for place in range(places):
            start = place * size // places
            yield place, start, -(-(place + 1) * size // places) - start

    def rounding(self) -> Rounding:
        (pull, push), (source, target) = (2, 2), (self.source[-2:], self.target[-2:])
        for n, m in zip(source, target, strict=True):
            pull, push = pull * (m // n + 2), push * (n // m + 2)
        return Rounding(self, pull, push)
