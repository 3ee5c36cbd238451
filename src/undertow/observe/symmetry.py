"""Weights all of whose units are alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from undertow.engine.graph import Graph
from undertow.engine.reading import ACCUMULATE_GRAD
from undertow.observe.saved import saved

__all__ = ["alike_leaves"]

MOST = 48
"""Leaves that are looked at."""

SAME = 1e-4
"""Of the largest entry: rounding alone, by the order of a sum, makes units that begin alike differ by less."""


def alike_leaves(graph: Graph) -> list[int]:
    """Leaves all of whose units are alike: rows where they are used transposed or convolve, else columns."""
    found: dict[int, bool] = {}
    for index in range(len(graph)):
        for edge in graph.edges[index]:
            if edge is None or edge[0] in found or len(found) >= MOST:
                continue
            node = graph.nodes[edge[0]]
            if type(node) is ACCUMULATE_GRAD and node.variable.dim() > 1 and node.variable.is_floating_point():
                same = _units_alike(_read(node.variable.detach(), graph.nodes[index]), graph.nodes[index])
                if same is not None:
                    found[edge[0]] = same
    return [leaf for leaf, same in found.items() if same]


def _read(weight: Tensor, use: Any) -> Tensor:
    """The weight as far as this use reads it: of an embedding the first rows that were looked up."""
    indices = saved(use, "indices") if type(use).__name__ == "EmbeddingBackward0" else None
    return weight if indices is None else weight[indices.detach().flatten()[:64]]


def _units_alike(weight: Tensor, node: Any) -> bool | None:
    use = type(node).__name__
    if use == "EmbeddingBackward0":
        if not weight.any():
            return None  # rows that begin at zero, and were not moved yet
        weight = weight.transpose(0, 1)
    elif use in {"MmBackward0", "AddmmBackward0"}:
        weight = weight.transpose(0, 1)
    elif use != "TBackward0" and not use.startswith(("Conv", "MkldnnConv", "Rnn")):
        return None
    count = weight.shape[0]
    if count < 2 or weight[0].numel() == 0:
        return None
    # Four of them rule it out nearly always; that they are alike may be by what the four have in common, as a mask.
    return _rows_alike(weight[:: max(1, (count - 1) // 3)][:4]) and _rows_alike(weight)


def _rows_alike(weight: Tensor) -> bool:
    rows = weight.flatten(1)[:, :64].to("cpu", torch.float64).numpy()
    with np.errstate(invalid="ignore"):
        return bool(np.abs(rows - rows[0]).max() <= SAME * np.abs(rows).max())
