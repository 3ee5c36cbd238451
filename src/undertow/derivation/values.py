"""The tensors that a backward pass reads, with names: parameters, and what the forward pass saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from undertow.derivation.expressions import Text, atom
from undertow.derivation.names import Identifiers

__all__ = ["Source", "Values"]

Known = tuple[str, str, Tensor, str]
"""Table and key of a tensor with a name, the tensor, and the view of it that is meant."""


@dataclass(frozen=True, eq=False)
class Source:
    """A tensor that the program is given.

    Attributes:
        table: The argument that it is taken from: `parameters` or `saved`.
        key: Its name there.
        variable: Its name in the program.
        tensor: Its value at the example.
    """

    table: str
    key: str
    variable: str
    tensor: Tensor


@dataclass(frozen=True, eq=False)
class Values:
    """Finds out which named tensor a saved one is.

    Attributes:
        identifiers: The names that are taken.
        used: What the program reads, in the order in which it was met.
        texts: What stands for a tensor, by its identity.
    """

    identifiers: Identifiers = field(default_factory=Identifiers)
    used: dict[str, Source] = field(default_factory=dict)
    texts: dict[int, Text] = field(default_factory=dict)
    _known: dict[Any, Known] = field(default_factory=dict)
    _keys: set[str] = field(default_factory=set)
    _kept: list[Tensor] = field(default_factory=list)

    def know(self, table: str, key: str, tensor: Tensor, version: int | None = None) -> None:
        """Let a tensor be found under a name, in the version that it had then, unless it has a name."""
        place = _place(tensor, tensor._version if version is None else version)
        if (*place, tuple(tensor.shape), tensor.stride()) in self._known:
            return
        key = self._free_key(key)
        self._keys.add(key)
        for view, method in ((tensor, ""), *([(tensor.T, ".T")] if tensor.ndim == 2 else [])):
            self._known.setdefault((*place, tuple(view.shape), view.stride()), (table, key, tensor, method))
        if tensor.is_contiguous():
            self._known.setdefault((*place, tensor.numel()), (table, key, tensor, "reshape"))

    def met(self, tensor: Tensor, scope: str, name: str) -> None:
        """Name a tensor that the forward pass saved: after what is known of it, or else so."""
        if id(tensor) in self.texts:
            return
        self._kept.append(tensor)
        place = _place(tensor, tensor._version)
        exact = self._known.get((*place, tuple(tensor.shape), tensor.stride()))
        if exact is not None:
            table, key, known, method = exact
            self.texts[id(tensor)] = atom(self._variable(table, key, known) + method)
        elif tensor.is_contiguous() and tensor.numel() and (flat := self._known.get((*place, tensor.numel()))):
            table, key, known, _ = flat
            shape = ", ".join(map(str, tensor.shape))
            self.texts[id(tensor)] = atom(f"{self._variable(table, key, known)}.reshape({shape or '()'})")
        else:
            self.know("saved", ".".join(filter(None, (scope, name))), tensor)
            table, key, known, _ = self._known[(*place, tuple(tensor.shape), tensor.stride())]
            self.texts[id(tensor)] = atom(self._variable(table, key, known))

    def constant(self, tensor: Tensor, scope: str) -> Text:
        """Name a tensor that comes from nowhere known: a rule made it without asking PyTorch in a way to be seen."""
        self.met(tensor, scope, "constant")
        return self.texts[id(tensor)]

    def keep_only(self, variables: set[str]) -> None:
        """Forget what was read and never used."""
        for entry, source in [*self.used.items()]:
            if source.variable not in variables:
                del self.used[entry]

    def _variable(self, table: str, key: str, tensor: Tensor) -> str:
        entry = f"{table}:{key}"
        if entry not in self.used:
            with torch.no_grad():
                self.used[entry] = Source(table, key, self.identifiers.fresh(key), tensor.detach())
        return self.used[entry].variable

    def _free_key(self, key: str) -> str:
        number, wished = 1, key
        while key in self._keys:
            number += 1
            key = f"{wished}.{number}"
        return key

    def table(self, name: str) -> Mapping[str, Tensor]:
        """What the program is given under one of its arguments."""
        return {source.key: source.tensor for source in self.used.values() if source.table == name}


def _place(tensor: Tensor, version: int) -> tuple[Any, ...]:
    return tensor.untyped_storage()._cdata, tensor.storage_offset(), tensor.dtype, version
