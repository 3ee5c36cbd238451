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


def releasing(graph: Graph, watcher: Watcher | None = None) -> Watcher | None:
    """What lets go, as a pass goes on, of what operations saved, and shows the pass to a watcher."""
    lets_go = letting_go(graph)
    if not any(lets_go):
        return watcher
    return Releasing(graph.nodes, lets_go) if watcher is None else Showing(graph.nodes, lets_go, watcher)


class Releasing:
    """Lets go of what an operation saved once it has been seen."""

    def __init__(self, nodes: Sequence[Any], lets_go: Sequence[bool]):
        self.nodes = nodes
        self.concerns = lets_go

    def saw(self, index: int, contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
        del contributions, cotangents
        _let_go(self.nodes[index])


class Showing:
    """Shows what it sees to another watcher, and then lets go of what the operation saved."""

    def __init__(self, nodes: Sequence[Any], lets_go: Sequence[bool], inner: Watcher):
        self.nodes = nodes
        self.lets_go = lets_go
        self.inner = inner
        self.shown = inner.concerns
        self.concerns = [*map(or_, inner.concerns, lets_go)]

    def saw(self, index: int, contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
        if self.shown[index]:
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
