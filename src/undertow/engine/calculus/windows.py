"""Local derivatives of laying out what a sliding window sees, and of putting it back."""

from __future__ import annotations

from typing import Any

from undertow.engine.calculus.node import input_shapes, output_shape, signed, spread
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import Expand, LinearMap, Patches, Shape, Windows

__all__: list[str] = []


@derivative("UnfoldBackward0", "UnfoldBackward0_copy")
def windows(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    if not source:
        return (Expand(source, output_shape(node)),)
    return (Windows(source, signed(node._saved_dimension) % len(source), node._saved_size, node._saved_step),)


@derivative("Im2ColBackward0")
def unfold(node: Any) -> Local:
    (source,) = input_shapes(node)
    return (None if source is None else _patches(node, source, output_shape(node)),)


@derivative("Col2ImBackward0")
def fold(node: Any) -> Local:
    (source,) = input_shapes(node)
    return (None if source is None else _patches(node, output_shape(node), source).adjoint(),)


def _patches(node: Any, image: Shape, columns: Shape) -> LinearMap:
    saved = node._saved_kernel_size, node._saved_dilation, node._saved_padding, node._saved_stride
    size, dilation, padding, stride = (spread(numbers, 2) for numbers in saved)
    return Patches(image, columns, (size, dilation, padding, stride))
