"""Which weights work on the data themselves, and which of these a weight gets its input from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from undertow.diagnose.checks.head import VIEWS
from undertow.store import Pass

__all__ = ["first_before"]


def first_before(observed: Pass, weight: str) -> set[str]:
    """Of the weight matrices whose outputs reach this one, those that no other lies before."""
    operations, beside = observed.flow.topology.operations, _Beside(observed)
    leaves = [i for i, op in enumerate(operations) if op.leaf == weight]
    reached = beside.below([i for leaf in leaves for inputs in beside.inputs(leaf) for i in inputs])
    first = (leaf for leaf in beside.weights & reached if beside.is_first(leaf))
    return {operations[leaf].leaf for leaf in first}


class _Beside:
    """The connections of one graph, by operation, both ways."""

    def __init__(self, observed: Pass):
        topology = observed.flow.topology
        self._names = [op.name for op in topology.operations]
        self.weights = {i for i, op in enumerate(topology.operations) if op.leaf and len(op.shapes[0]) > 1}
        self._receivers: list[list[int]] = [[] for _ in topology.operations]
        self._senders: list[list[int]] = [[] for _ in topology.operations]
        for edge in topology.edges:
            self._receivers[edge.sender].append(edge.receiver)
            self._senders[edge.receiver].append(edge.sender)
        self._behind = [False] * len(topology)
        for i in reversed(range(len(topology))):
            self._behind[i] = i in self.weights or any(self._behind[r] for r in self._receivers[i])

    def inputs(self, leaf: int) -> Iterator[Sequence[int]]:
        """What each operation that uses a weight, seen through views, works on besides."""
        for user in self._senders[leaf]:
            if self._names[user] in VIEWS:
                yield from self.inputs(user)
            else:
                yield [r for r in self._receivers[user] if r != leaf]

    def is_first(self, leaf: int) -> bool:
        """Whether a weight is used on what no weight has made."""
        return any(not any(self._behind[i] for i in inputs) for inputs in self.inputs(leaf))

    def below(self, starts: Sequence[int]) -> set[int]:
        """Everything that some operations work on, directly or not, and they themselves."""
        seen, waiting = set(starts), [*starts]
        while waiting:
            new = set(self._receivers[waiting.pop()]) - seen
            seen |= new
            waiting += new
        return seen
