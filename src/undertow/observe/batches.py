"""The data of a pass, and whether they are the same again."""

from __future__ import annotations

import zlib
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from undertow.engine.graph import Graph
from undertow.observe.probes import ENTRANCES
from undertow.observe.saved import saved
from undertow.observe.subsample import entries
from undertow.store import Batch, Target

__all__ = ["Batches"]


class Batches:
    """The batches of a run, one after the other: only the memory of the last is remembered, and not kept alive."""

    def __init__(self) -> None:
        self._last: dict[str, StorageWeakRef] = {}

    def batch(self, graph: Graph, target: Target | None) -> Batch | None:
        """The fingerprint of the data where they enter, and of the target."""
        mark, first = 0, None
        for index, node in enumerate(graph.nodes):
            data = _data(graph, index, node)
            if data is not None and data.dim() and data.numel():
                mark = zlib.crc32(entries(data).to("cpu", torch.float64).numpy().tobytes(), mark)
                first = data if first is None else first
        if target is not None:
            told = f"{target.counts}{target.mean!r}{target.variance!r}{target.low!r}{target.high!r}"
            mark = zlib.crc32(told.encode(), mark)
        if first is None:
            return Batch(mark, 0, 0) if target is not None else None
        drawn, asked, rows = self._drawn("data", first), self._asked(graph, target), _examples(first, target)
        return Batch(mark, rows, _held(first, rows), drawn, first.numel() // rows, asked)

    def _asked(self, graph: Graph, target: Target | None) -> int:
        wanted = None if target is None else saved(graph.nodes[target.operation], "target")
        if wanted is None or not wanted.dim() or not wanted.numel():
            return 0
        return wanted[0].numel() if self._drawn("target", wanted) else 0

    def _drawn(self, what: str, data: Tensor) -> bool:
        before = self._last.get(what)
        self._last[what] = StorageWeakRef(data.untyped_storage())
        return before is not None and bool(before.expired())


def _data(graph: Graph, index: int, node: Any) -> Tensor | None:
    name = type(node).__name__
    if name == "EmbeddingBackward0":
        found = saved(node, "indices")
        return None if found is None else found.detach()
    position, kept = ENTRANCES.get(name, (0, ""))
    found = saved(node, kept) if kept and graph.edges[index][position] is None else None
    return None if found is None else found.detach()


def _examples(data: Tensor, target: Target | None) -> int:
    """How many examples these are: a matrix may have several rows of each, as a layer makes of sequences."""
    asked = target.shape[0] if target is not None and target.shape else 0
    return asked if data.dim() == 2 and 1 < asked < len(data) and len(data) % asked == 0 else len(data)


def _held(data: Tensor, rows: int) -> int:
    """How many examples the memory holds that a batch lies in."""
    example = max(1, data.numel() // rows) * data.element_size()
    return max(rows, data.untyped_storage().nbytes() // example)
