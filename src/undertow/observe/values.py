"""What loss operations gave, worked out again from what they saved."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from undertow.engine.graph import Graph
from undertow.observe.saved import saved, signed
from undertow.observe.totals import Shares

__all__ = ["value_of"]

aten = torch.ops.aten


def _likelihood(node: Any) -> Tensor:
    scores, wanted, weights = node._saved_self, node._saved_target, node._saved_weight
    left_out = signed(node._saved_ignore_index)
    value: Tensor = aten.nll_loss_forward(scores, wanted, weights, node._saved_reduction, left_out)[0]
    return value


def _squares(node: Any) -> Tensor:
    value: Tensor = aten.mse_loss(node._saved_self, node._saved_target, node._saved_reduction)
    return value


VALUES: dict[str, Callable[[Any], Tensor]] = {"MseLossBackward0": _squares, "NllLossBackward0": _likelihood}


def value_of(graph: Graph, made: Shares) -> float:
    """What these add up to in the loss; `nan` where one cannot be worked out."""
    total = 0.0
    for index, share in made.of.items():
        node = graph.nodes[index]
        if type(node).__name__ not in VALUES or share.smoothed or saved(node, "self") is None:
            return math.nan
        with torch.no_grad():
            total += share.entry * float(VALUES[type(node).__name__](node).sum())
    return total
