"""Samples of fused attention."""

import torch.nn.functional as F

from tests.samples.sample import M, Sample, of

SAMPLES: dict[str, list[Sample]] = {
    "ScaledDotProductFlashAttentionForCpuBackward0": [
        of(F.scaled_dot_product_attention, *[(2, 2, 3, 4)] * 3),
        of(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3), *[(1, 2, 3, 4)] * 3),
        of(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=~M), (1, 2, 3, 4), *[(1, 2, 4, 4)] * 2),
        of(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True), (1, 4, 2, 3), *[(1, 2, 3, 3)] * 2),
    ],
}
