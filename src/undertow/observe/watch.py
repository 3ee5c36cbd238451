"""Watching backward passes of PyTorch's own, from hooks on the nodes of their graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from undertow.engine.plan import Plan
from undertow.engine.reading import ACCUMULATE_GRAD
from undertow.engine.recorder import norm, numbers, to_host
from undertow.observe.guard import Guard

__all__ = ["Watch"]

Keys = tuple[tuple[int, int], ...]
"""`(position or slot, key)` of what is measured at one node."""

Hook = Callable[[Sequence[Any], Sequence[Any]], None]


class Watch:
    """Records the norms of passes over graphs of one plan, one pass after the other, from `start` until `stop`."""

    def __init__(self, plan: Plan, guard: Guard):
        self._guard = guard
        self._sizes: dict[int, float | Tensor] = {}
        self._seeds: list[Any] = []
        self._handles: list[Any] = []
        self._everywhere = self._hooks(_everywhere(plan))
        self._cover = self._hooks(_cover(plan))

    def start(self, nodes: Sequence[Any], seeds: Sequence[Tensor | None], *, to_leaves: bool) -> None:
        """Put hooks on a graph's nodes, in the plan's order.

        A pass that runs `to_leaves` runs every node, so that what one node sends is seen where it arrives.
        """
        self._seeds = [1.0 if seed is None else norm(seed) for seed in seeds]
        self._sizes = {}
        handles = self._handles
        for index, hook in self._cover if to_leaves else self._everywhere:
            node = nodes[index]
            if type(node) is ACCUMULATE_GRAD:
                handles.append(node.register_prehook(partial(hook, ())))
            else:
                handles.append(node.register_hook(hook))

    def stop(self) -> tuple[dict[int, float], list[float]]:
        """The norms by the plan's keys, and those of the seeds; tensors are moved to the host at once."""
        self.remove()
        return numbers(self._sizes), to_host(self._seeds)

    def remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _hooks(self, places: dict[int, tuple[Keys, Keys]]) -> list[tuple[int, Hook]]:
        return [(index, self._hook(*keys)) for index, keys in places.items()]

    def _hook(self, parts: Keys, sums: Keys) -> Hook:
        """What PyTorch calls once a node has run. Nothing here may take long: there are hundreds a pass."""
        guard, users_modes = self._guard, torch._C._len_torch_dispatch_stack

        def measure(contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
            sizes = self._sizes
            for position, key in parts:
                if (part := contributions[position]) is not None:
                    sizes[key] = norm(part)
            for slot, key in sums:
                if (total := cotangents[slot]) is not None:
                    sizes[key] = norm(total)

        def hook(contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
            if guard.broken or users_modes():
                guard.inside_pass(measure, contributions, cotangents)
                return
            began = perf_counter()
            try:
                measure(contributions, cotangents)
            except Exception as fault:
                guard.fail(fault)
            finally:
                guard.spent += perf_counter() - began

        return hook


def _everywhere(plan: Plan) -> dict[int, tuple[Keys, Keys]]:
    """What to measure at each node: the contributions that it sends, and the sums that arrive at it."""
    return {
        index: (parts, sums)
        for index, (parts, sums) in enumerate(zip(plan.parts, plan.sums, strict=True))
        if parts or sums
    }


def _cover(plan: Plan) -> dict[int, tuple[Keys, Keys]]:
    """The same at about half as many nodes: a node is passed over where all that it sends arrives alone at others."""
    places = _everywhere(plan)
    for index in sorted(places, reverse=True):
        parts, sums = places[index]
        edges = [plan.topology.edges[key] for _, key in parts]
        alone = [plan.reached[edge.receiver][edge.slot] == key for edge, (_, key) in zip(edges, parts, strict=True)]
        if not sums and all(alone) and all(edge.receiver in places and plan.sent[edge.receiver] for edge in edges):
            del places[index]
            for edge, (_, key) in zip(edges, parts, strict=True):
                theirs, arriving = places[edge.receiver]
                places[edge.receiver] = theirs, (*arriving, (edge.slot, key))
    return places
