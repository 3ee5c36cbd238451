"""The forward pass as PyTorch recorded it.

A graph is read from the tensors that a backward pass would start from. Its nodes stand in the order
in which PyTorch's engine would run them, leaves last, so that a sweep is one walk down the list and
adds the contributions of many paths in PyTorch's own order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from torch import Tensor
from torch.autograd.graph import Node as RawNode
from torch.autograd.graph import get_gradient_edge

from undertow.engine.reading import Outline, read
from undertow.errors import GraphError

__all__ = ["Edge", "Graph", "Operation", "Topology", "outputs_of"]


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


def outputs_of(given: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """One loss, or several outputs, as a tuple of tensors.

    Raises:
        GraphError: There are none, or they are no tensors.
    """
    outputs = (given,) if isinstance(given, Tensor) else tuple(given) if isinstance(given, Iterable) else (given,)
    if not outputs:
        raise GraphError("no outputs to read a graph from\n  Pass the loss, or a sequence of outputs.")
    for position, output in enumerate(outputs):
        if not isinstance(output, Tensor):
            raise GraphError(
                f"output {position} is of type {type(output).__name__} and no tensor\n"
                "  What is not a tensor does not know what it was computed from.\n"
                "  Pass the loss itself, before .item() or .detach().numpy(), or a sequence of such tensors."
            )
    return outputs


class Graph:
    """The recorded forward pass behind some tensors: what a sweep runs over.

    Attributes:
        nodes: PyTorch's own nodes, in sweep order.
        spaces: For each node, shape and dtype of each of its outputs.
        edges: For each node, one entry per input: `(receiver, slot)`, or `None` where nothing flows.
        roots: `(node, slot)` of each output it was read from.
    """

    def __init__(self, nodes: list[Any], outline: Outline):
        self.nodes = nodes
        self.edges = outline.edges
        self.spaces = outline.spaces
        self.roots = outline.roots
        self._outline = outline

    @classmethod
    def read(cls, outputs: Tensor | Sequence[Tensor]) -> Graph:
        """The graph behind one loss, or behind several outputs.

        Raises:
            GraphError: An output does not depend on anything that requires a gradient.
        """
        outputs = outputs_of(outputs)
        starts = [_start(position, output) for position, output in enumerate(outputs)]
        return cls.behind(starts)

    @classmethod
    def behind(cls, starts: Sequence[tuple[RawNode, int]]) -> Graph:
        """The graph behind some `(node, output)` pairs of PyTorch's."""
        return cls(*read(starts))

    def with_leaves_early(self) -> Graph:
        """The same with each leaf where its gradient is complete, so that what it was sent need not be kept."""
        order, outline = self._outline.early
        return Graph([self.nodes[index] for index in order], outline)

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return str(self.topology())

    def __repr__(self) -> str:
        return f"Graph({len(self)} operations, {len(self.roots)} roots)"

    def leaves(self) -> Iterator[tuple[int, Tensor]]:
        """Index and tensor of each leaf that a gradient would be accumulated into."""
        for index in self._outline.leaves:
            yield index, self.nodes[index].variable

    def signature(self) -> int:
        """A number that two graphs share if they have the same operations, shapes, dtypes, edges and roots."""
        return self._outline.signature

    def structure(self) -> int:
        """A number that two graphs share if they have the same operations, edges and roots, of whatever shapes."""
        return self._outline.structure

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
            self.roots,
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
