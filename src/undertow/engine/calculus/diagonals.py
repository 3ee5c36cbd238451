"""Local derivatives of operations on the diagonals of matrices."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch

from undertow.engine.calculus.node import input_shapes, output_shape, signed
from undertow.engine.calculus.reductions import total
from undertow.engine.calculus.table import Local, derivative, masked
from undertow.engine.maps import DiagonalOf, LinearMap, Reshape, Shape, Slice

__all__: list[str] = []

masked("TrilBackward0", lambda node: _ones(node).tril(signed(node._saved_diagonal)))
masked("TriuBackward0", lambda node: _ones(node).triu(signed(node._saved_diagonal)))


def _ones(node: Any) -> torch.Tensor:
    return torch.ones(output_shape(node), dtype=torch.bool, device=node._input_metadata[0].device)


@derivative("DiagonalBackward0", "DiagonalBackward0_copy")
def diagonal(node: Any) -> Local:
    return (diagonal_of(node, tuple(node._saved_self_sym_sizes)),)


@derivative("DiagEmbedBackward0")
def diag_embed(node: Any) -> Local:
    return (diagonal_of(node, output_shape(node)).adjoint(),)


def diagonal_of(node: Any, source: Shape) -> LinearMap:
    """The diagonal that a node names, of tensors of a shape."""
    first, second = (signed(dim) % len(source) for dim in (node._saved_dim1, node._saved_dim2))
    return DiagonalOf(source, signed(node._saved_offset), first, second)


@derivative("TraceBackward0")
def trace(node: Any) -> Local:
    along = DiagonalOf(tuple(node._saved_self_sym_sizes), 0, 0, 1)
    return (total(along.target, (0,), output_shape(node)) @ along,)


@derivative("BlockDiagBackward0")
def block_diag(node: Any) -> Local | None:
    target, parts = output_shape(node), input_shapes(node)
    if None in parts:
        return None  # where the others begin depends on a size that the node does not tell
    blocks = [(1,) * (2 - len(part)) + part for part in parts if part is not None]
    rows, columns = ([*accumulate((block[dim] for block in blocks), initial=0)] for dim in (0, 1))
    return [_block(target, *place) for place in zip(rows, columns, blocks, parts, strict=False)]


def _block(target: Shape, row: int, column: int, block: Shape, part: Any) -> LinearMap:
    """A matrix, or a number or row that counts as one, at its place among zeros."""
    across = Slice((block[0], target[1]), 1, column, block[1]).adjoint()
    return Slice(target, 0, row, block[0]).adjoint() @ across @ Reshape(part, block)
