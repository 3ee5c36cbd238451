"""Through losses."""

from __future__ import annotations

from typing import Any

import torch

from undertow.engine.calculus.kernels.kernel import Cotangents, Products, Wanted
from undertow.engine.calculus.node import signed

__all__ = ["nll_loss"]

nll_loss_backward: Any = torch.ops.aten.nll_loss_backward.default
nll_loss2d_backward: Any = torch.ops.aten.nll_loss2d_backward.default


def nll_loss(node: Any, cotangents: Cotangents, _: Wanted) -> Products:
    x, target = node._saved_self, node._saved_target
    product = nll_loss2d_backward if target.ndim == 3 else nll_loss_backward
    rest = node._saved_weight, node._saved_reduction, signed(node._saved_ignore_index), node._saved_total_weight
    return (product(cotangents[0], x.contiguous(), target, *rest),)  # PyTorch's own refuses other layouts
