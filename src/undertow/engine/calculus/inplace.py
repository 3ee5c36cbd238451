"""Local derivatives of what is written into part of a tensor in place, and of views by stride.

The nodes of these operations save nothing that Python can read: not which part, and not what was done to it. So they
are asked. A node called with a cotangent answers with the product; a few such answers tell, for each entry of an
input, which entry of the output it goes to and by what it is multiplied, if there is but one. A last answer, to
random numbers, says whether that is all there is to the operation. If not, the derivative is borrowed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from undertow.engine.calculus.node import input_shapes, output_shape
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import Diagonal, Expand, LinearMap, Mask, Reshape, Shape, TakeAlong

__all__: list[str] = []

SLACK = 8
"""Units in the last place by which an answer may be off."""

OVERLAP = 1e-9
"""By how much the sum of what was seen several times may be off, in float64."""


class Entries(NamedTuple):
    """For each entry of an input: its place in the output, counted in one row, and its factor there."""

    places: Tensor
    factors: Tensor

    def pull(self, cotangent: Tensor) -> Tensor:
        return self.factors * cotangent.reshape(-1)[self.places]


@derivative("AsStridedBackward0", "AsStridedBackward0_copy", "AsStridedBackward1")
def strided(node: Any) -> Local | None:
    (source,) = input_shapes(node)
    return asked(node) if source is None else _of_one_piece(node, source) or asked(node)


def _of_one_piece(node: Any, source: Shape) -> Local | None:
    """The entries that strides name, overlapping or not, if the input fills its memory from start to end in order."""
    target, row = output_shape(node), (math.prod(source),)
    device = node._input_metadata[0].device
    if not math.prod(target):
        return None
    places = torch.tensor(node._saved_storage_offset or 0, device=device)
    for size, stride in zip(target, node._saved_stride, strict=True):
        places = places.unsqueeze(-1) + stride * torch.arange(size, device=device)
    if not 0 <= int(places.max()) < row[0]:
        return None
    picked = TakeAlong(row, 0, places.reshape(-1))
    seen = Reshape(picked.target, target) @ picked @ Reshape(source, row)
    return (seen,) if _is_all(node, [seen], _chance(node, torch.float64), OVERLAP) else None


@derivative("CopySlices")
def asked(node: Any) -> Local | None:
    target, entries = output_shape(node), _entries(node)
    if entries is None:
        return None
    return [
        None if source is None or of_input is None else _placed(source, of_input, target)
        for source, of_input in zip(input_shapes(node), entries, strict=True)
    ]


def _placed(source: Shape, entries: Entries, target: Shape) -> LinearMap:
    """Each entry times its factor, where it belongs; an input that is broadcast is first made as wide as the answer."""
    answered = tuple(entries.places.shape)
    times = _times(entries.factors) if answered == source else _times(entries.factors) @ Expand(source, answered)
    return times if _stays(entries, target) else _moved(entries, target) @ times


def _times(factors: Tensor) -> LinearMap:
    kept = factors != 0
    return Mask(kept) if bool((factors[kept] == 1).all()) else Diagonal(factors)


def _stays(entries: Entries, target: Shape) -> bool:
    """Whether each entry's place in the output is its own."""
    places, kept = entries.places, entries.factors != 0
    return places.shape == target and torch.equal(places[kept], _positions(target, places.device)[kept])


def _moved(entries: Entries, target: Shape) -> LinearMap:
    row, places = (math.prod(target),), entries.places
    taken = TakeAlong(row, 0, places.reshape(-1))
    return Reshape(row, target) @ taken.adjoint() @ Reshape(tuple(places.shape), taken.target)


def _entries(node: Any) -> list[Entries | None] | None:
    """What the node does with each input; `None` where that cannot be said entry by entry, as of an empty output."""
    target, (dtype, eps), device = output_shape(node), _precision(node), node._input_metadata[0].device
    if not eps or not math.prod(target):
        return None
    factors = _answers(node, torch.ones(target, dtype=dtype, device=device))
    places = _places(node, factors, _positions(target, device), int(1 / (SLACK * eps)))
    pairs = zip(places, factors, strict=True)
    entries = [None if place is None else Entries(place, factor) for place, factor in pairs]
    return entries if _is_all(node, entries, _chance(node, dtype), SLACK * eps) else None


def _places(node: Any, factors: list[Any], positions: Tensor, base: int) -> list[Any]:
    """The place of each entry, told digit by digit in a base that the dtype holds exactly."""
    places = [None if factor is None else torch.zeros_like(factor, dtype=torch.long) for factor in factors]
    for power in _powers(base, positions.numel()):
        digits = _answers(node, (positions // power % base + 1).to(node._input_metadata[0].dtype))
        for place, factor, digit in zip(places, factors, digits, strict=True):
            if place is not None:
                place += power * (digit / factor - 1).nan_to_num(0, 0, 0).round().long()
    return [None if place is None else place.clamp_(0, positions.numel() - 1) for place in places]


def _is_all(node: Any, found: Sequence[Entries | LinearMap | None], cotangent: Tensor, tolerance: float) -> bool:
    """Whether what was found out about each input answers to a cotangent as the node does."""
    pairs = zip(found, _answers(node, cotangent), strict=True)
    return all(of_input is None or _near(answer, of_input.pull(cotangent), tolerance) for of_input, answer in pairs)


def _chance(node: Any, dtype: torch.dtype) -> Tensor:
    """Random numbers, all of about the same size, as a cotangent."""
    numbers = torch.rand(output_shape(node), dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5
    return numbers.to(node._input_metadata[0].device, dtype)


def _near(answer: Tensor, expected: Tensor, tolerance: float) -> bool:
    return bool(((answer - expected).abs() <= tolerance * expected.abs()).all())


def _answers(node: Any, cotangent: Tensor) -> list[Any]:
    """The node's product for each input, or `None`."""
    answer = node(cotangent)
    return [*answer] if isinstance(answer, tuple) else [answer]


def _precision(node: Any) -> tuple[torch.dtype, float]:
    """The dtype of the output, and the coarsest precision of all tensors involved; 0 if some are not real."""
    output = node._input_metadata[0].dtype
    dtypes = [output, *(fn._input_metadata[slot].dtype for fn, slot in node.next_functions if fn is not None)]
    real = all(dtype.is_floating_point for dtype in dtypes)
    return output, max(torch.finfo(dtype).eps for dtype in dtypes) if real else 0


def _positions(shape: Shape, device: torch.device) -> Tensor:
    return torch.arange(math.prod(shape), device=device).reshape(shape)


def _powers(base: int, count: int) -> Iterator[int]:
    """The powers of `base` that it takes to write the numbers below `count`."""
    power = 1
    while power < count:
        yield power
        power *= base
