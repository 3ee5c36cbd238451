"""What a network answered: what of it is right, and within which bounds it can lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from undertow.engine.graph import Graph
from undertow.observe.saved import saved

__all__ = ["hits", "scaled_ends"]

Edge = tuple[int, int]

MOST_CLASSES = 64
"""Of which it is told what was answered right."""

BINARY = {"BinaryCrossEntropyBackward0": 0.5, "BinaryCrossEntropyWithLogitsBackward0": 0.0}
"""Losses of a probability each, and above which output they answer 1."""


def hits(loss: str, wanted: Tensor, value: Tensor | None) -> tuple[int, ...]:
    """Of each class, how many of the batch are answered right; empty where that cannot be told."""
    if value is None or not wanted.numel():
        return ()
    value = value.detach()
    if loss in BINARY:
        if wanted.dim() == 2 and wanted.shape[1] > 1:
            return ()  # of several labels an example the likeliest are taken, however unlikely
        ones = wanted.detach() == 1
        right = ((value > BINARY[loss]) == ones) if value.shape == wanted.shape else None
        if right is None or not bool((ones | (wanted == 0)).all()):
            return ()
        return int((right & ~ones).sum()), int((right & ones).sum())
    if not loss.startswith("NllLoss") or value.dim() < 2 or value.shape[1] > MOST_CLASSES:
        return ()
    answered = value.argmax(1)
    found = wanted[answered == wanted]
    return tuple(torch.bincount(found.flatten(), minlength=value.shape[1]).tolist())


AFFINE = frozenset({"AddBackward0", "DivBackward0", "MulBackward0", "NegBackward0", "RsubBackward1", "SubBackward0"})
"""What a scale and an offset are made of."""

SQUASHED = {"SigmoidBackward0": (0.0, 1.0), "TanhBackward0": (-1.0, 1.0)}

LONGEST = 8
"""Operations from an output to the squash it comes from."""

EXACTLY = 1e-4
"""Of the size of the outputs: what one scale and one offset leave, if only rounding does."""


def scaled_ends(graph: Graph, output: Edge | None, value: Tensor | None) -> tuple[float, float]:
    """The bounds of an output that is a squash times one number, plus one; infinite of any other."""
    squash = _squash_below(graph, output)
    bounds = SQUASHED.get(type(squash).__name__)
    squashed = saved(squash, "result") if bounds is not None else None
    if value is None or squashed is None or bounds is None or squashed.numel() != value.numel() or value.numel() < 4:
        return -math.inf, math.inf
    inside, outside = (each.detach().flatten()[: 1 << 12].double().cpu().numpy() for each in (squashed, value))
    around = inside - inside.mean()
    if not float(around @ around) > 0:
        return -math.inf, math.inf
    scale = float(around @ outside) / float(around @ around)
    offset = float(outside.mean() - scale * inside.mean())
    off = np.abs(outside - scale * inside - offset).max()
    if not scale or not off <= EXACTLY * max(abs(scale), abs(offset)):
        return -math.inf, math.inf
    ends = sorted(scale * bound + offset for bound in bounds)
    return ends[0], ends[1]


def _squash_below(graph: Graph, edge: Edge | None) -> Any:
    """The first operation below an output that is neither a view, nor joins one thing alone to it."""
    for _ in range(LONGEST):
        if edge is None:
            return None
        node = graph.nodes[edge[0]]
        name, inner = type(node).__name__, [e for e in graph.edges[edge[0]] if e is not None]
        if name not in AFFINE and not name.startswith(("Squeeze", "Unsqueeze", "View", "UnsafeView")):
            return node
        edge = inner[0] if len(inner) == 1 else None
    return None
