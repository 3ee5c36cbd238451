"""Through a fused long short-term memory."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted

__all__ = ["lstm"]

layer_backward: Any = torch.ops.aten.mkldnn_rnn_layer_backward.default


def lstm(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    answer: Products = layer_backward(
        node._saved_input,
        *(getattr(node, f"_saved_weight{i}") for i in range(4)),
        node._saved_hx_,
        node._saved_cx_,
        *(getattr(node, f"_saved_result{i}") for i in range(3)),
        *cotangents,
        node._saved_reverse,
        node._saved_mode,
        node._saved_hidden_size,
        node._saved_num_layers,
        node._saved_has_biases,
        node._saved_train,
        node._saved_bidirectional,
        node._saved_batch_sizes,
        node._saved_batch_first,
        node._saved_result3,
    )
    return answer
