"""What every sweep starts from: cotangents of the outputs, names of the leaves, and a graph that is still whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from undertow.engine.graph import Graph
from undertow.errors import GraphError, GraphFreedError

__all__ = ["SWEPT", "leaf_names", "refuse_second_pass", "root_operations", "seeds_of"]

SWEPT = "undertow.swept"
"""Marks the operations that a pass started from which freed its graph."""


def seeds_of(outputs: Sequence[Tensor], gradient: Tensor | Sequence[Tensor | None] | None) -> list[Tensor]:
    """The cotangent of each output: what was given for it, in the output's dtype as PyTorch takes it, or 1."""
    given: list[Any] = (
        [gradient] * len(outputs) if gradient is None else [*gradient] if isinstance(gradient, Sequence) else [gradient]
    )
    if len(given) != len(outputs):
        raise GraphError(f"{len(given)} cotangents for {len(outputs)} outputs\n  Pass one for each output, or None.")
    return [_seed(position, *pair) for position, pair in enumerate(zip(outputs, given, strict=True))]


def _seed(position: int, output: Tensor, given: Tensor | None) -> Tensor:
    if given is None and output.numel() == 1 and not output.is_complex():
        return torch.ones_like(output)
    if given is None and output.is_complex():
        raise GraphError(
            f"output {position} is complex ({output.dtype}), so there is no gradient of it without a direction\n"
            "  A loss is a real number: take .abs(), .real or .square().abs() of it, or pass gradient= with a complex\n"
            "  cotangent."
        )
    if given is None:
        raise GraphError(
            f"output {position} has shape {tuple(output.shape)}, so its gradient is not one number per weight\n"
            "  Reduce it to one loss (.mean(), .sum()), or pass gradient= with a cotangent of that shape."
        )
    if not isinstance(given, Tensor):
        raise GraphError(
            f"the cotangent of output {position} is of type {type(given).__name__} and no tensor\n"
            "  A cotangent holds one number for each entry of its output: "
            f"pass a tensor of shape {tuple(output.shape)}."
        )
    if given.device != output.device:
        raise GraphError(
            f"the cotangent of output {position} is on {given.device}, the output on {output.device}\n"
            "  Both are multiplied with what the forward pass saved: move the cotangent with .to(output.device)."
        )
    if given.shape != output.shape or given.is_complex() != output.is_complex():
        raise GraphError(
            f"the cotangent of output {position} has shape {tuple(given.shape)} and dtype {given.dtype},\n"
            f"  but the output has shape {tuple(output.shape)} and dtype {output.dtype}\n"
            "  A cotangent holds one number for each entry of its output: pass one of the same shape."
        )
    return given.to(output.dtype)


def refuse_second_pass(graph: Graph) -> None:
    """Refuse a graph that was swept before without being kept."""
    if any(SWEPT in node.metadata for node in root_operations(graph)):
        raise GraphFreedError(
            "this graph was swept before without retain_graph=True\n"
            "  As after loss.backward(), its saved tensors count as freed.\n"
            "  Pass retain_graph=True to the earlier call, or run the forward pass again."
        )


def root_operations(graph: Graph) -> list[Any]:
    """The nodes that the pass starts from. A leaf that is an output saved nothing, and starts as many as it likes."""
    return [graph.nodes[index] for index, _ in graph.roots if graph.edges[index]]


def leaf_names(graph: Graph, model: nn.Module | None) -> dict[int, str]:
    """The model's own names of the leaves that are its parameters."""
    if model is None:
        return {}
    known: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    return {index: known[leaf] for index, leaf in graph.leaves() if leaf in known}
