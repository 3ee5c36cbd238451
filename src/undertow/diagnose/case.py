"""A run with what several diagnoses need of it, worked out once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.finding import Outcome
from undertow.diagnose.outcome import judge_outcome, main_site
from undertow.engine.graph import Topology
from undertow.store import Parameter, Pass, Run, Updates

__all__ = ["Case"]

EARLY = 2
"""Passes before this step show the network as it was made, before updates could do anything to it."""


class Case:
    """The facts of a run, as diagnoses ask for them.

    Attributes:
        run: The run.
        outcome: How the training went.
    """

    def __init__(self, run: Run):
        self.run = run
        self.outcome: Outcome = judge_outcome(run)

    @property
    def learned(self) -> bool:
        return self.outcome.kind == "learned"

    @property
    def failed(self) -> bool:
        """Whether the loss says that it did not learn; a loss that says nothing is no failure."""
        return self.outcome.kind in {"stalled", "diverged", "non-finite"}

    def harm(self, failed: float, unknown: float, learned: float) -> float:
        """One of three, by the outcome."""
        return failed if self.failed else learned if self.learned else unknown

    @cached_property
    def passes(self) -> list[Pass]:
        """Observed passes of the site that most of the training runs through; all of them if it has none."""
        site = main_site(self.run)
        return [p for p in self.run.passes if p.site == site] or self.run.passes

    @cached_property
    def early(self) -> list[Pass]:
        """Passes before the updates could do anything."""
        return [p for p in self.passes if p.step < EARLY] or self.passes[:1]

    @cached_property
    def late(self) -> list[Pass]:
        """Passes of the last third of the observed ones."""
        return [p for p in self.passes[-max(1, len(self.passes) // 3) :] if p.step >= EARLY]

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.run.parameters}

    @cached_property
    def weights(self) -> list[int]:
        """Numbers of the parameters with at least two dimensions that are trained."""
        return [
            number
            for number, parameter in enumerate(self.run.parameters)
            if len(parameter.shape) > 1 and parameter.trainable and parameter.size > 1
        ]

    @cached_property
    def finite_updates(self) -> list[Updates]:
        """Observed steps whose gradients and updates were finite."""
        return [u for u in self.run.updates if not np.isinf(u.update).any() and self._moved(u).any()]

    def _moved(self, updates: Updates) -> NDArray[np.bool_]:
        return np.isfinite(updates.update)

    def update_ratios(self, updates: Updates) -> NDArray[np.float64]:
        """‖Δw‖ / ‖w‖ of each weight matrix whose size is not near zero."""
        chosen = np.array(self.weights, dtype=np.int64)
        size = np.array([self.run.parameters[number].size for number in chosen], dtype=np.float64)
        weight, update = updates.weight[chosen], updates.update[chosen]
        kept = np.isfinite(update) & (weight / np.sqrt(size) > 1e-4)
        return update[kept] / weight[kept]

    def losses(self) -> NDArray[np.float64]:
        site = main_site(self.run)
        return np.empty(0) if site is None else self.run.losses[site].values

    def depth(self, topology: Topology) -> dict[str, int]:
        """For each leaf, how many operations lie between it and the loss, by its nearest use."""
        distance: dict[int, int] = {index: 0 for index, _ in topology.roots}
        for edge in topology.edges:
            if edge.sender in distance:
                reach = distance[edge.sender] + 1
                distance[edge.receiver] = min(distance.get(edge.receiver, reach), reach)
        return {op.leaf: distance[i] for i, op in enumerate(topology.operations) if op.leaf and i in distance}

    def leaf_scales(self, observed: Pass) -> list[tuple[str, int, float]]:
        """Name, depth and gradient norm of each weight matrix, the nearest to the loss first."""
        depth = self.depth(observed.flow.topology)
        found = [
            (op.leaf, depth[op.leaf], observed.flow.cotangents[index])
            for index, op in enumerate(observed.flow.topology.operations)
            if op.leaf in depth and op.shapes and len(op.shapes[0]) > 1
        ]
        return sorted(found, key=lambda item: item[1])

    def relative_scales(self, observed: Pass) -> list[tuple[str, int, float]]:
        """Name, depth and log10 of ‖gradient‖ · ‖weight‖ of each weight matrix, the nearest to the loss first.

        The product stays the same when a layer is rescaled and the next one undoes it.
        """
        sizes = self._weight_norms(observed.step)
        return [
            (name, depth, math.log10(norm * sizes[name]) if norm > 0 and sizes.get(name, 0) > 0 else -math.inf)
            for name, depth, norm in self.leaf_scales(observed)
            if name in sizes and math.isfinite(norm)
        ]

    def _weight_norms(self, step: int) -> dict[str, float]:
        """The norm of each parameter at the observed step nearest to `step`."""
        if not self.run.updates:
            return {}
        nearest = min(self.run.updates, key=lambda u: abs(u.step - step))
        return {
            parameter.name: float(norm)
            for parameter, norm in zip(self.run.parameters, nearest.weight, strict=True)
            if math.isfinite(norm)
        }

    def module_of(self, observed: Pass, index: int) -> str:
        """The module of an operation; for one outside any, that of the operation it works on."""
        topology = observed.flow.topology
        for _ in range(6):
            if topology.operations[index].module or not topology.operations[index].name:
                break
            following = [edge.receiver for edge in topology.edges if edge.sender == index]
            if not following:
                break
            index = following[0]
        return topology.operations[index].module

    def events(self, kind: str) -> Iterator[dict[str, object]]:
        for event in self.run.events:
            if event.kind == kind:
                yield {**event.facts, "step": event.step}
