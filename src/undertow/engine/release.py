"""Letting go of what operations saved while a sweep runs, as PyTorch's own backward pass does."""

from __future__ import annotations

from collections.abc import Sequence
from operator import or_
from typing import Any, NoReturn

from undertow.engine.graph import Graph
from undertow.engine.saved import held_by
from undertow.engine.schedule import Schedule
from undertow.engine.sweep import Watcher

__all__ = ["releasing"]


def releasing(watcher: Watcher, graph: Graph, schedule: Schedule) -> Watcher:
    """What shows a pass to a watcher and lets go, as it goes on, of what operations saved."""
    return Releasing(watcher, graph, schedule) if any(schedule.lets_go) else watcher


class Releasing:
    """Shows what it sees to another watcher, and then lets go of what the operation saved."""

    def __init__(self, inner: Watcher, graph: Graph, schedule: Schedule):
        self.inner = inner
        self.nodes = graph.nodes
        self.lets_go = schedule.lets_go
        self.concerns = [*map(or_, inner.concerns, schedule.lets_go)]

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
