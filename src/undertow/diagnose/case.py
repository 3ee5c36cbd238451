"""A run with what several diagnoses need of it, worked out once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.finding import Outcome
from undertow.diagnose.outcome import ALREADY, judge_outcome, main_losses, main_site
from undertow.engine.graph import Topology
from undertow.store import Conditions, Losses, Parameter, Pass, Run, Updates

__all__ = ["LITTLE", "Case"]

SCALE_FREE = ("ada", "lamb", "lars", "lion", "muon", "prop", "shampoo", "sign", "soap")
"""In the names of optimizers whose steps stay the same when the loss is multiplied by a number."""

WELL = 0.8
"""Share of the loss of chance that is gone in a network that has learned well."""

LITTLE = 0.5
"""The same in one that has most of it still to learn."""


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
        """Whether the loss says that it has not learned; a loss that says nothing is no failure.

        Nor is one that falls and has come down to chance, as well as chance is known.
        """
        outcome = self.outcome
        if outcome.kind == "falling":
            return outcome.last > outcome.chance + max(0.0, outcome.chance_error)
        return outcome.kind in {"stalled", "diverged", "non-finite"}

    @property
    def skill(self) -> float:
        """See `Outcome.skill`."""
        return self.outcome.skill

    @property
    def learned_little(self) -> bool:
        """Whether it learned something, and most of what was to be learned is left, as far as its loss tells."""
        return self.learned and self.skill < LITTLE

    @cached_property
    def once_learned(self) -> bool:
        """Whether the loss was well below chance for a twentieth of the run, wherever it is now."""
        values, chance = self.losses(), self.outcome.chance
        width = max(1, len(values) // 20)
        if not chance > 0 or len(values) < 2 * width:
            return False
        means = np.convolve(np.nan_to_num(values, nan=np.inf), np.full(width, 1 / width), "valid")
        return bool(means.min() < (1 - ALREADY) * chance)

    def harm(self, failed: float, unknown: float, learned: float, partly: float | None = None) -> float:
        """One of these, by the outcome: `partly` where something was learned, or is about to be, but not well."""
        coming = self.outcome.kind == "falling" and not self.failed
        if partly is not None and (self.learned or coming) and self.skill < WELL:
            return partly
        return learned if self.learned else failed if self.failed else unknown

    @cached_property
    def passes(self) -> list[Pass]:
        """Observed passes of the main site, as long as the loss was finite."""
        site = main_site(self.run)
        passes = [p for p in self.run.passes if p.site == site] or self.run.passes
        return [p for p in passes if math.isfinite(p.loss)] or passes[:1]

    @cached_property
    def start(self) -> int:
        """The step at which the main site's training begins."""
        site = main_site(self.run)
        return 0 if site is None else int(self.run.losses[site].steps[0])

    @cached_property
    def early(self) -> list[Pass]:
        """Passes before the updates could do anything: of an optimizer that makes its own within a step, the first."""
        found = [p for p in self.passes if p.step == self.start]
        return found[:1] if self.closure else found

    @property
    def closure(self) -> bool:
        """Whether an optimizer asks for several passes a step, and moves the weights between them."""
        return any("LBFGS" in optimizer.kind for optimizer in self.run.optimizers)

    @cached_property
    def late(self) -> list[Pass]:
        """Passes of the last third of the observed ones."""
        return [p for p in self.passes[-max(1, len(self.passes) // 3) :] if p.step > self.start]

    @cached_property
    def noted(self) -> list[tuple[Pass, Conditions]]:
        """Passes whose conditions were probed, with these."""
        return [(p, p.conditions) for p in self.passes if p.conditions is not None]

    @cached_property
    def rhythm(self) -> int:
        """Backward passes at the main site from one optimizer step to the next, typically."""
        site = main_site(self.run)
        if site is None:
            return 0
        _, counts = np.unique(self.run.losses[site].steps, return_counts=True)
        return int(np.median(counts))

    @property
    def scale_free(self) -> bool:
        """Whether the optimizers divide by the gradient's own size, so that the scale of the loss does not matter."""
        kinds = [optimizer.kind.lower() for optimizer in self.run.optimizers]
        return bool(kinds) and all(any(word in kind for word in SCALE_FREE) for kind in kinds)

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.run.parameters}

    @cached_property
    def weights(self) -> list[int]:
        """Numbers of the trained weight matrices; of all trained parameters in a model that has none."""
        trained = [n for n, p in enumerate(self.run.parameters) if p.trainable and p.size > 1]
        return [n for n in trained if len(self.run.parameters[n].shape) > 1] or trained

    @cached_property
    def finite_updates(self) -> list[Updates]:
        """Observed steps of the main site's training whose updates were finite."""
        steps = [u for u in self.run.updates if u.step >= self.start]
        return [u for u in steps if not np.isinf(u.update).any() and np.isfinite(u.update).any()]

    @cached_property
    def _chosen(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The trained weight matrices and their sizes; if there are others, without those that steps made out of 0."""
        first = self.run.updates[0].weight if self.run.updates else np.ones(len(self.run.parameters))
        chosen = [number for number in self.weights if first[number] != 0] or self.weights
        sizes = [self.run.parameters[number].size for number in chosen]
        return np.array(chosen, dtype=np.int64), np.array(sizes, dtype=np.float64)

    def update_ratios(self, updates: Updates) -> NDArray[np.float64]:
        """‖Δw‖ / ‖w‖ of each weight matrix whose size is not near zero."""
        chosen, size = self._chosen
        weight, update = updates.weight[chosen], updates.update[chosen]
        kept = np.isfinite(update) & (weight / np.sqrt(size) > 1e-4)
        return update[kept] / weight[kept]

    def typical_ratios(self) -> list[tuple[int, float]]:
        """Step and median update ratio of the observed steps."""
        return [(u.step, float(np.median(r))) for u in self.finite_updates if len(r := self.update_ratios(u))]

    def moved_within(self, steps: int) -> float:
        """The most that any weight matrix can have moved in the first steps, relative to its size; see `moved`."""
        return self._summed(self._largest_ratios, self.start, min(self.start + steps, self.outcome.steps))

    def moved(self, since: float) -> float:
        """The most that any weight matrix can have moved after this share of the run, relative to its size.

        Update ratios between observed steps are interpolated, in proportion to the learning rate, and added up as if
        all went the same way.
        """
        return self._summed(self._largest_ratios, int(since * self.outcome.steps), self.outcome.steps)

    def moved_by(self, number: int) -> float:
        """The most that one parameter can have moved in the whole run, relative to its size; see `moved`."""
        seen = [(u.step, u.update[number] / u.weight[number]) for u in self.finite_updates if u.weight[number] > 0]
        found = [(step, float(ratio)) for step, ratio in seen if math.isfinite(ratio)]
        return self._summed(found, self.start, self.outcome.steps)

    @property
    def _largest_ratios(self) -> list[tuple[int, float]]:
        """Step and largest update ratio of the observed steps."""
        return [(u.step, float(r.max())) for u in self.finite_updates if len(r := self.update_ratios(u))]

    def promised(self, since: float) -> float:
        """The most that the loss can have fallen after this share of the run, to first order.

        A step Δw changes the loss by ⟨gradient, Δw⟩, which is at most the product of their norms: the fall if
        every step of every parameter had gone straight downhill. Between observed steps it is interpolated, in
        proportion to the learning rate.
        """
        found = [(u.step, float(np.nansum(u.update * u.gradient))) for u in self.finite_updates]
        return self._summed(found, int(since * self.outcome.steps), self.outcome.steps)

    def brought(self, since: float = 0.0) -> float:
        """By how much the steps after this share brought down the losses of their batches, to first order, as made."""
        found = [(u.step, u.fall) for u in self.finite_updates]
        return self._summed(found, max(self.start, int(since * self.outcome.steps)), self.outcome.steps)

    @cached_property
    def pace(self) -> NDArray[np.float64]:
        """The learning rate at each step, over its highest; of several groups, that of the one nearest to its own."""
        steps = np.arange(self.outcome.steps)
        highest = [(rate, float(rate.values.max())) for rate in self.run.rates]
        paces = [rate.at(steps) / high for rate, high in highest if 0 < high < math.inf]
        return np.max(paces, axis=0) if paces else np.ones(len(steps))

    def _summed(self, found: list[tuple[int, float]], start: int, end: int) -> float:
        """What was seen at some steps, added up over all from one to another; `nan` of nothing.

        Between them it is interpolated, for each unit of the learning rate.
        """
        pace = self.pace
        seen = [(step, value / pace[step]) for step, value in found if step < len(pace) and pace[step] > 0]
        if not found:
            return math.nan
        if not seen:
            return 0.0
        steps, values = zip(*seen, strict=True)
        return float((np.interp(np.arange(start, end), steps, values) * pace[start:end]).sum())

    def course(self) -> Losses | None:
        """The losses of the main site, with their steps."""
        return main_losses(self.run)

    def losses(self) -> NDArray[np.float64]:
        seen = self.course()
        return np.empty(0) if seen is None else seen.values

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
        sizes = self.weight_norms(observed.step)
        return [
            (name, depth, math.log10(norm * sizes[name]) if norm > 0 and sizes.get(name, 0) > 0 else -math.inf)
            for name, depth, norm in self.leaf_scales(observed)
            if name in sizes and math.isfinite(norm)
        ]

    def weight_norms(self, step: int) -> dict[str, float]:
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

    def place(self, observed: Pass, index: int) -> dict[str, Any]:
        """Where an operation stands: its module, its type and its line."""
        operation = observed.flow.topology.operations[index]
        return {"module": self.module_of(observed, index), "operation": operation.name, "source": operation.source}

    def events(self, kind: str) -> Iterator[dict[str, Any]]:
        for event in self.run.events:
            if event.kind == kind:
                yield {**event.facts, "step": event.step}
