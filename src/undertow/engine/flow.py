"""What a sweep saw: how much gradient went where, and what became of it on the way."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nlargest

from undertow.engine.graph import Edge, Operation, Topology
from undertow.engine.plan import Plan, Seed, Sum
from undertow.shown import Shown

__all__ = ["Attribution", "Flow", "Route"]


@dataclass(frozen=True, slots=True)
class Route:
    """One path from the loss to an operation, and the share of its gradient that took it (0 to 1)."""

    share: float
    operations: tuple[int, ...]


@dataclass(frozen=True)
class Attribution:
    """Where the gradient of one operation gained and lost its size, in decades (powers of ten).

    `total` is log10 of the norm there over the norm at the loss, and it is accounted for exactly:
    the gains of all operations on the way and what adding contributions did sum to it.

    Attributes:
        target: Index of the operation it is about.
        total: Decades in all; `-inf` where the gradient is exactly zero, and then nothing is attributed.
        gains: For operations on the way, the decades that passing through them brought.
        interferences: For operations where paths meet, the decades that adding them up brought.
        weights: For operations on the way, the share of the target's gradient that came through them.
    """

    topology: Topology = field(repr=False)
    target: int
    total: float
    gains: Mapping[int, float] = field(repr=False)
    interferences: Mapping[int, float] = field(repr=False)
    weights: Mapping[int, float] = field(repr=False)

    def by_operation(self) -> dict[str, float]:
        """Decades by type of operation, and by the adding-up of paths, the greatest loss first."""
        return self._grouped(lambda op: op.name, "(paths adding up)")

    def by_module(self) -> dict[str, float]:
        """Decades by module path, the greatest loss first. Paths that meet count for the module they meet in."""
        return self._grouped(lambda op: op.module, None)

    def by_source(self) -> dict[str, float]:
        """Decades by line of the user's code, the greatest loss first."""
        return self._grouped(lambda op: op.source, None)

    def _grouped(self, key: Callable[[Operation], str], meeting: str | None) -> dict[str, float]:
        sums: dict[str, float] = defaultdict(float)
        for index, decades in self.gains.items():
            sums[key(self.topology.operations[index])] += decades
        for index, decades in self.interferences.items():
            sums[key(self.topology.operations[index]) if meeting is None else meeting] += decades
        return dict(sorted(sums.items(), key=lambda item: item[1]))


@dataclass(frozen=True)
class Flow(Shown):
    """The norms of one backward pass over a graph, and the exact statements that follow from them.

    Attributes:
        plan: The graph, and which of its norms were measured.
        values: The measured norms, by the plan's keys; a key that is missing carried exactly nothing.
        seeds: For each root, the norm that the pass started with there.
        borrowed: How often each type of operation had its derivative borrowed from PyTorch. Empty
            when PyTorch's own backward pass was observed.
        scale: What the loss was multiplied by (loss scaling): every norm told here is divided by it.
    """

    plan: Plan = field(repr=False)
    values: Mapping[int, float] = field(repr=False)
    seeds: Sequence[float]
    borrowed: Mapping[str, int] = field(default_factory=dict)
    scale: float = 1.0

    @property
    def topology(self) -> Topology:
        """The graph."""
        return self.plan.topology

    @property
    def cotangents(self) -> list[float]:
        """For each operation, the norm of the gradient of the loss by its outputs."""
        return self._norms[0]

    @property
    def contributions(self) -> list[float]:
        """For each edge, the norm of what came along it, before contributions were added."""
        return self._norms[1]

    @cached_property
    def _norms(self) -> tuple[list[float], list[float]]:
        cotangents: list[float] = []
        contributions: list[float] = []
        for index, (sent, parts) in enumerate(zip(self.plan.sent, self.plan.parts, strict=True)):
            norm = math.hypot(*self._reaching(index, contributions))
            cotangents.append(norm)
            contributions += [self.values.get(number, 0.0) / self.scale if parts else norm for number in sent]
        return cotangents, contributions

    def _reaching(self, index: int, contributions: Sequence[float]) -> Iterator[float]:
        """The norm of each of an operation's cotangents that anything reached."""
        for single in self.plan.reached[index]:
            if isinstance(single, Sum):
                yield self.values.get(single.key, 0.0) / self.scale
            elif isinstance(single, Seed):
                yield self.seeds[single.root] / self.scale
            elif single is not None:
                yield contributions[single]

    @property
    def arriving(self) -> Sequence[Sequence[int]]:
        """For each operation, the indices of the edges that lead into it."""
        return self.plan.arriving

    @cached_property
    def _seeded(self) -> dict[int, list[float]]:
        seeded: dict[int, list[float]] = defaultdict(list)
        for (index, _), seed in zip(self.topology.roots, self.seeds, strict=True):
            seeded[index].append(seed)
        return seeded

    def gain(self, edge: int) -> float:
        """Norm of what came along an edge over the norm of what its sender had. `nan` if that had nothing."""
        had = self.cotangents[self.topology.edges[edge].sender]
        return self.contributions[edge] / had if had else math.nan

    def share(self, edge: int) -> float:
        """Part of the receiver's gradient that came along this edge, by squared norms (0 to 1)."""
        total = self._squares(self.topology.edges[edge].receiver)
        return (self.contributions[edge] / total) ** 2 if total else 0.0

    def interference(self, index: int) -> float:
        """What adding up the contributions at an operation did, in decades: below 0 they cancelled.

        `-inf` when they cancelled exactly, 0 where there is one contribution or none.
        """
        mean = sum(share * math.log10(size) for size, share in self._shares(index))
        return _log10(self.cotangents[index]) - mean if self._squares(index) else 0.0

    def attribute(self, target: int | str) -> Attribution:
        """Account for the size of the gradient at an operation, or at a parameter by its name.

        Weight 1 starts at the target and walks to the loss, split by shares where paths meet.
        """
        target = self._index(target)
        if not self.cotangents[target] or not math.isfinite(self.cotangents[target]):
            return Attribution(self.topology, target, _log10(self.cotangents[target]), {}, {}, {})
        weights = self.through(target)
        gains: dict[int, float] = defaultdict(float)
        meetings: dict[int, float] = {}
        start = 0.0
        for index, weight in weights.items():
            if met := self.interference(index):
                meetings[index] = weight * met
            for edge, passed in self._passed(index, weight):
                gains[self.topology.edges[edge].sender] += passed * math.log10(self.gain(edge))
            start += sum(weight * self._part(index, seed) * math.log10(seed) for seed in self._seeded[index] if seed)
        return Attribution(self.topology, target, _log10(self.cotangents[target]) - start, gains, meetings, weights)

    def through(self, target: int | str) -> dict[int, float]:
        """For each operation on the way, the share of the target's gradient that came through it (0 to 1)."""
        weights: dict[int, float] = defaultdict(float)
        weights[self._index(target)] = 1.0
        for index in range(self._index(target), -1, -1):
            if weight := weights.get(index):
                for edge, passed in self._passed(index, weight):
                    weights[self.topology.edges[edge].sender] += passed
        return dict(weights)

    def routes(self, target: int | str, most: int = 3) -> list[Route]:
        """The paths from the loss by which most of the target's gradient arrived, the largest share first."""
        best: dict[int, list[Route]] = {}
        for index in range(self._index(target) + 1):
            found = [Route(self._part(index, seed), (index,)) for seed in self._seeded.get(index, ())]
            for edge in self.arriving[index]:
                if share := self.share(edge):
                    before = best[self.topology.edges[edge].sender]
                    found += [Route(route.share * share, (*route.operations, index)) for route in before]
            best[index] = nlargest(most, found, key=lambda route: route.share)
        return best[self._index(target)]

    def vanishing_edges(self) -> Iterator[Edge]:
        """Edges along which exactly nothing came from an operation that had something."""
        for edge, size in zip(self.topology.edges, self.contributions, strict=True):
            if not size and self.cotangents[edge.sender]:
                yield edge

    def __str__(self) -> str:
        rows = zip(self.topology.operations, self.cotangents, strict=True)
        return "\n".join(f"{i:4d}  {norm:9.2e}  {op}" for i, (op, norm) in enumerate(rows))

    def _index(self, target: int | str) -> int:
        if isinstance(target, int):
            return target
        leaves = self.topology.leaves()
        if target not in leaves:
            known = ", ".join(sorted(leaves)) or "none with a name"
            raise KeyError(f"no parameter {target!r} received a gradient in this pass; these did: {known}")
        return leaves[target]

    def _sizes(self, index: int) -> list[float]:
        return [self.contributions[edge] for edge in self.arriving[index]] + self._seeded.get(index, [])

    def _squares(self, index: int) -> float:
        return math.hypot(*self._sizes(index))

    def _part(self, index: int, size: float) -> float:
        total = self._squares(index)
        return (size / total) ** 2 if total else 0.0

    def _shares(self, index: int) -> Iterator[tuple[float, float]]:
        for size in self._sizes(index):
            if share := self._part(index, size):
                yield size, share

    def _passed(self, index: int, weight: float) -> Iterator[tuple[int, float]]:
        for edge in self.arriving[index]:
            if share := self._part(index, self.contributions[edge]):
                yield edge, weight * share


def _log10(size: float) -> float:
    return math.log10(size) if size > 0 else -math.inf if size == 0 else math.nan
