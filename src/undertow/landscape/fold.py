"""The part of a loss that is affine in the coordinates, computed once; the rest, a list of operations to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from undertow.landscape.affine import keeps_affine
from undertow.landscape.forms import faster
from undertow.landscape.plane import Plane
from undertow.landscape.problem import Problem

__all__ = ["Folded", "UnfoldableError", "folded"]

ROOM = 1 << 30
"""Bytes that recording may hold: what it keeps of one pass forward, and the coefficients."""


class UnfoldableError(RuntimeError):
    """This loss is no fixed list of operations, or too large to be recorded as one."""


@dataclass(frozen=True, slots=True)
class Step:
    """An operation, what it is called with, and the places of what it needs, makes, and need not keep."""

    operation: Callable[..., Any]
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    holes: tuple[tuple[int, int, int], ...]
    results: tuple[int, ...]
    done: tuple[int, ...] = ()

    def run(self, known: list[Any]) -> None:
        """Make what it makes."""
        arguments = [*self.arguments]
        for place, inner, slot in self.holes:
            if inner < 0:
                arguments[place] = known[slot]
            else:
                arguments[place] = [*arguments[place][:inner], known[slot], *arguments[place][inner + 1 :]]
        found = self.operation(*arguments, **self.named)
        if len(self.results) == 1 and isinstance(found, Tensor):
            known[self.results[0]] = found
        else:
            for slot, part in zip(self.results, found, strict=True):
                known[slot] = part
        for slot in self.done:
            known[slot] = None


@dataclass(frozen=True)
class Folded:
    """A loss as a function of tensors that are affine in the coordinates.

    Attributes:
        plane: These tensors where all coordinates are 0, and what one unit along each axis adds to each: weights that
            are used as they are, and what follows from weights by operations that are linear in them.
        steps: What makes the loss of them.
        slots: How many tensors these steps have to do with.
        loss: Which of them is the loss.
    """

    plane: Plane
    steps: tuple[Step, ...]
    slots: int
    loss: int

    def __call__(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """The loss."""
        known: list[Any] = [None] * self.slots
        for name, tensor in tensors.items():
            known[int(name)] = tensor
        for step in self.steps:
            step.run(known)
        loss: Tensor = known[self.loss]
        return loss.reshape(())


def folded(problem: Problem, plane: Plane) -> Folded:
    """The loss in a plane, with all that is affine in the coordinates computed for all points at once.

    Raises:
        UnfoldableError: The loss reads numbers out of tensors, draws random ones, writes into what is seen elsewhere,
            or is too large.
    """
    model = problem.prepared().requires_grad_(False)
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    tape = Tape(len(plane.directions))
    with torch.no_grad():
        for name, centre in plane.centre.items():
            named[name].copy_(centre)
            ways = [direction.get(name, torch.zeros_like(centre)).to(centre) for direction in plane.directions]
            if any(bool(way.any()) for way in ways):
                tape.affine(named[name], ways)
        with tape:
            loss = problem.loss(model)
    return tape.folded(loss)


class Tape(TorchDispatchMode):
    """A pass forward as it is made: constants are left out, what is affine gets coefficients, all else is kept.

    Tensors are known by their identity, and kept so that no other gets it.
    """

    def __init__(self, axes: int):
        super().__init__()  # type: ignore[no-untyped-call]
        self._axes = axes
        self._moving: dict[int, Sequence[Tensor]] = {}
        self._slots: dict[int, int] = {}
        self._used: dict[int, tuple[Tensor, Sequence[Tensor]]] = {}
        self._steps: list[Step] = []
        self._kept: list[Tensor] = []
        self._bytes = 0
        self._count = 0

    def affine(self, tensor: Tensor, parts: Sequence[Tensor]) -> None:
        """Say what one unit along each axis adds to a tensor."""
        self._keep(tensor, *parts)
        self._moving[id(tensor)] = parts

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, places = kwargs or {}, self._places(args)
        if _draws(func, args, kwargs) or (places and torch.Tag.data_dependent_output in func.tags):
            raise UnfoldableError(f"{func} has no fixed result")
        if places and func._schema.is_mutable:
            return self._in_place(func, args, kwargs)
        found = func(*args, **kwargs)
        if places:
            self._note(func, args, kwargs, found)
        return found

    def folded(self, loss: Tensor) -> Folded:
        """All that was recorded, from what is affine to the loss."""
        if id(loss) not in self._slots:
            raise UnfoldableError("the loss is constant, affine, or made outside PyTorch")
        centre = {str(slot): tensor for slot, (tensor, _) in self._used.items()}
        ways = ({str(slot): parts[axis] for slot, (_, parts) in self._used.items()} for axis in range(self._axes))
        last = self._slots[id(loss)]
        return Folded(Plane(centre, tuple(ways)), _arranged(self._steps, last), self._count, last)

    def _note(self, func: Any, args: Any, kwargs: Any, found: Any) -> None:
        """Keep what an operation on what depends on the coordinates has made."""
        places, results = self._places(args), _listed(found)
        if all(id(t) in self._moving for *_, t in places) and keeps_affine(func, {place for place, *_ in places}):
            nothing = self._along(func, args, kwargs, None)
            parts = [self._along(func, args, kwargs, axis) for axis in range(self._axes)]
            for number, result in enumerate(results):
                self.affine(result, [part[number] - nothing[number] for part in parts])
            return
        holes = tuple((place, inner, self._slot(tensor)) for place, inner, tensor in places)
        self._keep(*results)
        for result in results:
            self._slots[id(result)] = self._fresh()
        blank = tuple([*value] if isinstance(value, (list, tuple)) else value for value in args)
        for place, inner, _ in places:
            if inner < 0:
                blank = (*blank[:place], None, *blank[place + 1 :])
        self._steps.append(Step(func, blank, kwargs, holes, tuple(self._slots[id(t)] for t in results)))

    def _along(self, func: Any, args: Any, kwargs: Any, axis: int | None) -> list[Tensor]:
        """An operation on what is added along an axis, or on zeros, in place of what moves."""

        def put(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return [put(part) for part in value]
            if isinstance(value, Tensor) and id(value) in self._moving:
                return torch.zeros_like(value) if axis is None else self._moving[id(value)][axis]
            return value

        return _listed(func(*(put(argument) for argument in args), **kwargs))

    def _in_place(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operation that writes into its first argument, recorded as one that makes a new tensor."""
        target, (name, _, overload) = args[0], str(func).removeprefix("aten.").partition(".")
        operation = getattr(getattr(torch.ops.aten, name.rstrip("_"), None), overload, None)
        if operation is None or not self._depends(target) or self._shared(target):
            raise UnfoldableError(f"{func} writes into what is seen elsewhere")
        made = operation(*args, **kwargs)
        self._note(operation, args, kwargs, made)
        for slot, (tensor, parts) in self._used.items():
            if tensor is target:
                self._used[slot] = tensor.clone(), parts
        for book in (self._moving, self._slots):
            book.pop(id(target), None)
            if id(made) in book:
                book[id(target)] = book[id(made)]  # type: ignore[assignment]
        return func(*args, **kwargs)

    def _shared(self, target: Tensor) -> bool:
        """Whether another tensor that was met lies in the same memory."""
        place = target.untyped_storage().data_ptr()
        return any(tensor is not target and tensor.untyped_storage().data_ptr() == place for tensor in self._kept)

    def _places(self, args: Any) -> list[tuple[int, int, Tensor]]:
        """What depends on the coordinates: its position, its position in a list there (or -1), and itself."""
        alone = [(place, -1, value) for place, value in enumerate(args)]
        listed = [(p, n, part) for p, v in enumerate(args) if isinstance(v, (list, tuple)) for n, part in enumerate(v)]
        return [one for one in (*alone, *listed) if isinstance(one[2], Tensor) and self._depends(one[2])]

    def _depends(self, tensor: Tensor) -> bool:
        return id(tensor) in self._moving or id(tensor) in self._slots

    def _slot(self, tensor: Tensor) -> int:
        """Where a tensor stands; one that is affine gets a place when it is first used."""
        if id(tensor) not in self._slots:
            self._slots[id(tensor)] = slot = self._fresh()
            self._used[slot] = tensor, self._moving[id(tensor)]
        return self._slots[id(tensor)]

    def _fresh(self) -> int:
        self._count += 1
        return self._count - 1

    def _keep(self, *tensors: Tensor) -> None:
        self._kept += tensors
        self._bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        if self._bytes > ROOM:
            raise UnfoldableError("recording this loss takes too much memory")


def _draws(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether it draws random numbers; attention, which may drop out, does not where it drops nothing."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
    return "attention" not in str(func) or bool(given.get("dropout_p", 0.0))


def _listed(found: Any) -> list[Tensor]:
    return [found] if isinstance(found, Tensor) else [*found]


def _arranged(steps: Sequence[Step], last: int) -> tuple[Step, ...]:
    """The steps in the forms that are fastest, each with what is of no use after it."""
    seen, found = {last}, []
    for step in reversed(steps):
        operation = faster(step.operation, not seen.intersection(step.results[1:]))
        slots = {*step.results, *(slot for *_, slot in step.holes)}
        found.append(replace(step, operation=operation, done=tuple(slots - seen)))
        seen |= slots
    return tuple(reversed(found))
