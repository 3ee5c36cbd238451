"""Weights that had been learned, and what became of them before they were trained again."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from undertow.observe.fresh import looks_fresh

__all__ = ["Dropped", "Known", "Learned", "Unmatched", "matrices"]


def matrices(tensors: Iterable[Any]) -> list[Tensor]:
    """Those with memory of their own and more than one dimension: biases and scales hold little of what is learned."""
    return [t for t in tensors if type(t) in PLAIN and t.layout == torch.strided and t.dim() > 1 and t.data_ptr()]


PLAIN = (Tensor, nn.Parameter)


@dataclass(slots=True, eq=False)
class Known:
    """A weight matrix that was learned.

    Attributes:
        how: `trained` by an optimizer, `loaded`, or `copied` from one that is known.
        loaded: The line at which it was loaded.
        lost: The line at which it was drawn anew, if it was and nothing has been loaded since.
    """

    tensor: weakref.ref[Tensor]
    how: str
    loaded: str = ""
    lost: str = ""


class Learned:
    """The weight matrices that were trained, loaded or copied from such ones, for as long as they live."""

    def __init__(self) -> None:
        self._by_shape: dict[torch.Size, list[Known]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_shape)

    def find(self, tensor: Tensor) -> Known | None:
        """What is known of the matrix in whose memory this one lies."""
        alive = [known for known in self._by_shape.get(tensor.shape, ()) if known.tensor() is not None]
        if not alive:
            self._by_shape.pop(tensor.shape, None)
            return None
        self._by_shape[tensor.shape] = alive
        return next((known for known in alive if _same(known.tensor(), tensor)), None)

    def note(self, tensor: Tensor, how: str, loaded: str = "") -> None:
        """It holds what was learned, now. That it was trained is not forgotten."""
        known = self.find(tensor)
        if known is None:
            known = Known(weakref.ref(tensor), how)
            self._by_shape.setdefault(tensor.shape, []).append(known)
        known.lost = ""
        if known.how != "trained":
            known.how, known.loaded = how, loaded


def _same(known: Tensor | None, tensor: Tensor) -> bool:
    return known is tensor or (known is not None and known.data_ptr() == tensor.data_ptr())


@dataclass(slots=True, eq=False)
class Dropped:
    """A network into which learned weights were loaded: dropped, if it is gone before anybody has called it.

    Attributes:
        source: The line at which they were loaded.
        modules: Any of which may be called.
        tensors: Its weight matrices.
        shapes: Theirs.
        called: Whether it was.
        made: Weight matrices that were registered since, and the lines.
    """

    source: str
    modules: weakref.WeakSet[nn.Module]
    tensors: list[weakref.ref[Tensor]]
    shapes: list[torch.Size]
    called: bool = False
    made: list[tuple[weakref.ref[Tensor], str]] = field(default_factory=list)

    @staticmethod
    def of(module: nn.Module, loaded: list[Tensor], source: str) -> Dropped:
        refs, shapes = [*map(weakref.ref, loaded)], [tensor.shape for tensor in loaded]
        return Dropped(source, weakref.WeakSet(module.modules()), refs, shapes)

    @property
    def alive(self) -> bool:
        return any(ref() is not None for ref in self.tensors)

    def instead(self, trained: list[Tensor]) -> list[tuple[Tensor, str]]:
        """What is trained instead: as many matrices of these shapes, made since and as they were drawn, with lines."""
        lines = {id(tensor): line for ref, line in self.made if (tensor := ref()) is not None}
        later = iter([tensor for tensor in trained if id(tensor) in lines])
        found = [next((tensor for tensor in later if tensor.shape == shape), None) for shape in self.shapes]
        fresh = [(tensor, lines[id(tensor)]) for tensor in found if tensor is not None and looks_fresh(tensor)]
        return fresh if len(fresh) == len(self.shapes) else []


@dataclass(frozen=True, slots=True, eq=False)
class Unmatched:
    """A call that should load weights and loaded none, as no name is that of a parameter.

    Attributes:
        source: The line.
        tensors: The matrices for each of which there is a tensor of its shape under a longer or a shorter name.
        names: Of one of them, its own name and that under which it was given.
    """

    source: str
    tensors: list[weakref.ref[Tensor]]
    names: tuple[str, str]

    @staticmethod
    def of(wanted: dict[str, Tensor], given: dict[str, Any], source: str) -> Unmatched | None:
        """`None`, unless there is one for most of what was wanted."""
        pairs = {name: _under_another_name(name, tensor, given) for name, tensor in wanted.items()}
        found = {name: key for name, key in pairs.items() if key}
        if 2 * len(found) <= len(wanted):
            return None
        return Unmatched(source, [weakref.ref(wanted[name]) for name in found], next(iter(found.items())))


def _under_another_name(name: str, tensor: Tensor, given: dict[str, Any]) -> str:
    for key, value in given.items():
        if (key.endswith(f".{name}") or name.endswith(f".{key}")) and getattr(value, "shape", None) == tensor.shape:
            return key
    return ""
