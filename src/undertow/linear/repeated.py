"""Products of one linear map, of which only what depends on the vector is computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from undertow.engine.maps.matmul import LARGE, times
from undertow.errors import GraphError
from undertow.linear.listing import Listing, Step, UnlistableError, arranged

__all__ = ["Repeated", "pays"]

SHARE = 4
"""Noting an operation takes about 20 microseconds, once; a product of matrices with `LARGE` multiply-adds is had by
oneDNN in about as much less time. It pays from a few products on where one operation in so many is as large as that."""

aten: Any = torch.ops.aten

Map = Callable[[Sequence[Tensor]], list[Tensor]]

_Pair = tuple[Sequence[Tensor], Sequence[Tensor]]
"""A vector and its product."""


class Repeated:
    """A linear, symmetric map, whose first product is noted and from then on repeated from these notes.

    What is noted is what PyTorch does; matrices are multiplied by the faster library. Where that cannot be noted, a
    tensor that it was computed from has been changed since, or the notes are not those of a symmetric map, the product
    is the map's own.
    """

    def __init__(self, product: Map):
        self._product = product
        self._begun = False
        self._notes: _Notes | None = None

    def __call__(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        """The product with one vector."""
        if _is_watched(tangents):
            return self._product(tangents)
        if not self._begun:
            self._begun = True
            return self._noted(tangents)
        found = None if self._notes is None else self._notes(tangents)
        if found is None:
            self._notes = None
            return self._product(tangents)
        return found

    def _noted(self, tangents: Sequence[Tensor]) -> list[Tensor]:
        tape = _Products()
        try:
            slots = [tape.moving(tangent) for tangent in tangents]
            with tape:
                found = self._product(tangents)
            last = [tape.slot(answer) for answer in found]
            if len({*slots, *last}) < len(slots) + len(last):
                raise UnlistableError("an answer is the vector itself, or another answer")
        except (GraphError, RuntimeError):  # as PyTorch hands on what is raised within a backward pass
            return self._product(tangents)
        steps = arranged(tape.steps, last, _form)
        self._notes = _Notes(slots, steps, tape.count, last, tape.outside(), ([*tangents], found))
        return found


@dataclass
class _Notes:
    """The operations of a product.

    Attributes:
        slots: Where the vector's tensors stand.
        steps: What is done with them.
        count: How many tensors these have to do with.
        last: Where the answer's tensors stand.
        outside: Tensors that went in beside the vector, each with how often it had been written into.
        first: A vector and its product by the map itself; none, once another was compared with it.
    """

    slots: Sequence[int]
    steps: Sequence[Step]
    count: int
    last: Sequence[int]
    outside: Sequence[tuple[Tensor, int]]
    first: _Pair | None

    def __call__(self, tangents: Sequence[Tensor]) -> list[Tensor] | None:
        """The product with one vector; none, where these notes cannot be trusted."""
        if any(tensor._version != version for tensor, version in self.outside):
            return None
        known: list[Any] = [None] * self.count
        for slot, tangent in zip(self.slots, tangents, strict=True):
            known[slot] = tangent
        with torch.no_grad():
            for step in self.steps:
                step.run(known)
        found = [known[slot] for slot in self.last]
        if self.first is not None:
            if not _symmetric(self.first, (tangents, found)):
                return None
            self.first = None
        return found


class _Products(Listing):
    """Notes a product, and what goes into it from outside.

    Of what double backward passes are full of, matrices turned twice and sums with zeros, nothing is left.
    """

    def __init__(self) -> None:
        super().__init__()
        self._turned: dict[int, int] = {}
        self._zeros: set[int] = set()
        self._inside: dict[int, Tensor] = {}
        self._outside: dict[int, tuple[Tensor, int]] = {}

    def outside(self) -> list[tuple[Tensor, int]]:
        """What went in and was not made within, with its version."""
        return [*self._outside.values()]

    def _note(self, func: Any, args: Any, kwargs: Any, found: Any) -> None:
        same = self._same(func, args, kwargs, found)
        if same is not None:
            self._keep(found)
            self._slots[id(found)] = same
            return
        super()._note(func, args, kwargs, found)
        if func is aten.t.default:
            before, after = self.slot(args[0]), self.slot(found)
            self._turned |= {before: after, after: before}
        elif func is aten.zeros_like.default:
            self._zeros.add(self.slot(found))

    def _same(self, func: Any, args: Any, kwargs: Any, found: Any) -> int | None:
        """Where what an operation has made stands already."""
        if func is aten.t.default:
            return self._turned.get(self.slot(args[0]))
        if (
            func is not aten.add.Tensor
            or kwargs
            or not all(_is_like(arg, found) and self._depends(arg) for arg in args)
        ):
            return None
        left, right = (self.slot(arg) for arg in args)
        return right if left in self._zeros else left if right in self._zeros else None

    def _run(self, func: Any, args: Any, kwargs: Any) -> Any:
        for tensor in _tensors(args):
            if id(tensor) not in self._inside and not self._depends(tensor):
                self._outside.setdefault(id(tensor), (tensor, tensor._version))
        found = _form(func, False)(*args, **kwargs)
        self._inside |= {id(tensor): tensor for tensor in _tensors([found])}
        return found


def _is_like(value: Any, tensor: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == tensor.shape and value.dtype is tensor.dtype


def _form(operation: Any, _first_alone: bool) -> Callable[..., Any]:
    return times if operation in (aten.mm.default, aten.bmm.default) else operation


def _tensors(args: Iterable[Any]) -> Iterator[Tensor]:
    for value in args:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def _symmetric(
    one: tuple[Sequence[Tensor], Sequence[Tensor]], other: tuple[Sequence[Tensor], Sequence[Tensor]]
) -> bool:
    """Whether <u, H v> is <H u, v>, to the root of rounding."""
    (u, hu), (v, hv) = one, other
    left, right = _inner(u, hv), _inner(hu, v)
    size = (_inner(u, u) * _inner(hv, hv)) ** 0.5 + (_inner(hu, hu) * _inner(v, v)) ** 0.5
    return bool(abs(left - right) <= torch.finfo(u[0].dtype).eps ** 0.5 * size)


def _inner(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    return sum(float(torch.dot(a.flatten(), b.flatten())) for a, b in zip(left, right, strict=True))


def _is_watched(tangents: Sequence[Tensor]) -> bool:
    """Whether this is differentiated, batched or traced."""
    return bool(
        any(tangent.requires_grad or type(tangent) is not Tensor for tangent in tangents)
        or torch._C._functorch.peek_interpreter_stack() is not None
        or torch._C._len_torch_dispatch_stack()
        or torch._C._is_torch_function_mode_enabled()
    )


def pays(nodes: Sequence[Any], inputs: Sequence[Tensor]) -> bool:
    """Whether the products by a recorded gradient are mostly those of large matrices in single precision.

    Not where Python functions are among its nodes: what these do cannot be noted.
    """
    if any(isinstance(node, torch.autograd.function.BackwardCFunction) for node in nodes):
        return False
    plain = all(tensor.dtype is torch.float32 and tensor.is_cpu for tensor in inputs)
    return plain and SHARE * sum(_multiplied(node) // LARGE for node in nodes) >= len(nodes)


def _multiplied(node: Any) -> int:
    """Multiply-adds of a node that is the product of two matrices."""
    match node.name():
        case "MmBackward0":
            (rows, inner), (_, columns) = node._saved_self_sym_sizes, node._saved_mat2_sym_sizes
        case "AddmmBackward0":
            (rows, inner), (_, columns) = node._saved_mat1_sym_sizes, node._saved_mat2_sym_sizes
        case _:
            return 0
    return int(rows * inner * columns)
