"""Local derivatives of indexing and looking up."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.node import output_shape, signed
from undertow.engine.calculus.table import Local, derivative
from undertow.engine.maps import Expand, Identity, Index, LinearMap, Lookup, Reshape, Shape, TakeAlong

__all__: list[str] = []


@derivative("EmbeddingBackward0")
def embedding(node: Any) -> Local | None:
    if node._saved_sparse or node._saved_scale_grad_by_freq:
        return None
    rows, width = node._saved_weight_sym_argsize_0, output_shape(node)[-1]
    return (Lookup(node._saved_indices, rows, width, signed(node._saved_padding_idx)),)


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
