"""Through fused attention."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted

__all__ = ["attention"]

flash_backward: Any = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default


def attention(node: Any, cotangents: Cotangents, _: Wanted) -> Products | None:
    if node._saved_dropout_p:
        return None
    answer: Products = flash_backward(
        cotangents[0],
        node._saved_query,
        node._saved_key,
        node._saved_value,
        node._saved_output,
        node._saved_logsumexp,
        0.0,
        node._saved_is_causal,
        attn_mask=node._saved_attn_mask,
        scale=node._saved_scale,
    )
    return answer
