"""Local derivatives of fused attention: softmax(scale · Q Kᵀ + mask) V."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from undertow.engine.calculus import kernels
from undertow.engine.calculus.node import wide
from undertow.engine.calculus.table import Local, derivative, pulled_by
from undertow.engine.maps import (
    Expand,
    Identity,
    LeftMultiply,
    LinearMap,
    Permute,
    Reshape,
    RightMultiply,
    Scale,
    Shape,
    Softmax,
)

__all__: list[str] = []


def _heads_apart(node: Any, dim: int) -> tuple[int, ...]:
    alike = node._saved_query.shape[:-2] == node._saved_key.shape[:-2]
    return (dim,) * 3 if alike and dim < node._saved_query.ndim - 2 else ()


@derivative("ScaledDotProductFlashAttentionForCpuBackward0")
@pulled_by(kernels.attention.attention, _heads_apart)
def attention(node: Any) -> Local | None:
    if node._saved_dropout_p:
        return None
    q, shared = node._saved_query, _shared(tuple(node._saved_query.shape), tuple(node._saved_key.shape))
    k, v = shared(node._saved_key), shared(node._saved_value)
    scale = 1 / math.sqrt(q.shape[-1]) if node._saved_scale is None else node._saved_scale
    scores = scale * (q.to(wide(node)) @ k.mT.to(wide(node)))  # as PyTorch's kernel does, in float32 at least
    p = _weights(scores, node._saved_attn_mask, node._saved_is_causal).to(q.dtype)
    rows, columns = p.shape[-2:]
    by_scores = RightMultiply(v, rows) @ Softmax(p, p.ndim - 1) @ Scale(scale, tuple(p.shape))
    flipped = Permute(tuple(k.shape), (*range(k.ndim - 2), k.ndim - 1, k.ndim - 2))
    return (
        by_scores @ RightMultiply(k.mT, rows),
        by_scores @ LeftMultiply(q, columns) @ flipped @ shared,
        LeftMultiply(p, v.shape[-1]) @ shared,
    )


def _shared(query: Shape, key: Shape) -> LinearMap:
    """Grouped queries: how each head of keys and values is used by several heads of queries, next to each other."""
    *batch, heads, length, width = key
    apart, times = (*batch, heads, 1, length, width), query[-3] // heads
    used = (*batch, heads, times, length, width)
    repeated = (*batch, heads * times, length, width)
    return Reshape(used, repeated) @ Expand(apart, used) @ Reshape(key, apart) if times > 1 else Identity(key)


def _weights(scores: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """How much each query attends to each key."""
    if mask is not None:
        scores = scores + mask
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -math.inf)
    return scores.softmax(-1)
