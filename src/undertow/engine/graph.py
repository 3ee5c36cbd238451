"""The forward pass as PyTorch recorded it.

A graph is read from the tensors that a backward pass would start from. Its nodes stand in the order
in which PyTorch's engine would run them, leaves last, so that a sweep is one walk down the list and
adds the contributions of many paths in PyTorch's own order.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import methodcaller
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node as RawNode
from torch.autograd.graph import get_gradient_edge

from undertow.errors import GraphError

__all__ = ["Edge", "Graph", "Operation", "Topology"]

Targets = tuple[tuple[int, int] | None, ...]
Space = tuple[tuple[int, ...], torch.dtype]

ACCUMULATE_GRAD: Any = type(get_gradient_edge(torch.zeros((), requires_grad=True)).node)


@dataclass(frozen=True, slots=True)
class Operation:
    """One node of a graph, as plain data.

    Attributes:
        name: PyTorch's name of the node's type, such as `AddmmBackward0`.
        shapes: The shape of each differentiable output of the forward operation.
        dtypes: The dtype of each, such as `float32`.
        module: Path of the innermost module call it was recorded in; empty when unknown.
        source: The user's line it was recorded at, such as `train.py:41`; empty when unknown.
        leaf: The name of the parameter (or other leaf) behind an `AccumulateGrad` node.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    module: str = ""
    source: str = ""
    leaf: str = ""

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.leaf or self.module, f"({self.source})" if self.source else "")))
        sizes = " ".join("×".join(map(str, shape)) or "scalar" for shape in self.shapes)
        return f"{self.name} {sizes} {place}".rstrip()


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a contribution to the gradient travels: from one operation to one that came before it.

    Attributes:
        sender: Index of the operation nearer the loss.
        position: Which input of the sender it belongs to.
        receiver: Index of the operation whose output that input was.
        slot: Which output of the receiver.
    """

    sender: int
    position: int
    receiver: int
    slot: int


@dataclass(frozen=True, slots=True)
class Topology:
    """A graph as plain data: it can be stored, compared and drawn after the tensors are gone.

    Attributes:
        operations: In sweep order, senders before receivers.
        edges: Ordered by sender, then position.
        roots: `(operation, slot)` of each tensor that the backward pass starts from.
    """

    operations: tuple[Operation, ...]
    edges: tuple[Edge, ...]
    roots: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return len(self.operations)

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        receivers: dict[int, list[int]] = {}
        for edge in self.edges:
            receivers.setdefault(edge.sender, []).append(edge.receiver)
        for index, operation in enumerate(self.operations):
            yield f"{index:4d}  {operation}" + "".join(f" → {r}" for r in receivers.get(index, ()))

    def leaves(self) -> dict[str, int]:
        """Index of the leaf operation of each named parameter."""
        return {op.leaf: index for index, op in enumerate(self.operations) if op.leaf}

    def named(self, rename: Callable[[int, Operation], Operation]) -> Topology:
        """The same graph with each operation replaced by `rename(index, operation)`."""
        return replace(self, operations=tuple(rename(i, op) for i, op in enumerate(self.operations)))


class Graph:
    """The recorded forward pass behind some tensors: what a sweep runs over.

    Attributes:
        nodes: PyTorch's own nodes, in sweep order.
        metadata: For each node, what tells shape, dtype and device of each of its outputs.
        spaces: For each node, shape and dtype of each of its outputs.
        edges: For each node, one entry per input: `(receiver, slot)`, or `None` where nothing flows.
        roots: `(node, slot)` of each output it was read from.
    """

    def __init__(self, nodes: list[Any], edges: list[Targets], roots: list[tuple[int, int]]):
        self.nodes = nodes
        self.metadata: list[Any] = []
        self.spaces: list[tuple[Space, ...]] = []
        for node in nodes:
            outputs: Any = (node.variable,) if type(node) is ACCUMULATE_GRAD else node._input_metadata
            self.metadata.append(outputs)
            first = (tuple(outputs[0].shape), outputs[0].dtype)
            # Nearly every operation has one output, and reading these is what a small net waits for.
            rest = outputs[1:] if len(outputs) > 1 else ()
            self.spaces.append((first, *((tuple(o.shape), o.dtype) for o in rest)) if rest else (first,))
        self.edges = edges
        self.roots = roots

    @classmethod
    def read(cls, outputs: Tensor | Sequence[Tensor]) -> Graph:
        """The graph behind one loss, or behind several outputs.

        Raises:
            GraphError: An output does not depend on anything that requires a gradient.
        """
        outputs = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
        if not outputs:
            raise GraphError("no outputs to read a graph from\n  Pass the loss, or a sequence of outputs.")
        starts = [_start(position, output) for position, output in enumerate(outputs)]
        return cls.behind(starts)

    @classmethod
    def behind(cls, starts: Sequence[tuple[RawNode, int]]) -> Graph:
        """The graph behind some `(node, output)` pairs of PyTorch's."""
        after = _reach([node for node, _ in starts])
        nodes = sorted((node for node in after if after[node]), key=_recorded_at, reverse=True)
        index = {node: i for i, node in enumerate(nodes)}
        edges, in_order = _edges(nodes, index, after)
        if not in_order:
            nodes = _by_readiness(nodes, after)
            index = {node: i for i, node in enumerate(nodes)}
            edges, _ = _edges(nodes, index, after)
        for node, _ in starts:
            if node not in index:
                index[node] = len(nodes)
                nodes.append(node)
                edges.append(())
        return cls(nodes, edges, [(index[node], slot) for node, slot in starts])

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return str(self.topology())

    def __repr__(self) -> str:
        return f"Graph({len(self)} operations, {len(self.roots)} roots)"

    def leaves(self) -> Iterator[tuple[int, Tensor]]:
        """Index and tensor of each leaf that a gradient would be accumulated into."""
        for index, node in enumerate(self.nodes):
            if type(node) is ACCUMULATE_GRAD:
                yield index, node.variable

    def signature(self) -> int:
        """A number that two graphs share if they have the same operations, shapes, dtypes, edges and roots."""
        return hash((*map(type, self.nodes), *self.edges, *self.roots, *self.spaces))

    def structure(self) -> int:
        """A number that two graphs share if they have the same operations, edges and roots, of whatever shapes."""
        return hash((*map(type, self.nodes), *self.edges, *self.roots))

    def topology(self, leaf_names: Mapping[int, str] = MappingProxyType({})) -> Topology:
        """The graph as plain data, with names for some of its leaves by index."""
        return Topology(
            tuple(self._operation(index, leaf_names.get(index, "")) for index in range(len(self))),
            tuple(
                Edge(sender, position, *target)
                for sender, targets in enumerate(self.edges)
                for position, target in enumerate(targets)
                if target is not None
            ),
            tuple(self.roots),
        )

    def _operation(self, index: int, leaf: str) -> Operation:
        return Operation(
            name=type(self.nodes[index]).__name__,
            shapes=tuple([shape for shape, _ in self.spaces[index]]),
            dtypes=tuple([str(dtype).removeprefix("torch.") for _, dtype in self.spaces[index]]),
            leaf=leaf,
        )

    def towards(self, targets: Iterable[int]) -> list[bool]:
        """For each node, whether a path leads from it to one of `targets`."""
        targets = set(targets)
        if targets.issuperset([i for i, edges in enumerate(self.edges) if not edges]):
            return [True] * len(self)
        needed = [i in targets for i in range(len(self))]
        for i in range(len(self) - 1, -1, -1):
            for edge in self.edges[i]:
                if edge is not None and needed[edge[0]]:
                    needed[i] = True
                    break
        return needed


def _start(position: int, output: Tensor) -> tuple[RawNode, int]:
    if not output.requires_grad:
        raise GraphError(
            f"output {position}, of shape {tuple(output.shape)}, does not require a gradient\n"
            "  Nothing that it was computed from can be trained by it: no backward pass starts here.\n"
            "  Was it computed under torch.no_grad(), detached, or turned into a number and back?"
        )
    edge = get_gradient_edge(output)
    return edge.node, edge.output_nr


def _reach(roots: list[Any]) -> dict[Any, Any]:
    """What follows each node that can be reached; nothing, for leaves."""
    after: dict[Any, Any] = {}
    stack = [*roots]
    while stack:
        node = stack.pop()
        if node not in after:
            after[node] = following = node.next_functions
            for fn, _ in following:
                if fn is not None and fn not in after:
                    stack.append(fn)
    return after


_recorded_at = methodcaller("_sequence_nr")


def _edges(nodes: list[Any], index: dict[Any, int], after: dict[Any, Any]) -> tuple[list[Targets], bool]:
    """Where each node sends to, and whether that is always further on. Leaves are appended as they are met."""
    edges: list[Targets] = []
    in_order = True
    for i, node in enumerate([*nodes]):
        targets: list[tuple[int, int] | None] = []
        for fn, slot in after[node]:
            if fn is None:
                targets.append(None)
                continue
            receiver = index.get(fn)
            if receiver is None:
                receiver = index[fn] = len(nodes)
                nodes.append(fn)
            elif receiver <= i:
                in_order = False
            targets.append((receiver, slot))
        edges.append(tuple(targets))
    edges += [()] * (len(nodes) - len(edges))
    return edges, in_order


def _by_readiness(nodes: list[Any], after: dict[Any, Any]) -> list[Any]:
    """In the order of PyTorch's own ready queue: of the nodes that wait for nothing, the latest recorded first.

    In-place writes record anew what came before them, so that order of recording is not enough.
    """
    inner = [node for node in nodes if after[node]]
    waiting = Counter(fn for node in inner for fn, _ in after[node] if fn is not None)
    ready = [(-_recorded_at(node), i, node) for i, node in enumerate(inner) if not waiting[node]]
    heapq.heapify(ready)
    ordered = []
    while ready:
        node = heapq.heappop(ready)[2]
        ordered.append(node)
        for fn, _ in after[node]:
            if fn is not None and after[fn]:
                waiting[fn] -= 1
                if not waiting[fn]:
                    heapq.heappush(ready, (-_recorded_at(fn), len(inner) + len(ordered), fn))
    return ordered
