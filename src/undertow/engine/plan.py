"""What to measure in a graph so that the whole flow is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, NamedTuple

from undertow.engine.graph import Graph, Topology

__all__ = ["ISOMETRIES", "Plan", "Seed", "Sum"]

ISOMETRIES = frozenset(
    {
        "AliasBackward0",
        "CloneBackward0",
        "FlipBackward0",
        "PermuteBackward0",
        "PixelShuffleBackward0",
        "PixelUnshuffleBackward0",
        "ReshapeAliasBackward0",
        "RollBackward0",
        "SelectBackward0",
        "SliceBackward0",
        "SplitBackward0",
        "SplitWithSizesBackward0",
        "SqueezeBackward0",
        "SqueezeBackward1",
        "TBackward0",
        "TransposeBackward0",
        "UnbindBackward0",
        "UnsafeSplitBackward0",
        "UnsafeViewBackward0",
        "UnsqueezeBackward0",
        "ViewBackward0",
    }
)
"""Operations that move entries, put them together or pad them with zeros: their gain is exactly 1, and not measured."""

KEPT_PLANS = 64
_PLANS: dict[Any, Plan] = {}


class Seed(NamedTuple):
    """The one thing that reaches an output is what the pass started with at this root."""

    root: int


class Sum(NamedTuple):
    """Several contributions reach an output: the norm of their sum is measured under this key."""

    key: int


class Plan:
    """What to measure in a graph so that every cotangent and every contribution is known.

    An output that one contribution reaches has that contribution's norm. So contributions are measured,
    and sums only where several meet. Keys are edge numbers and, for sums, numbers after these.

    Attributes:
        topology: The graph.
        keys: How many keys there are.
        sent: For each operation, the numbers of the edges that leave it.
        leaves: The operation of each named parameter.
        arriving: For each operation, the numbers of the edges that lead into it.
        reached: For each operation and output, what reaches it: the number of an edge, a seed, a sum, or nothing.
        parts: For each operation, `(position, key)` of the contributions to measure.
        sums: For each operation, `(slot, key)` of the sums to measure.
        measured: For each operation, whether anything is measured at it.
        same: For each operation, under which key the norm of its first cotangent is measured, if under any: what is
            sent on as it came has that norm.
    """

    def __init__(self, topology: Topology):
        self.topology = topology
        self.leaves = topology.leaves()
        self.sent: list[list[int]] = [[] for _ in topology.operations]
        self.arriving: list[list[int]] = [[] for _ in topology.operations]
        slots_of: list[list[list[int | Seed]]] = [[[] for _ in op.shapes] for op in topology.operations]
        for number, edge in enumerate(topology.edges):
            self.sent[edge.sender].append(number)
            self.arriving[edge.receiver].append(number)
            slots_of[edge.receiver][edge.slot].append(number)
        for root, (index, slot) in enumerate(topology.roots):
            slots_of[index][slot].append(Seed(root))
        keys = count(len(topology.edges))
        self.reached = [[_joined(slot, keys) for slot in slots] for slots in slots_of]
        self.keys = next(keys)
        self.parts = [self._parts(index) for index in range(len(topology))]
        self.sums = [
            tuple((slot, reach.key) for slot, reach in enumerate(slots) if isinstance(reach, Sum))
            for slots in self.reached
        ]
        self.measured = [bool(parts or sums) for parts, sums in zip(self.parts, self.sums, strict=True)]
        self.same: list[int | None] = []
        for slots in self.reached:
            self.same.append(self._key(slots[0]))

    @classmethod
    def of(cls, graph: Graph, leaf_names: Mapping[int, str]) -> Plan:
        """The plan for a graph; graphs of the same operations, shapes and names share one."""
        key = (graph.signature(), tuple(leaf_names.items()))
        if key not in _PLANS:
            while len(_PLANS) >= KEPT_PLANS:
                _PLANS.pop(next(iter(_PLANS)))
            _PLANS[key] = cls(graph.topology(leaf_names))
        return _PLANS[key]

    def measures(self, index: int) -> bool:
        """Whether anything is measured at an operation."""
        return self.measured[index]

    def _key(self, reach: int | Seed | Sum | None) -> int | None:
        """Under which key the norm of what reaches an output is measured, once that is known of those before it."""
        if isinstance(reach, Sum):
            return reach.key
        if not isinstance(reach, int):
            return None
        sender = self.topology.edges[reach].sender
        if self.topology.operations[sender].name not in ISOMETRIES:
            return reach
        return self.same[sender] if len(self.topology.operations[sender].shapes) == 1 else None

    def _parts(self, index: int) -> tuple[tuple[int, int], ...]:
        if self.topology.operations[index].name in ISOMETRIES:
            return ()
        return tuple((self.topology.edges[number].position, number) for number in self.sent[index])


def _joined(arriving: list[int | Seed], keys: Iterator[int]) -> int | Seed | Sum | None:
    if len(arriving) > 1:
        return Sum(next(keys))
    return arriving[0] if arriving else None
