"""Local derivatives of indexing and looking up."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.node import input_shapes, output_shape, signed
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import Diagonal, Expand, Identity, Index, LinearMap, Lookup, Mask, Reshape, Shape, TakeAlong

__all__: list[str] = []

MEAN, LARGEST = 1, 2
"""PyTorch's numbers of how the words of a bag are joined."""


@derivative("EmbeddingBackward0")
def embedding(node: Any) -> Local | None:
    if node._saved_sparse or node._saved_scale_grad_by_freq:
        return None
    rows, width = node._saved_weight_sym_argsize_0, output_shape(node)[-1]
    return (Lookup(node._saved_indices, rows, width, signed(node._saved_padding_idx)),)


@derivative("EmbeddingBagBackward0")
def embedding_bag(node: Any) -> Local | None:
    if node._saved_sparse or node._saved_scale_grad_by_freq:
        return None
    target, rows = output_shape(node), node._saved_weight_sym_argsize_0
    if node._saved_mode == LARGEST:
        table = (rows, target[1])
        full = (node._saved_result2 > 0).unsqueeze(1).expand(target)
        return Mask(full) @ TakeAlong(table, 0, node._saved_result3.clamp(min=0)), None
    indices, starts = node._saved_indices, node._saved_offsets[: target[0]]
    bags = torch.searchsorted(starts, torch.arange(len(indices)).to(starts), right=True) - 1
    into = Index(target, (len(indices), target[1]), (bags,)).adjoint()
    if node._saved_mode == MEAN:
        sizes = node._saved_result2.clamp(min=1).unsqueeze(1)
        into = Diagonal((1 / sizes.to(node._input_metadata[0].dtype)).expand(target)) @ into
    looked_up = Lookup(indices, rows, target[1], signed(node._saved_padding_idx))
    return _weighed(node, into, looked_up)


def _weighed(node: Any, into: LinearMap, looked_up: LinearMap) -> Local:
    """Words summed into bags, each with a weight of its own, if there are weights."""
    by, words = node._saved_per_sample_weights, looked_up.target
    _, weights = input_shapes(node)
    by_table = into @ looked_up if by is None else into @ Diagonal(by.unsqueeze(1).expand(words)) @ looked_up
    if weights is None:
        return by_table, None
    vectors = looked_up.push(node._saved_weight)
    return by_table, into @ Diagonal(vectors) @ Expand((*weights, 1), words) @ Reshape(weights, (*weights, 1))


@derivative("IndexBackward0")
def index(node: Any) -> Local:
    return (Index(tuple(node._saved_self_sym_sizes), output_shape(node), tuple(node._saved_indices)),)


@derivative("IndexSelectBackward0")
def index_select(node: Any) -> Local:
    source = tuple(node._saved_self_sym_sizes)
    if not source:
        return (Reshape(source, output_shape(node)),)
    before = (None,) * (signed(node._saved_dim) % len(source))
    return (Index(source, output_shape(node), (*before, node._saved_index.reshape(-1))),)


@derivative("GatherBackward0")
def gather(node: Any) -> Local | None:
    source = tuple(node._saved_self.shape)
    if not source:
        return (Expand(source, output_shape(node)),)
    if node._saved_sparse_grad:
        return None
    return (TakeAlong(source, signed(node._saved_dim) % len(source), node._saved_index),)


@derivative("MaskedSelectBackward0")
def masked_select(node: Any) -> Local:
    source, mask = tuple(node._saved_self.shape), node._saved_mask
    both = tuple(torch.broadcast_shapes(source, mask.shape)) or (1,)
    return (Index(both, output_shape(node), (mask.expand(both),)) @ _onto(source, both),)


def _onto(source: Shape, target: Shape) -> LinearMap:
    """The identity, or how a tensor is broadcast."""
    return Identity(target) if source == target else Expand(source, target)
