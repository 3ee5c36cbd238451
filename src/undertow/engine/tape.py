"""The recorded forward pass as a list of passages, read once and run either way as often as wished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from undertow.engine.calculus import Rule
from undertow.engine.graph import Graph
from undertow.engine.graph_task import in_graph_task
from undertow.engine.passages import Cells, Passage, add, read
from undertow.engine.reading import Space
from undertow.errors import GraphError

__all__ = ["Tape"]


class Tape:
    """A recorded forward pass with all read that its derivative is made of: a linear map that can be run either way.

    It holds what operations saved or what the rules made of that, and of the graph only the operations it borrows.
    """

    def __init__(self, outputs: Sequence[Tensor], inputs: Sequence[Tensor], calculus: Mapping[str, Rule]):
        graph = Graph.read(outputs)
        self._leaves = [(leaf, leaf._version) for _, leaf in graph.leaves()]
        self._spaces: list[Space] = [space for spaces in graph.spaces for space in spaces]
        self._first = _first_cells(graph)
        self._outputs = [self._first[index] + slot for index, slot in graph.roots]
        places = _places(graph, inputs)
        self._inputs = [None if place is None else self._first[place[0]] + place[1] for place in places]
        needed = graph.towards([place[0] for place in places if place is not None])
        self._passages = in_graph_task(lambda: [*self._read(graph, needed, calculus)])

    @cached_property
    def _dropped_by_pull(self) -> list[list[int]]:
        return _dropped([passage.outputs for passage in self._passages], self._inputs)

    @cached_property
    def _dropped_by_push(self) -> list[list[int]]:
        return _dropped([passage.inputs for passage in reversed(self._passages)], self._outputs)

    @cached_property
    @torch.no_grad()
    def borrowed(self) -> Counter[str]:
        """How many operations of each type have no rule of ours, so that PyTorch's is called."""
        return Counter(passage.borrows for passage in self._passages if passage.borrows)

    def pull(self, cotangents: Sequence[Tensor]) -> list[Tensor | None]:
        """The vector-Jacobian product: one tensor an input, `None` where nothing arrives."""
        cells = self._started(self._outputs, cotangents)
        for passage, dropped in zip(self._passages, self._dropped_by_pull, strict=True):
            passage.pull(cells, self._spaces)
            for cell in dropped:
                cells[cell] = None
        return _taken(cells, self._inputs)

    def push(self, tangents: Sequence[Tensor]) -> list[Tensor | None]:
        """The Jacobian-vector product: one tensor an output, `None` where nothing arrives."""
        cells = self._started(self._inputs, tangents)
        for passage, dropped in zip(reversed(self._passages), self._dropped_by_push, strict=True):
            passage.push(cells, self._spaces)
            for cell in dropped:
                cells[cell] = None
        return _taken(cells, self._outputs)

    def _started(self, places: Sequence[int | None], tensors: Sequence[Tensor]) -> Cells:
        self._refuse_if_moved()
        cells: Cells = [None] * len(self._spaces)
        for cell, tensor in zip(places, tensors, strict=True):
            if cell is not None:
                add(cells, cell, tensor)
        return cells

    def _refuse_if_moved(self) -> None:
        for leaf, version in self._leaves:
            if leaf._version != version:
                raise GraphError(
                    f"a leaf of shape {tuple(leaf.shape)} was changed in place after it was linearized\n"
                    "  Local derivatives refer to its memory, so products would mix the old point with the new one.\n"
                    "  Run the forward pass again, and linearize that."
                )

    def _read(self, graph: Graph, needed: Sequence[bool], calculus: Mapping[str, Rule]) -> Iterator[Passage]:
        for index, (node, edges) in enumerate(zip(graph.nodes, graph.edges, strict=True)):
            if needed[index] and edges:
                into = [self._first[edge[0]] + edge[1] if edge and needed[edge[0]] else None for edge in edges]
                outputs = range(self._first[index], self._first[index] + len(graph.spaces[index]))
                yield read(node, outputs, into, calculus.get(type(node).__name__))


def _first_cells(graph: Graph) -> list[int]:
    """The number of each operation's first output, when all outputs are counted through."""
    first, total = [], 0
    for spaces in graph.spaces:
        first.append(total)
        total += len(spaces)
    return first


def _places(graph: Graph, inputs: Sequence[Tensor]) -> list[tuple[int, int] | None]:
    """Operation and output of each input; `None` for one that the outputs do not depend on."""
    leaves = {id(leaf): index for index, leaf in graph.leaves()}
    if all(id(tensor) in leaves for tensor in inputs):
        return [(leaves[id(tensor)], 0) for tensor in inputs]
    numbers = {node: index for index, node in enumerate(graph.nodes)}
    edges = [get_gradient_edge(tensor) for tensor in inputs]
    return [(numbers[edge.node], edge.output_nr) if edge.node in numbers else None for edge in edges]


def _dropped(reads: Sequence[Sequence[int | None]], kept: Sequence[int | None]) -> list[list[int]]:
    """For each passage of a run, the cells that no later passage reads, so that they need not be held."""
    last = {cell: number for number, cells in enumerate(reads) for cell in cells if cell is not None}
    dropped: list[list[int]] = [[] for _ in reads]
    for cell, number in last.items():
        if cell not in kept:
            dropped[number].append(cell)
    return dropped


def _taken(cells: Cells, places: Sequence[int | None]) -> list[Tensor | None]:
    return [None if cell is None else cells[cell] for cell in places]
