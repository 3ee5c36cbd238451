"""Products in which the largest term stands for the sum: what the strongest path takes through a map.

Everything here is for tensors without negative entries, and needs little more memory than its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from undertow.engine.maps.base import Shape

__all__ = ["Sliding", "greatest", "greatest_product", "greatest_to_size", "other_greatest", "scattered"]

TILE = 1 << 18
"""Entries of a product that are in hand at once: a megabyte in float32, which stays in the cache."""


def greatest(values: Tensor, dims: Iterable[int]) -> Tensor:
    """The largest entries along `dims`, which are kept with length 1; 0 where there are none."""
    dims = tuple(dims)
    if not dims:
        return values
    if not values.numel():
        return values.new_zeros([1 if dim in dims else size for dim, size in enumerate(values.shape)])
    return values.amax(dims, keepdim=True)


def greatest_to_size(values: Tensor, shape: Sequence[int]) -> Tensor:
    """As `sum_to_size`: the largest of the entries that broadcasting made of each one."""
    if values.shape == torch.Size(shape):
        return values
    added = values.ndim - len(shape)
    broadcast = [added + dim for dim, size in enumerate(shape) if size == 1 and values.shape[added + dim] != 1]
    return greatest(values, (*range(added), *broadcast)).reshape(shape)


def other_greatest(values: Tensor, dim: int) -> Tensor:
    """For each entry, the largest of the others along `dim`; 0 where it is alone."""
    if not values.ndim or values.shape[dim] < 2:
        return torch.zeros_like(values)
    best, where = values.topk(2, dim)
    first = best.narrow(dim, 0, 1).expand_as(values)
    return first.scatter(dim, where.narrow(dim, 0, 1), best.narrow(dim, 1, 1))


def greatest_product(a: Tensor, b: Tensor) -> Tensor:
    """The product of matrices (…, m, k) and (…, k, n), with the maximum over k in place of the sum."""
    batch = torch.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    (m, k), n = a.shape[-2:], b.shape[-1]
    size = batch.numel() * m * n
    if size > TILE and m > 1:
        parts = a.split(max(1, TILE * m // size), -2)
        return torch.cat([greatest_product(part, b) for part in parts], -2)
    answer = a.new_zeros(*batch, m, n)
    columns = a.expand(*batch, m, k).movedim(-1, 0).unsqueeze(-1)
    rows = b.expand(*batch, k, n).movedim(-2, 0).unsqueeze(-2)
    step = max(1, TILE // max(size, 1))
    for start in range(0, k, step):
        terms = columns[start : start + step] * rows[start : start + step]
        torch.maximum(answer, terms[0] if step == 1 else terms.amax(0), out=answer)
    return answer


def scattered(values: Tensor, positions: Tensor, shape: Sequence[int]) -> Tensor:
    """A tensor with each value at its position (counted along the flattened result), the largest where they meet."""
    answer = values.new_zeros(torch.Size(shape).numel())
    answer.scatter_reduce_(0, positions.reshape(-1), values.reshape(-1), "amax")
    return answer.reshape(shape)


@dataclass(frozen=True, slots=True)
class Sliding:
    """A kernel that slides over an image: products of the image, the kernel and what they make of each other.

    The image is (N, C, …), the result (N, D, …) and the kernel (D, C / groups, …), as in a convolution that is not
    transposed. `stride`, `padding` and `dilation` hold one number a dimension.
    """

    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    groups: int = 1

    def result(self, image: Tensor, kernel: Tensor, shape: Shape) -> Tensor:
        """For each entry of the result (of this shape), the largest product of an image's and a kernel's entry."""
        canvas, grouped = self._padded(image, kernel.shape[2:], shape[2:]), self._grouped(kernel)
        answer = image.new_zeros(shape[0], self.groups, shape[1] // self.groups, torch.Size(shape[2:]).numel())
        for offset, seen in self._offsets(kernel.shape[2:], shape[2:]):
            part = greatest_product(grouped[offset], self._flat(canvas[seen]))
            torch.maximum(answer, part, out=answer)
        return answer.reshape(shape)

    def image(self, result: Tensor, kernel: Tensor, shape: Shape) -> Tensor:
        """For each entry of the image (of this shape), the largest product of a result's and a kernel's entry."""
        canvas = self._padded(result.new_zeros(shape), kernel.shape[2:], result.shape[2:])
        grouped, flat = self._grouped(kernel), self._flat(result)
        for offset, seen in self._offsets(kernel.shape[2:], result.shape[2:]):
            part = greatest_product(grouped[offset].mT, flat).reshape(canvas[seen].shape)
            canvas[seen] = torch.maximum(canvas[seen], part)
        for dim, (padding, size) in enumerate(zip(self.padding, shape[2:], strict=True), 2):
            canvas = canvas.narrow(dim, padding, size)
        return canvas

    def kernel(self, result: Tensor, image: Tensor, shape: Shape) -> Tensor:
        """For each entry of the kernel (of this shape), the largest product of a result's and an image's entry."""
        canvas, answer = self._padded(image, shape[2:], result.shape[2:]), result.new_zeros(shape)
        grouped, rows = self._grouped(answer), self._over_batch(self._flat(result))
        for offset, seen in self._offsets(shape[2:], result.shape[2:]):
            grouped[offset] = greatest_product(rows, self._over_batch(self._flat(canvas[seen])).mT)
        return answer

    def _offsets(self, sizes: Shape, counts: Shape) -> Iterator[tuple[Any, Any]]:
        """Where each place of the kernel is in it, and what of the padded image that place meets as it slides."""
        for offset in product(*map(range, sizes)):
            starts = [o * d for o, d in zip(offset, self.dilation, strict=True)]
            steps = zip(starts, counts, self.stride, strict=True)
            yield (..., *offset), (..., *[slice(start, start + (n - 1) * step + 1, step) for start, n, step in steps])

    def _padded(self, image: Tensor, sizes: Shape, counts: Shape) -> Tensor:
        """The image with zeros around it, as far as the kernel goes."""
        reach = [
            (n - 1) * step + (k - 1) * d + 1
            for n, step, k, d in zip(counts, self.stride, sizes, self.dilation, strict=True)
        ]
        after = [max(p, far - p - size) for p, far, size in zip(self.padding, reach, image.shape[2:], strict=True)]
        return pad(image, [n for both in reversed([*zip(self.padding, after, strict=True)]) for n in both])

    def _grouped(self, kernel: Tensor) -> Tensor:
        return kernel.view(self.groups, kernel.shape[0] // self.groups, *kernel.shape[1:])

    def _flat(self, image: Tensor) -> Tensor:
        return image.reshape(image.shape[0], self.groups, image.shape[1] // self.groups, image.shape[2:].numel())

    def _over_batch(self, flat: Tensor) -> Tensor:
        return flat.permute(1, 2, 0, 3).flatten(2)
