"""`undertow.backward`: a drop-in for `loss.backward()`, by our own sweep."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from undertow.engine.algebras import Gradient
from undertow.engine.borrowed import REENTRANT
from undertow.engine.calculus import CALCULUS, Rule
from undertow.engine.flow import Flow
from undertow.engine.graph import Graph, outputs_of
from undertow.engine.graph_task import in_graph_task
from undertow.engine.outset import SWEPT, leaf_names, refuse_second_pass, root_operations, seeds_of
from undertow.engine.plan import Plan
from undertow.engine.recorder import Recorder, norm, to_host
from undertow.engine.release import releasing
from undertow.engine.sweep import sweep
from undertow.errors import GraphError, SweptOnceError

__all__ = ["backward"]

BORROWED: Mapping[str, Rule] = MappingProxyType({})
"""No local derivative of ours: each is had by calling PyTorch's own node."""

OURS = 3  # a variable here, one more holder, and getrefcount's own argument
VIEWED_ONCE = 2  # the view's reference to its base, and ours


def backward(
    outputs: Tensor | Sequence[Tensor],
    gradient: Tensor | Sequence[Tensor | None] | None = None,
    *,
    retain_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
    model: nn.Module | None = None,
    calculus: Mapping[str, Rule] = BORROWED,
) -> Flow:
    """Accumulate gradients into `.grad` of the leaves, as `loss.backward()` would, and tell how they flowed.

    It computes gradients only: moving the weights is an optimizer's job.

    Args:
        outputs: The loss, or several outputs.
        gradient: The cotangent of each output, of its shape; may be left out for outputs of one element.
        retain_graph: Whether the graph may be swept again afterwards.
        inputs: Tensors to accumulate into, leaves or not; all leaves when left out.
        model: Where the names of parameters come from, for the flow that is returned.
        calculus: The local derivatives to use, by operation type. Those that it does not state are borrowed
            from PyTorch: by default all of them, which gives PyTorch's gradients to the last bit and at
            its speed. `undertow.CALCULUS` takes ours wherever there is one: the same to rounding.

    Returns:
        The norms of all cotangents and contributions of this pass.

    Raises:
        GraphError: An output does not require a gradient, or a cotangent does not fit its output.
        GraphFreedError: The graph was swept before without `retain_graph=True`.
        SweptOnceError: A region under reentrant checkpointing cannot do what is asked.

    Hooks on leaves run; hooks on other tensors and modules do not (see LIMITATIONS.md).
    """
    outputs = outputs_of(outputs)
    graph = Graph.read(outputs)
    seeds = seeds_of(outputs, gradient)
    refuse_second_pass(graph)
    if inputs is not None or (calculus and calculus is not CALCULUS):
        _refuse_reentrant(graph)
    recorder = Recorder(Plan.of(graph, leaf_names(graph, model)))
    places = arrivals(graph, inputs)
    watcher = recorder if retain_graph else releasing(graph, recorder)
    borrowed = in_graph_task(lambda: sweep(graph, seeds, Gradient(), places, watcher=watcher, calculus=calculus))
    if not retain_graph:
        for node in root_operations(graph):
            node.metadata[SWEPT] = True
    return Flow(recorder.plan, recorder.values(), to_host([norm(seed) for seed in seeds]), borrowed)


def _refuse_reentrant(graph: Graph) -> None:
    if any(type(node).__name__ == REENTRANT for node in graph.nodes):
        raise SweptOnceError(
            f"inputs= and calculus= cannot be honoured in a region under reentrant checkpointing ({REENTRANT})\n"
            "  That region runs PyTorch's own backward pass, which adds to .grad of all leaves in it.\n"
            "  Use torch.utils.checkpoint.checkpoint(..., use_reentrant=False), or leave these arguments out."
        )


def arrivals(graph: Graph, inputs: Tensor | Sequence[Tensor] | None) -> dict[int, Callable[[list[Any]], None]]:
    if inputs is None:
        return {index: partial(_accumulate, graph.nodes[index], leaf) for index, leaf in graph.leaves()}
    wanted = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if not wanted:
        raise GraphError("inputs= is empty\n  Leave it out to accumulate into all leaves.")
    places = {node: index for index, node in enumerate(graph.nodes)}
    arrivals: dict[int, Callable[[list[Any]], None]] = {}
    for tensor in wanted:
        edge = get_gradient_edge(tensor)
        if edge.node in places:
            index, previous = places[edge.node], arrivals.get(places[edge.node])
            arrivals[index] = partial(_deliver, edge, tensor, previous)
    return arrivals


def _deliver(edge: Any, tensor: Tensor, previous: Callable[[list[Any]], None] | None, cotangents: list[Any]) -> None:
    if previous is not None:
        previous(cotangents)
    if tensor.is_leaf:
        _accumulate(edge.node, tensor, cotangents)
    elif (cotangent := cotangents[edge.output_nr]) is not None:
        # From the tensor to itself: PyTorch knows how the .grad of a tensor within the graph is kept.
        torch.autograd.backward(tensor, cotangent, retain_graph=True, inputs=[tensor])


def _accumulate(node: Any, leaf: Tensor, cotangents: list[Any]) -> None:
    """Add a leaf's gradient to its `.grad` as PyTorch's engine does: its hooks first, stealing what is ours alone."""
    gradient = cotangents[0]
    cotangents[0] = None
    if gradient is None:
        return
    for hook in (leaf._backward_hooks or {}).values():
        changed = hook(gradient)
        gradient = gradient if changed is None else changed
    if leaf.grad is None and _is_ours_alone(gradient, leaf):
        leaf.grad = gradient
    else:
        node(gradient)


def _is_ours_alone(gradient: Any, leaf: Tensor) -> bool:
    """Whether nothing else holds this tensor or its memory, so that it can become `.grad` without a copy."""
    if leaf._post_accumulate_grad_hooks or gradient.layout is not torch.strided or gradient.stride() != leaf.stride():
        return False
    base = gradient._base
    return bool(
        gradient._use_count() == 1
        and sys.getrefcount(gradient) <= OURS
        and (base is None or (base._use_count() == VIEWED_ONCE and sys.getrefcount(base) <= OURS))
    )
