"""Local derivatives of sampling an image at points between its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate, product
from operator import mul
from typing import Any, NamedTuple

import torch
from torch import Tensor

from undertow.engine.calculus import kernels
from undertow.engine.calculus.arithmetic import past
from undertow.engine.calculus.node import input_shapes, output_shape, wide
from undertow.engine.calculus.reductions import weighted_total
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import Diagonal, Expand, LeftMultiply, LinearMap, Permute, Reshape, Shape, Sum, TakeAlong

__all__: list[str] = []

NEAREST, CUBIC = 1, 2
BORDER, REFLECTION = 1, 2

BEND = -0.75
"""The slope of PyTorch's cubic weights one pixel away from the point."""


class Tap(NamedTuple):
    """One of the pixels beside each point, along each dimension of space by itself. All of shape (N, points, D).

    Attributes:
        place: Where it is.
        shares: How much of it is taken.
        slopes: How that answers to the point.
    """

    place: Tensor
    shares: Tensor
    slopes: Tensor


class Corner(NamedTuple):
    """One of the pixels around each point.

    Attributes:
        pixel: Its place in the image, counted through all dimensions of space. Shape (N, points).
        outside: Whether there is no such pixel.
        shares: Along each dimension of space, how much of it is taken. Shape (N, points, D).
        slopes: How these answer to the point.
    """

    pixel: Tensor
    outside: Tensor
    shares: Tensor
    slopes: Tensor


@derivative("GridSampler2DBackward0", "GridSampler3DBackward0")
@pulled_by(kernels.resampling.grid_sample, lambda _, dim: (dim, dim) if dim == 0 else ())
def grid_sample(node: Any) -> Local:
    by_image, by_points = input_shapes(node)
    corners, speed = _corners(node)
    return (
        None if by_image is None else _of_image(node, by_image, corners),
        None if by_points is None else _of_points(node, by_points, corners, speed),
    )


def _of_image(node: Any, source: Shape, corners: Sequence[Corner]) -> LinearMap:
    """Each point is a weighted mean of the pixels around it."""
    batch, channels, *space = source
    plane = batch, channels, torch.Size(space).numel()
    taken = [_taken(plane, corner, node._saved_input.dtype) for corner in corners]
    both = reduce(Sum, taken)
    return Reshape(both.target, output_shape(node)) @ both @ Reshape(source, plane)


def _taken(plane: Shape, corner: Corner, dtype: torch.dtype) -> LinearMap:
    shape = (*plane[:2], corner.pixel.shape[-1])
    index, outside, share = (each.unsqueeze(1).expand(shape) for each in (corner.pixel, corner.outside, _share(corner)))
    return Diagonal(share.to(dtype)) @ past(outside) @ TakeAlong(plane, 2, index)


def _share(corner: Corner) -> Tensor:
    return corner.shares.prod(-1)


def _of_points(node: Any, source: Shape, corners: Sequence[Corner], speed: Tensor) -> LinearMap:
    """Each channel changes with a point as the interpolation does there; from nearest pixels it does not."""
    x, target = node._saved_input, output_shape(node)
    batch, channels, dims, points = *target[:2], source[-1], speed.shape[1]
    whole, pixels = (batch, channels, points, dims), x.flatten(2)
    slope = sum((_rise(pixels, corner) for corner in corners), start=x.new_zeros(whole)) * speed.unsqueeze(1)
    summed = weighted_total(slope.to(x.dtype), (3,), (batch, channels, points))
    still = past(_at_rest(node, corners).unsqueeze(1).expand(summed.target))
    placed = Expand((batch, 1, points, dims), whole) @ Reshape(source, (batch, 1, points, dims))
    return Reshape(summed.target, target) @ still @ summed @ placed


def _at_rest(node: Any, corners: Sequence[Corner]) -> Tensor:
    """The points that what is sampled does not answer to; in the plane PyTorch multiplies what lies outside by 0."""
    if node._saved_interpolation_mode == NEAREST:
        return torch.ones_like(corners[0].outside)
    beyond = torch.stack([corner.outside for corner in corners]).all(0)
    return beyond if node._saved_input.ndim > 4 else torch.zeros_like(beyond)


def _rise(image: Tensor, corner: Corner) -> Tensor:
    """What a pixel contributes to the slopes: (N, channels, points, D)."""
    index = corner.pixel.unsqueeze(1).expand(-1, image.shape[1], -1)
    values = image.gather(2, index).masked_fill(corner.outside.unsqueeze(1), 0)
    one, others = torch.ones_like(corner.shares[..., 0]), corner.shares.unbind(-1)
    rest = [reduce(mul, (o for j, o in enumerate(others) if j != i), one) for i in range(len(others))]
    return values.unsqueeze(-1) * (torch.stack(rest, -1) * corner.slopes).unsqueeze(1)


def _corners(node: Any) -> tuple[list[Corner], Tensor]:
    """The pixels around each point, and how the place of a point among pixels answers to its coordinates."""
    space = node._saved_input.shape[2:]
    sizes = torch.tensor(space[::-1], device=node._saved_grid.device)
    at, speed = (each.to(wide(node)) for each in _located(node, sizes))
    strides = [*accumulate(space[:0:-1], mul, initial=1)]
    taps = _taps(node, at, sizes)
    return [_corner(each, sizes, strides) for each in product(taps, repeat=len(strides))], speed


def _taps(node: Any, at: Tensor, sizes: Tensor) -> list[Tap]:
    low = at.floor()
    if node._saved_interpolation_mode == NEAREST:
        return [Tap(at.round(), torch.ones_like(at), torch.zeros_like(at))]
    if node._saved_interpolation_mode != CUBIC:
        one = torch.ones_like(at)
        return [Tap(low, low + 1 - at, -one), Tap(low + 1, at - low, one)]
    return _joined([Tap(_brought_back(node, low + step, sizes)[0], *_cubic(at - low, step)) for step in range(-1, 3)])


def _cubic(past_low: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Shares by cubic convolution: R. Keys 1981, IEEE Transactions on Acoustics, Speech and Signal Processing 29."""
    d = (step - past_low).abs()
    if step in (0, 1):
        shares, slopes = ((BEND + 2) * d - (BEND + 3)) * d * d + 1, (3 * (BEND + 2) * d - 2 * (BEND + 3)) * d
    else:
        shares = ((BEND * d - 5 * BEND) * d + 8 * BEND) * d - 4 * BEND
        slopes = (3 * BEND * d - 10 * BEND) * d + 8 * BEND
    return shares, -slopes if step > 0 else slopes


def _joined(taps: Sequence[Tap]) -> list[Tap]:
    """Those that were brought back to one pixel made one, so that each entry of the matrix is one number."""
    joined = []
    for number, (place, _, _) in enumerate(taps):
        other = torch.stack([tap.place != place for tap in taps])
        shares = torch.stack([tap.shares for tap in taps]).masked_fill(other, 0).sum(0)
        slopes = torch.stack([tap.slopes for tap in taps]).masked_fill(other, 0).sum(0)
        counted = ~other[:number].all(0)
        joined.append(Tap(place.masked_fill(counted, -1), shares, slopes))
    return joined


def _corner(chosen: Sequence[Tap], sizes: Tensor, strides: Sequence[int]) -> Corner:
    """The pixel where these stand, one for each dimension."""
    place, shares, slopes = (
        torch.stack([values[..., dim] for dim, values in enumerate(of_each)], -1)
        for of_each in zip(*chosen, strict=True)
    )
    outside = ~((place >= 0) & (place < sizes)).all(-1)
    index = (place.masked_fill(outside.unsqueeze(-1), 0).long() * torch.tensor(strides, device=place.device)).sum(-1)
    return Corner(index, outside, shares, slopes)


def _located(node: Any, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Where points lie among pixels, whose centres are the whole numbers, and by how much faster than in the grid."""
    grid, aligned = node._saved_grid.flatten(1, -2), node._saved_align_corners
    at = (grid + 1) / 2 * (sizes - 1) if aligned else ((grid + 1) * sizes - 1) / 2
    speed = (sizes - 1 if aligned else sizes).to(grid.dtype).div(2).expand_as(at)
    if node._saved_interpolation_mode == CUBIC:  # which brings back its pixels instead
        return at, speed
    at, turned = _brought_back(node, at, sizes)
    return at, speed * turned


def _brought_back(node: Any, at: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Places in the image for those beyond its edges, as far as the padding names any, and how they answer to these."""
    turned = torch.ones_like(at)
    if node._saved_padding_mode == REFLECTION:
        at, turned = _reflected(at, sizes, node._saved_align_corners)
    if node._saved_padding_mode in (BORDER, REFLECTION):
        moves = (at > 0) & (at < sizes - 1)
        at, turned = torch.minimum(at.clamp(min=0), (sizes - 1).to(at.dtype)), turned * moves
    return at, turned


def _reflected(at: Tensor, sizes: Tensor, aligned: bool) -> tuple[Tensor, Tensor]:
    """Points beyond the edges thrown back from there as often as it takes, and the direction in which they then go."""
    first, span = (0.0, sizes - 1) if aligned else (-0.5, sizes)
    far, width = (at - first).abs(), span.clamp(min=1).to(at.dtype)
    over, turns = far.fmod(width), (far / width).floor()
    there = turns % 2 == 0
    direction = torch.where(at < first, -1.0, 1.0) * torch.where(there, 1.0, -1.0)
    kept = span > 0
    return torch.where(kept, torch.where(there, over, width - over) + first, 0).to(at.dtype), direction.to(
        at.dtype
    ) * kept


@derivative("AffineGridGeneratorBackward0")
def affine_grid(node: Any) -> Local:
    """The same points, spread evenly, moved by each matrix."""
    (source,), target = input_shapes(node), output_shape(node)
    if source is None:
        return (None,)
    batch, dims, count = source
    output = node._input_metadata[0]
    still = torch.eye(dims, count, dtype=output.dtype, device=output.device).unsqueeze(0)
    even = torch.affine_grid_generator(still, [1, *node._saved_size[1:]], node._saved_align_corners).flatten(1, -2)
    points = torch.cat([even, torch.ones_like(even[..., :1])], -1).expand(batch, -1, -1)
    moved = LeftMultiply(points, dims) @ Permute(source, (0, 2, 1))
    return (Reshape(moved.target, target) @ moved,)
