"""Targets that a logarithm of probabilities is multiplied by, as cross-entropy does with soft ones."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from undertow.engine.graph import Graph
from undertow.observe.outputs import behind_views
from undertow.observe.saved import saved
from undertow.store import SoftTargets

__all__ = ["soft_targets"]


def soft_targets(graph: Graph) -> Iterator[SoftTargets]:
    """Those of several entries an example: an advantage times one class is none."""
    for index, node in enumerate(graph.nodes):
        edges = graph.edges[index] if type(node).__name__ == "MulBackward0" else ()
        if sum(edge is None for edge in edges) != 1:
            continue
        logarithm = behind_views(graph, edges[0] or edges[1])
        if logarithm is None or type(graph.nodes[logarithm]).__name__ != "LogSoftmaxBackward0":
            continue
        wanted, shape = saved(node, "other" if edges[0] is not None else "self"), graph.spaces[index][0][0]
        if wanted is not None and wanted.shape == shape and wanted.dim() > 1 and wanted.numel():
            rows = wanted.detach().flatten(1)
            if bool(((rows != 0).sum(1) > 1).any()):
                low, high = map(float, torch.aminmax(rows))
                yield SoftTargets(index, low, high)
