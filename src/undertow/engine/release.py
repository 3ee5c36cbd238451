"""Letting go of what operations saved while a sweep runs, as PyTorch's own backward pass does."""

from __future__ import annotations

from collections.abc import Sequence
from operator import or_
from typing import Any, NoReturn

from undertow.engine.graph import Graph
from undertow.engine.lifetimes import letting_go
from undertow.engine.saved import held_by
from undertow.engine.sweep import Watcher

__all__ = ["releasing"]


def releasing(watcher: Watcher, graph: Graph) -> Watcher:
    """What shows a pass to a watcher and lets go, as it goes on, of what operations saved."""
    lets_go = letting_go(graph)
    return Releasing(watcher, graph, lets_go) if any(lets_go) else watcher


class Releasing:
    """Shows what it sees to another watcher, and then lets go of what the operation saved."""

    def __init__(self, inner: Watcher, graph: Graph, lets_go: Sequence[bool]):
        self.inner = inner
        self.nodes = graph.nodes
        self.lets_go = lets_go
        self.concerns = [*map(or_, inner.concerns, lets_go)]

    def saw(self, index: int, contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
        if self.inner.concerns[index]:
            self.inner.saw(index, contributions, cotangents)
        if self.lets_go[index]:
            _let_go(self.nodes[index])


def _let_go(node: Any) -> None:
    kind: Any = type(node)
    for name in held_by(kind):
        saved = getattr(node, name)
        for tensor in saved if type(saved) is tuple else (saved,):
            # Refused for what was not given, and for what the user's own hooks keep: both hold no memory.
            # To suppress would take as long again as to let go.
            try:  # noqa: SIM105
                tensor.register_hooks(id, _freed)
            except RuntimeError:
                pass


def _freed(_: object) -> NoReturn:
    raise RuntimeError("Trying to backward through the graph a second time, after undertow.backward freed it")
