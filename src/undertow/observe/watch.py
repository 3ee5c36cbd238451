"""Watching one backward pass of PyTorch's own, from hooks on the nodes of its graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from undertow.engine.graph import ACCUMULATE_GRAD, Graph
from undertow.engine.plan import Plan
from undertow.engine.recorder import Recorder, norm, to_host
from undertow.observe.guard import Guard

__all__ = ["Watch", "graph_behind"]


def graph_behind(outputs: Sequence[Any]) -> Graph | None:
    """The graph of the outputs that have one."""
    starts = []
    for output in outputs:
        if isinstance(output, GradientEdge):
            starts.append((output.node, output.output_nr))
        elif output.requires_grad:
            edge = get_gradient_edge(output)
            starts.append((edge.node, edge.output_nr))
    return Graph.behind(starts) if starts else None


@dataclass
class Watch:
    """Records the norms of one pass, from `start` until `stop`."""

    graph: Graph
    plan: Plan
    guard: Guard
    seeds: list[Any] = field(default_factory=list)
    _handles: list[Any] = field(default_factory=list)

    def start(self, seeds: Sequence[Tensor | None]) -> None:
        self.seeds = [1.0 if seed is None else norm(seed) for seed in seeds][: len(self.graph.roots)]
        self.recorder = Recorder(self.plan)
        for index, node in enumerate(self.graph.nodes):
            if not self.plan.measures(index):
                continue
            hook = self._hook(index)
            if type(node) is ACCUMULATE_GRAD:
                self._handles.append(node.register_prehook(partial(hook, ())))
            else:
                self._handles.append(node.register_hook(hook))

    def stop(self) -> tuple[dict[int, float], list[float]]:
        """The norms by the plan's keys, and those of the seeds."""
        self.remove()
        return self.recorder.values(), to_host(self.seeds)

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _hook(self, index: int) -> Callable[[Sequence[Any], Sequence[Any]], None]:
        """What PyTorch calls once the node has run. Nothing here may take long: there are hundreds a pass."""
        saw, guard = self.recorder.saw, self.guard
        users_modes = torch._C._len_torch_dispatch_stack

        def hook(contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
            if guard.broken or users_modes():
                guard.inside_pass(saw, index, contributions, cotangents)
                return
            began = perf_counter()
            try:
                saw(index, contributions, cotangents)
            except Exception as fault:
                guard.fail(fault)
            finally:
                guard.spent += perf_counter() - began

        return hook
