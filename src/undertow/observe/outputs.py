"""What an operation gave, worked out again from what it and its leaves saved."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undertow.engine.graph import Graph
from undertow.observe.saved import saved, signed

__all__ = ["SQUASHES", "VIEWS", "behind_views", "output", "wrapped"]

SQUASHES = frozenset({"ReluBackward0", "SigmoidBackward0", "SoftmaxBackward0", "TanhBackward0"})
VIEWS = frozenset({"SqueezeBackward0", "SqueezeBackward1", "UnsqueezeBackward0", "ViewBackward0"})

Edge = tuple[int, int] | None


def output(graph: Graph, edge: Edge) -> Tensor | None:
    """The entries of an activation's or a linear layer's result, in their order; `None` of anything else."""
    index = behind_views(graph, edge)
    if index is None:
        return None
    node, name = graph.nodes[index], type(graph.nodes[index]).__name__
    if name in SQUASHES:
        return saved(node, "result")
    if name == "MmBackward0":
        return _product(_operand(graph, index, 0, "self"), _operand(graph, index, 1, "mat2"))
    if name == "AddmmBackward0" and node._saved_alpha == node._saved_beta == 1:
        product = _product(_operand(graph, index, 1, "mat1"), _operand(graph, index, 2, "mat2"))
        return _sum(product, _leaf(graph, graph.edges[index][0]))
    if name == "AddBackward0" and node._saved_alpha == 1:
        first, second = graph.edges[index]
        return _sum(output(graph, first), _leaf(graph, second))
    return None


def behind_views(graph: Graph, edge: Edge) -> int | None:
    """The operation that made a value, less the views taken of it; `None` where nothing did."""
    while edge is not None and _is_view(graph.nodes[edge[0]]):
        edge = graph.edges[edge[0]][0]
    return None if edge is None else edge[0]


def _is_view(node: Any) -> bool:
    """Whether every entry is handed on, as by picking the only column there is."""
    name = type(node).__name__
    if name == "SelectBackward0":
        shape = node._saved_self_sym_sizes
        return bool(shape[wrapped(node._saved_dim, len(shape))] == 1)
    return name in VIEWS


def wrapped(dimension: int, dimensions: int) -> int:
    """A dimension as nodes save it, where those counted from the end are given as unsigned."""
    return signed(dimension) % max(1, dimensions)


def _operand(graph: Graph, index: int, position: int, name: str) -> Tensor | None:
    """A factor of a product: as it was saved, or else a leaf, as it is or transposed."""
    kept = saved(graph.nodes[index], name)
    edge = graph.edges[index][position]
    if kept is not None or edge is None:
        return kept
    if type(graph.nodes[edge[0]]).__name__ == "TBackward0":
        weight = _leaf(graph, graph.edges[edge[0]][0])
        return None if weight is None else weight.t()
    return _leaf(graph, edge)


def _leaf(graph: Graph, edge: Edge) -> Tensor | None:
    variable = None if edge is None else getattr(graph.nodes[edge[0]], "variable", None)
    return None if variable is None else variable.detach()


def _product(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return None if first is None or second is None or first.is_sparse else first.detach() @ second.detach()


def _sum(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None or first.shape != torch.broadcast_shapes(first.shape, second.shape):
        return None
    return first + second
