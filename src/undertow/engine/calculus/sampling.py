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

LINEAR, NEAREST = 0, 1
BORDER, REFLECTION = 1, 2


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
def grid_sample(node: Any) -> Local | None:
    """Cubic interpolation is borrowed."""
    if node._saved_interpolation_mode not in (LINEAR, NEAREST):
        return None
    by_image, by_points = input_shapes(node)
    corners, speed = _corners(node)
    return (
        None if by_image is None else _of_image(node, by_image, corners),
        None if by_points is None else _of_points(node, by_points, corners, speed),
    )


def _of_image(node: Any, source: Shape, corners: Sequence[Corner]) -> LinearMap:
    """Each point is a mean of the pixels around it."""
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
    flat = reduce(torch.logical_and, (corner.outside for corner in corners)) | _is_nearest(node)
    still = past(flat.unsqueeze(1).expand(summed.target))
    placed = Expand((batch, 1, points, dims), whole) @ Reshape(source, (batch, 1, points, dims))
    return Reshape(summed.target, target) @ still @ summed @ placed


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
    if _is_nearest(node):
        return [_corner(at.round(), torch.ones_like(at), torch.zeros_like(at), sizes, strides)], speed
    low, corners = at.floor(), []
    for upper in product((0, 1), repeat=len(strides)):
        far = torch.tensor(upper, device=at.device)
        shares = torch.where(far == 1, at - low, low + 1 - at)
        corners.append(_corner(low + far, shares, (2 * far - 1).to(at.dtype).expand_as(at), sizes, strides))
    return corners, speed


def _corner(place: Tensor, shares: Tensor, slopes: Tensor, sizes: Tensor, strides: Sequence[int]) -> Corner:
    outside = ~((place >= 0) & (place < sizes)).all(-1)
    index = (place.masked_fill(outside.unsqueeze(-1), 0).long() * torch.tensor(strides, device=place.device)).sum(-1)
    return Corner(index, outside, shares, slopes)


def _is_nearest(node: Any) -> bool:
    return bool(node._saved_interpolation_mode == NEAREST)


def _located(node: Any, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Where points lie among pixels, whose centres are the whole numbers, and by how much faster than in the grid."""
    grid, aligned = node._saved_grid.flatten(1, -2), node._saved_align_corners
    at = (grid + 1) / 2 * (sizes - 1) if aligned else ((grid + 1) * sizes - 1) / 2
    speed = (sizes - 1 if aligned else sizes).to(grid.dtype).div(2).expand_as(at)
    if node._saved_padding_mode == REFLECTION:
        at, turned = _reflected(at, sizes, aligned)
        speed = speed * turned
    if node._saved_padding_mode in (BORDER, REFLECTION):
        moves = (at > 0) & (at < sizes - 1)
        at, speed = torch.minimum(at.clamp(min=0), (sizes - 1).to(at.dtype)), speed * moves
    return at, speed


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
