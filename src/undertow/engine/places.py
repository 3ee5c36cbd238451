"""Where an operation stands, in the user's terms, from the graph alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from undertow.engine.graph import Graph
from undertow.engine.source import source_in_traceback

__all__ = ["Places"]


class Places:
    """Names operations by the parameter nearest to them, and by line where anomaly mode recorded it."""

    def __init__(self, graph: Graph, names: Mapping[Tensor, str]):
        self._graph = graph
        self._names = names

    def of(self, node: Any) -> str:
        """An operation's type, module and line, as far as they are known."""
        return " ".join(filter(None, (type(node).__name__, self.module(node), self._line(node))))

    def module(self, node: Any) -> str:
        """In words, the module of a parameter that the operation takes, or else of the nearest it was computed from."""
        seen, ring, near = {node}, [node], "of"
        while ring:
            for fn in ring:
                name = self._names.get(getattr(fn, "variable", None))  # type: ignore[arg-type]
                if name is not None:
                    return f"{near} {name.rpartition('.')[0] or 'the model'}"
            near = "of" if ring == [node] else "behind"
            ring = [fn for before in ring for fn, _ in before.next_functions if fn is not None and fn not in seen]
            seen.update(ring)
        return ""

    def _line(self, node: Any) -> str:
        line = source_in_traceback(node.metadata.get("traceback_", []))
        return (
            f"({line})"
            if line
            else "(for its line, run the forward pass under torch.autograd.set_detect_anomaly(True))"
        )
