"""Tracing a non-finite value to the operation that made it, from what the forward pass saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from undertow.engine.graph import Graph, Operation
from undertow.engine.plan import ISOMETRIES
from undertow.observe.saved import saved, signed

__all__ = ["birth"]

OUTPUTS = frozenset({"result", "result0", "output", "out"})

POSITIONS = {"mat1": 0, "mat2": 1, "batch2": 1, "other": 1, "weight": 1, "key": 1, "value": 2, "exponent": 1}
"""Which input of an operation is saved under a name, where it is not the first."""

REPLAYS: dict[str, Callable[..., Tensor]] = {
    "AcosBackward0": lambda self: self.acos(),
    "AddmmBackward0": lambda mat1, mat2: mat1 @ mat2,
    "AsinBackward0": lambda self: self.asin(),
    "AtanhBackward0": lambda self: self.atanh(),
    "BmmBackward0": lambda self, mat2: self @ mat2,
    "DivBackward0": lambda self, other: self / other,
    "ExpBackward0": lambda result: result,
    "LogBackward0": lambda self: self.log(),
    "Log10Backward0": lambda self: self.log10(),
    "Log1PBackward0": lambda self: self.log1p(),
    "Log2Backward0": lambda self: self.log2(),
    "LogsumexpBackward0": lambda result: result,
    "MmBackward0": lambda self, mat2: self @ mat2,
    "MulBackward0": lambda self, other: self * other,
    "PowBackward0": lambda self, exponent: self**exponent,
    "PowBackward1": lambda self, exponent: self**exponent,
    "XlogyBackward0": lambda self, other: torch.xlogy(self, other),
}
"""The forward operation again, from what its node saved, for those that can turn finite into non-finite."""


def birth(graph: Graph, operations: tuple[Operation, ...]) -> dict[str, Any] | None:
    """Where the first non-finite value of a forward pass came from.

    Returns:
        Facts: `phase` is `parameters` (they were non-finite before the pass began), `data` (it came in), `nothing`
        (a mean over no entry at all) or `forward`; with the operation, its module, its line and the range of what
        went into it. `None` where the saved tensors do not tell.
    """
    sick = [operations[index].leaf or f"leaf {index}" for index, leaf in graph.leaves() if not _finite(leaf.detach())]
    if sick:
        return {"phase": "parameters", "parameters": sick[:20], "count": len(sick)}
    for index in sorted(range(len(graph)), key=lambda i: graph.nodes[i]._sequence_nr() if graph.edges[i] else -1):
        if graph.edges[index] and (found := _born_at(graph, index)):
            operation = operations[found[0]]
            return found[1] | {
                "operation": operation.name,
                "module": operation.module,
                "source": operation.source,
                "shape": list(operation.shapes[0]) if operation.shapes else [],
            }
    return None


def _born_at(graph: Graph, index: int) -> tuple[int, dict[str, Any]] | None:
    """The operation that made what this one, in forward order the first to touch anything non-finite, shows."""
    node = graph.nodes[index]
    tensors = _saved_tensors(node)
    if (nothing := _over_nothing(node, tensors)) is not None:
        return index, nothing
    for name, tensor in tensors.items():
        if name not in OUTPUTS and not _finite(tensor):
            maker = _maker(graph, index, name)
            if maker is None:
                return index, {"phase": "data", "inputs": {name: _range(tensor)}}
            return maker, {"phase": "forward", "inputs": _ranges(_saved_tensors(graph.nodes[maker]))}
    outputs = [tensor for name, tensor in tensors.items() if name in OUTPUTS]
    if all(map(_finite, outputs)) and _finite(_replayed(node, tensors)):
        return None
    return index, {"phase": "forward", "inputs": _ranges(tensors)}


MEAN = 1
"""PyTorch's number for a loss that is a mean over what it compares."""


def _over_nothing(node: Any, tensors: Mapping[str, Tensor]) -> dict[str, Any] | None:
    """What is to be told of a mean over no entry, which is 0 / 0; `None` of anything else."""
    mean = getattr(node, "_saved_reduction", None) == MEAN
    wanted = tensors.get("target")
    if mean and wanted is not None and "total_weight" in tensors and float(tensors["total_weight"]) == 0:
        left_out = (wanted == signed(node._saved_ignore_index)).sum()
        return {"phase": "nothing", "targets": wanted.numel(), "left_out": int(left_out)}
    empty = mean and tensors.get("self") is not None and not tensors["self"].numel()
    if empty or (type(node).__name__.startswith("MeanBackward") and node._saved_self_sym_numel == 0):
        return {"phase": "nothing", "targets": 0, "left_out": 0}
    return None


def _maker(graph: Graph, index: int, name: str) -> int | None:
    """The operation whose output was saved under a name; `None` if that is data."""
    edges = graph.edges[index]
    position = POSITIONS.get(name, 0) + (type(graph.nodes[index]).__name__ in {"AddmmBackward0", "BaddbmmBackward0"})
    if len(edges) == 1 or position >= len(edges):
        position = 0
    edge = edges[position]
    return None if edge is None else _through_views(graph, edge[0])


def _through_views(graph: Graph, index: int) -> int:
    while type(graph.nodes[index]).__name__ in ISOMETRIES and (edge := graph.edges[index][0]) is not None:
        index = edge[0]
    return index


def _ranges(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {n: _range(t) for n, t in tensors.items() if n not in OUTPUTS and t.is_floating_point()}


def _replayed(node: Any, tensors: Mapping[str, Tensor]) -> Tensor | None:
    replay = REPLAYS.get(type(node).__name__)
    if replay is None:
        return None
    wanted = replay.__code__.co_varnames[: replay.__code__.co_argcount]
    values = {name: tensors.get(name, getattr(node, f"_saved_{name}", None)) for name in wanted}
    if type(node).__name__ == "DivBackward0" and values["self"] is None and isinstance(values["other"], Tensor):
        values["self"] = torch.ones_like(values["other"])
    if any(value is None for value in values.values()):
        return None
    with torch.no_grad():
        return replay(**values)


def _saved_tensors(node: Any) -> dict[str, Tensor]:
    names = [name.removeprefix("_raw_saved_") for name in dir(type(node)) if name.startswith("_raw_saved_")]
    found = {name: saved(node, name) for name in names}
    return {name: tensor.detach() for name, tensor in found.items() if tensor is not None}


def _finite(tensor: Tensor | None) -> bool:
    if tensor is None or not tensor.is_floating_point():
        return True
    return bool(tensor.isfinite().all())


def _range(tensor: Tensor) -> dict[str, Any]:
    """Shape, range and how many zeros and non-finite entries: never the data."""
    finite = tensor[tensor.isfinite()]
    return {
        "shape": list(tensor.shape),
        "low": float(finite.min()) if finite.numel() else None,
        "high": float(finite.max()) if finite.numel() else None,
        "zeros": int((tensor == 0).sum()),
        "non-finite": int(tensor.numel() - finite.numel()),
    }
