"""Letting go of what operations saved while a sweep runs, as PyTorch's own backward pass does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from operator import or_
from typing import Any, NoReturn

from undertow.engine.graph import Graph
from undertow.engine.schedule import Schedule
from undertow.engine.sweep import Watcher

__all__ = ["releasing"]


def releasing(watcher: Watcher, graph: Graph, schedule: Schedule) -> Watcher:
    """What shows a pass to a watcher and lets go, as it goes on, of what large operations saved."""
    return Releasing(watcher, graph, schedule) if any(schedule.large) else watcher


class Releasing:
    """Shows what it sees to another watcher, and then lets go of what a large operation saved."""

    def __init__(self, inner: Watcher, graph: Graph, schedule: Schedule):
        self.inner = inner
        self.nodes = graph.nodes
        self.large = schedule.large
        self.concerns = [*map(or_, inner.concerns, schedule.large)]

    def saw(self, index: int, contributions: Sequence[Any], cotangents: Sequence[Any]) -> None:
        if self.inner.concerns[index]:
            self.inner.saw(index, contributions, cotangents)
        if self.large[index]:
            _let_go(self.nodes[index])


def _let_go(node: Any) -> None:
    kind: Any = type(node)
    for name in _saved_by(kind):
        saved = getattr(node, name)
        for tensor in saved if isinstance(saved, tuple) else (saved,):
            # Refused for what was not given, and for what the user's own hooks keep: both hold no memory.
            with suppress(RuntimeError):
                tensor.register_hooks(id, _freed)


@lru_cache(maxsize=512)
def _saved_by(kind: Any) -> list[str]:
    """The attributes under which a type of node holds the tensors that it saved."""
    return [name for name in dir(kind) if name.startswith("_raw_saved_")]


def _freed(_: object) -> NoReturn:
    raise RuntimeError("Trying to backward through the graph a second time, after undertow.backward freed it")
