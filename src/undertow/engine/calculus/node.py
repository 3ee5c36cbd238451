"""What a node of PyTorch's tells about the operation it recorded, in plain terms."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.maps import Shape

__all__ = ["dimensions", "input_shape", "input_shapes", "is_complex", "output_shape", "signed", "spread", "wide"]


def input_shapes(node: Any) -> list[Shape | None]:
    """The shape of each input that a gradient flows to, `None` for the others."""
    return [None if fn is None else tuple(fn._input_metadata[slot].shape) for fn, slot in node.next_functions]


def input_shape(node: Any, position: int) -> Shape | None:
    """The shape of one input, `None` if no gradient flows to it."""
    fn, slot = node.next_functions[position]
    return None if fn is None else tuple(fn._input_metadata[slot].shape)


def output_shape(node: Any, slot: int = 0) -> Shape:
    """The shape of an output."""
    return tuple(node._input_metadata[slot].shape)


def is_complex(node: Any) -> bool:
    """Whether a result, or anything that a gradient flows to, is complex."""
    if node._input_metadata[0].dtype.is_complex:
        return True
    return any(fn is not None and fn._input_metadata[slot].dtype.is_complex for fn, slot in node.next_functions)


def signed(number: int) -> int:
    """A number that PyTorch saved as 64 bits without a sign."""
    return number - (1 << 64) if number >= 1 << 63 else number


def dimensions(saved: Any, ndim: int) -> tuple[int, ...]:
    """Saved dimensions, counted from 0; all of them where none are named."""
    named = (saved,) if isinstance(saved, int) else tuple(saved or ())
    return tuple(sorted(signed(dim) % ndim for dim in named)) if named and ndim else tuple(range(ndim))


def spread(saved: Any, count: int) -> tuple[int, ...]:
    """One number for each of some dimensions, where one may have been saved for all of them."""
    numbers = tuple(map(signed, saved))
    return numbers * count if len(numbers) == 1 else numbers


def wide(node: Any) -> torch.dtype:
    """The dtype in which PyTorch's kernels hold the weights of an output of this dtype."""
    return torch.promote_types(node._input_metadata[0].dtype, torch.float32)
