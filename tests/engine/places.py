"""How far products are apart, entry by entry, in units in the last place of what computing them adds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from tests.engine.laws import cast, cotangents_of, entries, products, pulled
from undertow.engine.algebras.base import fitted
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.calculus import Local, Rule

__all__ = ["from_float64", "last_places"]


def last_places(node: Any, local: Local) -> float:
    """How far our products are from PyTorch's, at most; infinitely far where only one of the two is finite."""
    return max((_distance(ours, theirs, size) for ours, theirs, size, _ in _each(node, entries(local))), default=0.0)


def from_float64(node: Any, rule: Rule) -> tuple[float, float]:
    """How far our products are, at most, from those of the same rule in float64, and how far PyTorch's are."""
    found = [*_each(node, entries(rule(node)), entries(rule(Widened(node))))]
    ours = max(_distance(ours, exact, size) for ours, _, size, exact in found)
    return ours, max(_distance(theirs, exact, size) for _, theirs, size, exact in found)


def _each(node: Any, maps: Any, wide: Any = None) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """For each input: our product, PyTorch's, what computing adds up, and the product by wider maps, if given."""
    cotangents = cotangents_of(node, maps)
    doubled = [None if c is None else double(c) for c in cotangents]
    magnitudes = [None if c is None else c.abs() for c in doubled]
    for position, ours, theirs in products(node, maps, cotangents, vector_jacobian(node, cotangents)):
        moduli = [m and cast(m, torch.float64).rounding().modulus for m in maps[position]]
        size = fitted(pulled(moduli, magnitudes), tuple(ours.shape), torch.float64)
        exact = theirs if wide is None else fitted(pulled(wide[position], doubled), tuple(ours.shape), size.dtype)
        yield ours, theirs, size, exact


def double(tensor: Tensor) -> Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _distance(found: Tensor, expected: Tensor, size: Tensor) -> float:
    limits = torch.finfo(found.dtype)
    if not torch.equal(found.isfinite(), expected.to(found.dtype).isfinite()):
        return torch.inf
    finite = expected.isfinite() & size.isfinite()
    unit = limits.eps * torch.maximum(double(expected).abs(), size).clamp(min=limits.tiny)
    return float(((double(found) - double(expected)).abs() / unit)[finite].max()) if finite.any() else 0.0


@dataclass(frozen=True)
class Widened:
    """A node that says that it saved the same numbers, and computed, in float64."""

    node: Any

    @property
    def _input_metadata(self) -> list[Any]:
        wide = {torch.complex64: torch.complex128}
        return [
            SimpleNamespace(shape=space.shape, dtype=wide.get(space.dtype, torch.float64), device=space.device)
            for space in self.node._input_metadata
        ]

    def __getattr__(self, name: str) -> Any:
        saved = getattr(self.node, name)
        return double(saved) if isinstance(saved, Tensor) and saved.is_floating_point() else saved

    def __call__(self, *cotangents: Tensor) -> Any:
        return self.node(*cotangents)
