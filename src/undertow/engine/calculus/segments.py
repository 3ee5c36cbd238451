"""The local derivative of reducing each of some segments along a dimension."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus.node import output_shape
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import Diagonal, LinearMap, Mask, TakeAlong

__all__: list[str] = []


@derivative("SegmentReduceBackward0")
def segment_reduce(node: Any) -> Local | None:
    data, axis = node._saved_data, node._saved_axis
    sizes = node._saved_lengths if node._saved_offsets is None else node._saved_offsets.diff(dim=-1)
    ends = sizes.cumsum(-1)
    if not data.numel() or bool((ends[..., -1] != data.shape[axis]).any()):
        return None  # some entries belong to no segment
    each = torch.arange(data.shape[axis], device=data.device).expand(data.shape[: axis + 1]).contiguous()
    owner = torch.searchsorted(ends, each, right=True)
    index = owner.reshape(*owner.shape, *[1] * (data.ndim - owner.ndim)).expand_as(data)
    weight = _weight(node, index, sizes)
    return None if weight is None else (TakeAlong(output_shape(node), axis, index).adjoint() @ weight,)


def _weight(node: Any, index: Tensor, sizes: Tensor) -> LinearMap | None:
    """What each entry is multiplied by before those of a segment are added up."""
    data, axis = node._saved_data, node._saved_axis
    result = node._saved_result.gather(axis, index)
    match node._saved_reduce:
        case "sum":
            return Diagonal(torch.ones_like(data))
        case "mean":
            counts = sizes.reshape(*sizes.shape, *[1] * (data.ndim - sizes.ndim)).expand_as(node._saved_result)
            return Diagonal(1 / counts.gather(axis, index).to(data.dtype))
        case "prod":
            return Diagonal(result / data) if data.all() else None  # zeros hide the product of the others
        case _:
            attained = data == result
            times = attained.long().new_zeros(node._saved_result.shape).scatter_add(axis, index, attained.long())
            return Mask(attained) if bool((times <= 1).all()) else None  # of equals PyTorch's shares are not linear
