"""The part of a loss that is affine in the coordinates, computed once; the rest, a list of operations to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from undertow.landscape.affine import keeps_affine
from undertow.landscape.forms import faster
from undertow.landscape.plane import Plane
from undertow.landscape.problem import Problem
from undertow.linear.listing import Listing, Step, arranged, results_of

__all__ = ["Folded", "folded"]


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
        UnlistableError: The loss reads numbers out of tensors, draws random ones, writes into what is seen elsewhere,
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


class Tape(Listing):
    """A pass forward as it is made: what is affine gets coefficients, all else that depends on them is listed."""

    def __init__(self, axes: int):
        super().__init__()
        self._axes = axes
        self._affine: dict[int, Sequence[Tensor]] = {}
        self._used: dict[int, tuple[Tensor, Sequence[Tensor]]] = {}

    def affine(self, tensor: Tensor, parts: Sequence[Tensor]) -> None:
        """Say what one unit along each axis adds to a tensor."""
        self._keep(tensor, *parts)
        self._affine[id(tensor)] = parts

    def slot(self, tensor: Tensor) -> int:
        """Where a tensor stands; one that is affine gets a place when it is first used."""
        if id(tensor) in self._affine and id(tensor) not in self._slots:
            self._slots[id(tensor)] = slot = self._fresh()
            self._used[slot] = tensor, self._affine[id(tensor)]
        return super().slot(tensor)

    def folded(self, loss: Tensor) -> Folded:
        """All that was recorded, from what is affine to the loss."""
        last = super().slot(loss)
        centre = {str(slot): tensor for slot, (tensor, _) in self._used.items()}
        ways = ({str(slot): parts[axis] for slot, (_, parts) in self._used.items()} for axis in range(self._axes))
        return Folded(Plane(centre, tuple(ways)), arranged(self.steps, {last}, faster), self.count, last)

    def _note(self, func: Any, args: Any, kwargs: Any, found: Any) -> None:
        """Keep the coefficients of what is affine, and list the rest."""
        places = self._places(args)
        if not all(id(t) in self._affine for *_, t in places) or not keeps_affine(func, {at for at, *_ in places}):
            super()._note(func, args, kwargs, found)
            return
        nothing = self._along(func, args, kwargs, None)
        parts = [self._along(func, args, kwargs, axis) for axis in range(self._axes)]
        for number, result in enumerate(results_of(found)):
            self.affine(result, [part[number] - nothing[number] for part in parts])

    def _along(self, func: Any, args: Any, kwargs: Any, axis: int | None) -> list[Tensor]:
        """An operation on what is added along an axis, or on zeros, in place of what moves."""

        def put(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return [put(part) for part in value]
            if isinstance(value, Tensor) and id(value) in self._affine:
                return torch.zeros_like(value) if axis is None else self._affine[id(value)][axis]
            return value

        return results_of(func(*(put(argument) for argument in args), **kwargs))

    def _written(self, target: Tensor, made: Tensor) -> None:
        for slot, (tensor, parts) in self._used.items():
            if tensor is target:
                self._used[slot] = tensor.clone(), parts
        self._affine.pop(id(target), None)
        if id(made) in self._affine:
            self._affine[id(target)] = self._affine[id(made)]
        super()._written(target, made)

    def _depends(self, tensor: Tensor) -> bool:
        return id(tensor) in self._affine or super()._depends(tensor)
