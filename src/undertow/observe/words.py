"""What is looked up in embeddings, and whether it tells the examples apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from undertow.engine.graph import Graph
from undertow.observe.saved import saved, signed
from undertow.store import LookedUp

__all__ = ["looked_up"]

SUM = 0
"""PyTorch's number for a bag that adds up: only there does it count how often a word is in it."""


def looked_up(graph: Graph) -> Iterator[LookedUp]:
    """What is looked up in embeddings, less the numbers of places, which belong to no example."""
    for index, node in enumerate(graph.nodes):
        name = type(node).__name__
        numbers = saved(node, "indices") if name in {"EmbeddingBackward0", "EmbeddingBagBackward0"} else None
        if numbers is None or not numbers.dim() or not numbers.numel():
            continue
        low, high = map(int, torch.aminmax(numbers))
        if name == "EmbeddingBagBackward0":
            rows = graph.spaces[index][0][0][0]
            yield LookedUp(index, rows, low, high, _bags_alike(node, numbers, rows))
        elif not _places(numbers):
            yield LookedUp(index, len(numbers), low, high, _rows_alike(node, numbers))


def _places(numbers: Tensor) -> bool:
    return numbers.dim() == 1 and bool((numbers == torch.arange(len(numbers), device=numbers.device)).all())


def _rows_alike(node: Any, numbers: Tensor) -> bool:
    """Whether all rows are the same, or hold one and the same number where they are not padded."""
    if bool((numbers == numbers[:1]).all()):
        return True
    kept = (numbers != signed(node._saved_padding_idx)).reshape(len(numbers), -1)
    return bool(kept.any(1).all()) and _one(numbers.reshape(kept.shape)[kept])


def _one(numbers: Tensor) -> bool:
    return bool((numbers == numbers[0]).all())


def _bags_alike(node: Any, numbers: Tensor, rows: int) -> bool:
    offsets = saved(node, "offsets")
    if offsets is None or node._saved_per_sample_weights is not None or not rows:
        return False
    kept = numbers != signed(node._saved_padding_idx)
    bag = torch.bucketize(torch.arange(len(numbers), device=numbers.device), offsets[:rows], right=True) - 1
    sizes, words = torch.bincount(bag[kept], minlength=rows), numbers[kept]
    if not bool((sizes > 0).all()):
        return False
    if not bool((sizes == sizes[0]).all()):
        return node._saved_mode != SUM and _one(words)
    by_bag = words.reshape(rows, -1)
    return bool((by_bag == by_bag[:1]).all())
