"""A computation as it is made, as a list of operations to run again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["Listing", "Step", "UnlistableError", "arranged", "results_of"]

ROOM = 1 << 30
"""Bytes that recording may hold: what it keeps of one pass, and what else is noted of it."""


class UnlistableError(RuntimeError):
    """This computation is no fixed list of operations, or too large to be recorded as one."""


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


class Listing(TorchDispatchMode):
    """Notes what depends on some tensors, the moving ones, as it is computed; all else is constant, and left out.

    Tensors are known by their identity, and kept so that no other gets it.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[Step] = []
        self.count = 0
        self._slots: dict[int, int] = {}
        self._kept: list[Tensor] = []
        self._bytes = 0

    def moving(self, tensor: Tensor) -> int:
        """Say that a tensor may be another the next time; its slot."""
        self._keep(tensor)
        self._slots[id(tensor)] = self._fresh()
        return self._slots[id(tensor)]

    def slot(self, tensor: Tensor) -> int:
        """Where a tensor stands.

        Raises:
            UnlistableError: It does not depend on what moves.
        """
        if id(tensor) not in self._slots:
            raise UnlistableError("what comes out does not depend on what moves, or was made outside PyTorch")
        return self._slots[id(tensor)]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, places = kwargs or {}, self._places(args)
        if _draws(func, args, kwargs) or (places and torch.Tag.data_dependent_output in func.tags):
            raise UnlistableError(f"{func} has no fixed result")
        if places and func._schema.is_mutable:
            return self._in_place(func, args, kwargs)
        found = self._run(func, args, kwargs)
        if places:
            self._note(func, args, kwargs, found)
        return found

    def _run(self, func: Any, args: Any, kwargs: Any) -> Any:
        return func(*args, **kwargs)

    def _note(self, func: Any, args: Any, kwargs: Any, found: Any) -> None:
        """Keep what an operation on what moves has made."""
        holes, blank = [], [[*value] if isinstance(value, (list, tuple)) else value for value in args]
        for place, inner, tensor in self._places(args):
            holes.append((place, inner, self.slot(tensor)))
            if inner < 0:
                blank[place] = None
        made = tuple(self._fresh() if result is None else self.moving(result) for result in results_of(found))
        self.steps.append(Step(func, tuple(blank), kwargs, tuple(holes), made))

    def _in_place(self, func: Any, args: Any, kwargs: Any) -> Any:
        """An operation that writes into its first argument, recorded as one that makes a new tensor."""
        target, (name, _, overload) = args[0], str(func).removeprefix("aten.").partition(".")
        operation = getattr(getattr(torch.ops.aten, name.rstrip("_"), None), overload, None)
        if operation is None or not self._depends(target) or self._shared(target):
            raise UnlistableError(f"{func} writes into what is seen elsewhere")
        made = operation(*args, **kwargs)
        self._note(operation, args, kwargs, made)
        self._written(target, made)
        return func(*args, **kwargs)

    def _written(self, target: Tensor, made: Tensor) -> None:
        """From here on a tensor stands for another."""
        self._slots.pop(id(target), None)
        if id(made) in self._slots:
            self._slots[id(target)] = self._slots[id(made)]

    def _shared(self, target: Tensor) -> bool:
        """Whether another tensor that was met lies in the same memory."""
        place = target.untyped_storage().data_ptr()
        return any(tensor is not target and tensor.untyped_storage().data_ptr() == place for tensor in self._kept)

    def _places(self, args: Any) -> list[tuple[int, int, Tensor]]:
        """What depends on what moves: its position, its position in a list there (or -1), and itself."""
        found = []
        for place, value in enumerate(args):
            if isinstance(value, Tensor):
                if self._depends(value):
                    found.append((place, -1, value))
            elif isinstance(value, (list, tuple)):
                parts = enumerate(value)
                found += [(place, n, part) for n, part in parts if isinstance(part, Tensor) and self._depends(part)]
        return found

    def _depends(self, tensor: Tensor) -> bool:
        return id(tensor) in self._slots

    def _fresh(self) -> int:
        self.count += 1
        return self.count - 1

    def _keep(self, *tensors: Tensor) -> None:
        self._kept += tensors
        self._bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        if self._bytes > ROOM:
            raise UnlistableError("recording this takes too much memory")


def _draws(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether it draws random numbers; attention, which may drop out, does not where it drops nothing."""
    if torch.Tag.nondeterministic_seeded not in func.tags:
        return False
    given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
    return "attention" not in str(func) or bool(given.get("dropout_p", 0.0))


def results_of(found: Any) -> list[Any]:
    """What an operation gave, one tensor or several."""
    return [found] if isinstance(found, Tensor) else [*found]


Form = Callable[[Any, bool], Callable[..., Any]]
"""From an operation, and whether its first result alone is needed, to what is run for it."""


def arranged(steps: Sequence[Step], last: Collection[int], form: Form) -> tuple[Step, ...]:
    """The steps that what is last needs, in the forms that are fastest, each with what is of no use after it."""
    seen, found = {*last}, []
    for step in reversed(steps):
        if seen.isdisjoint(step.results):
            continue
        operation = form(step.operation, seen.isdisjoint(step.results[1:]))
        slots = {*step.results, *(slot for *_, slot in step.holes)}
        found.append(Step(operation, step.arguments, step.named, step.holes, step.results, tuple(slots - seen)))
        seen |= slots
    return tuple(reversed(found))
