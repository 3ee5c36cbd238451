"""The laws that every derivative rule obeys, as a function that names those that are broken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from undertow.engine.algebras.base import fitted
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.calculus import Local, Rule
from undertow.engine.maps import Adjoint, Compose, LinearMap, Recurrence, Standardize, Sum

DENSE = 20_000
"""Matrices with more entries than this are not written out."""


def broken_laws(node: Any, rule: Rule, *, bounded: bool = False) -> set[str]:
    """Which laws the rule breaks on this node; `bounded` where its modulus is an upper bound only."""
    local = rule(node)
    if local is None:
        return {"states nothing"}
    broken = broken_first(node, local)
    if broken & {"length", "source", "target"}:
        return broken
    for single in map(_exact, _present(entries(local))):
        if not _modulus(single, bounded):
            broken.add("modulus")
        if not strongest_agrees(single):
            broken.add("strongest")
        if not rounding_is_bounded(single):
            broken.add("rounding")
    return broken


def broken_first(node: Any, local: Local) -> set[str]:
    """Which of the laws that a gradient stands on are broken: shapes, values, and both directions one map's.

    These alone hold for complex numbers as well.
    """
    maps = entries(local)
    broken = {*_shapes(node, maps)}
    if broken:
        return broken
    if not _values(node, maps):
        broken.add("values")
    if not all(map(_adjoint, map(_exact, _present(maps)))):
        broken.add("adjoint")
    return broken


def entries(local: Local) -> list[tuple[LinearMap | None, ...]]:
    return [entry if isinstance(entry, tuple) else (entry,) for entry in local]


def _exact(single: LinearMap) -> LinearMap:
    """A map in float64, where the laws of linear maps are tried: some operations know nothing wider than float32."""
    exact: LinearMap = cast(single, torch.float64)
    return exact


def _present(maps: Any) -> Iterator[LinearMap]:
    yield from (single for entry in maps for single in entry if single is not None)


def _shapes(node: Any, maps: Any) -> Iterator[str]:
    if len(maps) != len(node.next_functions):
        yield "length"
        return
    for (fn, slot), entry in zip(node.next_functions, maps, strict=True):
        for position, single in enumerate(entry):
            if single is None:
                continue
            if fn is not None and single.source != tuple(fn._input_metadata[slot].shape):
                yield "source"
            if single.target != tuple(node._input_metadata[position].shape):
                yield "target"


def _values(node: Any, maps: Any) -> bool:
    """Against PyTorch's own product, for one random cotangent per output that anything reaches."""
    cotangents = cotangents_of(node, maps)
    expected = vector_jacobian(node, cotangents)
    return all(
        _agree(node.next_functions[i], expected[i], entry, cotangents)
        for i, entry in enumerate(maps)
        if node.next_functions[i][0] is not None
    )


def cotangents_of(node: Any, maps: Any) -> list[Tensor | None]:
    wanted = [any(len(entry) > slot and entry[slot] is not None for entry in maps) for slot in range(outputs(node))]
    return [
        _random(tuple(output.shape), output.dtype) if want else None
        for output, want in zip(node._input_metadata, wanted, strict=True)
    ]


def products(
    node: Any, maps: Any, cotangents: list[Tensor | None], expected: Any
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """For each input that both send something to: which it is, our product and PyTorch's, which fit it."""
    for position, ((fn, slot), theirs) in enumerate(zip(node.next_functions, expected, strict=True)):
        ours = pulled(maps[position], cotangents)
        if fn is not None and theirs is not None and ours is not None:
            space = tuple(fn._input_metadata[slot].shape), fn._input_metadata[slot].dtype
            yield position, fitted(ours, *space), fitted(theirs, *space)


def pulled(entry: Any, cotangents: list[Tensor | None]) -> Tensor | None:
    """What the maps to one input bring back, one for each output."""
    parts = [m.pull(c) for m, c in zip(entry, cotangents, strict=False) if m is not None and c is not None]
    return sum(parts[1:], start=parts[0]) if parts else None


def outputs(node: Any) -> int:
    return len(node._input_metadata)


def _agree(edge: Any, expected: Tensor | None, entry: Any, cotangents: list[Tensor | None]) -> bool:
    found = pulled(entry, cotangents)
    if expected is None or found is None:
        return found is None and (expected is None or not expected.numel())
    receiver = edge[0]._input_metadata[edge[1]]
    space = tuple(receiver.shape), receiver.dtype
    return _close(fitted(found, *space), fitted(expected, *space), _uncancelled(entry, cotangents))


def _uncancelled(entry: Any, cotangents: list[Tensor | None]) -> float:
    """The largest entry of the product as it would be if nothing that is added up to compute it cancelled."""
    present = [(m, c) for m, c in zip(entry, cotangents, strict=False) if m is not None and c is not None]
    return sum((largest(m.rounding().modulus.pull(c.abs())) for m, c in present), start=0.0)


def _adjoint(single: LinearMap) -> bool:
    dtype = torch.complex128 if _is_complex(single) else torch.float64
    v, w = _random(single.source, dtype), _random(single.target, dtype)
    pushed, pulled = single.push(v), single.pull(w)
    if tuple(pushed.shape) != single.target or tuple(pulled.shape) != single.source:
        return False
    left, right = (pushed * w.conj()).sum(), (v * pulled.conj()).sum()
    size = largest((single.rounding().modulus.push(v.abs()) * w.abs()).sum())
    return bool((left - right).abs() <= 1e-12 * size) or not torch.isfinite(left)


def _is_complex(part: Any) -> bool:
    """Whether there are complex numbers in a map."""
    if isinstance(part, Tensor | complex):
        return torch.as_tensor(part).is_complex()
    if isinstance(part, tuple | list):
        return any(map(_is_complex, part))
    return isinstance(part, LinearMap) and any(_is_complex(getattr(part, field.name)) for field in fields(part))


def _modulus(single: LinearMap, bounded: bool) -> bool:
    size, modulus = matrix(single), matrix(single.modulus())
    if size is None or modulus is None:
        return True
    size = size.abs()
    if not bounded:
        return _close(modulus, size)
    finite = size.isfinite() & modulus.isfinite()
    return bool((modulus >= size - 1e-12 * largest(size[finite]))[finite].all())


def strongest_agrees(single: LinearMap) -> bool:
    """Both directions of the max-product against the matrix of strongest paths, entry by entry."""
    best = paths(single)
    if best is None or not best.isfinite().all():
        return True
    v, w = _random(single.source).abs(), _random(single.target).abs()
    pulled, pushed = single.strongest(w), single.strongest_push(v)
    return (
        pulled.shape == v.shape
        and pushed.shape == w.shape
        and _close(pulled.reshape(-1), _greatest(best * w.reshape(-1, 1), 0))
        and _close(pushed.reshape(-1), _greatest(best * v.reshape(1, -1), 1))
    )


def paths(single: LinearMap) -> Tensor | None:
    """For each entry of the target and of the source, the strongest path between them through a map's parts."""
    match single:
        case Compose(outer, inner):
            left, right = paths(outer), paths(inner)
            if left is None or right is None or left.numel() * right.shape[1] > 100 * DENSE:
                return None
            return _greatest(left.unsqueeze(2) * right.unsqueeze(0), 1)
        case Sum(left_map, right_map):
            left, right = paths(left_map), paths(right_map)
            return None if left is None or right is None else torch.maximum(left, right)
        case Adjoint(of):
            back = paths(of)
            return None if back is None else back.T
        case Standardize():
            return paths(single.modulus())
        case Recurrence():
            return torch.stack([single.strongest_push(v).reshape(-1) for v in basis(single)], 1)
        case _:
            dense = matrix(single)
            return None if dense is None else dense.abs()


def rounding_is_bounded(single: LinearMap) -> bool:
    """Both directions in float32 against the same in float64, by the same numbers."""
    narrow = cast(single, torch.float32)
    wide, (modulus, pull, push) = cast(narrow, torch.float64), narrow.rounding()
    modulus = cast(modulus, torch.float64)
    v, w = _random(single.source).float(), _random(single.target).float()
    return _within(narrow.pull(w), wide.pull(w.double()), pull, modulus.pull(w.double().abs())) and _within(
        narrow.push(v), wide.push(v.double()), push, modulus.push(v.double().abs())
    )


def _within(found: Tensor, truth: Tensor, roundings: int, size: Tensor) -> bool:
    error = (found.double() - truth).abs()
    bound = roundings * 2**-24 / (1 - roundings * 2**-24) * size + 1e-37
    return bool((error <= bound)[truth.isfinite() & size.isfinite()].all())


def cast(part: Any, dtype: torch.dtype) -> Any:
    """A map, with every number in it in another dtype."""
    if isinstance(part, Tensor):
        return part.to(dtype) if part.is_floating_point() else part
    if isinstance(part, tuple):
        return tuple(cast(each, dtype) for each in part)
    if not isinstance(part, LinearMap):
        return part
    return replace(part, **{field.name: cast(getattr(part, field.name), dtype) for field in fields(part)})


def _greatest(terms: Tensor, dim: int) -> Tensor:
    return terms.amax(dim) if terms.shape[dim] else terms.sum(dim)


def matrix(single: LinearMap) -> Tensor | None:
    """A map written out, one column an entry of its source; `None` if it is too large."""
    columns, rows = torch.Size(single.source).numel(), torch.Size(single.target).numel()
    if columns * rows > DENSE:
        return None
    return torch.stack([single.push(v).reshape(-1) for v in basis(single)], 1) if columns else torch.zeros(rows, 0)


def basis(single: LinearMap) -> Tensor:
    """A tensor for each entry of the source, with 1 there and 0 elsewhere."""
    columns = torch.Size(single.source).numel()
    return torch.eye(columns, dtype=torch.float64).reshape(columns, *single.source)


def _close(left: Tensor, right: Tensor, size: float = 0.0) -> bool:
    """Whether two tensors agree, relative to the largest entry or to the `size` of what was added up."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if not torch.equal(left.isfinite(), right.isfinite()):
        return False
    finite = left.isfinite()
    left, right = left[finite], right[finite]
    narrow = 1e-12 if left.dtype in (torch.float64, torch.complex128) else 1e-6
    return largest(left - right) <= narrow * max(largest(right), size, 1e-300)


def largest(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def _random(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    wide = torch.complex128 if dtype.is_complex else torch.float64
    return torch.randn(shape, dtype=wide, generator=torch.Generator().manual_seed(3)).to(dtype)
