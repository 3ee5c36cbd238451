"""What the optimizer really did to the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from undertow.observe.rows import Rows
from undertow.observe.subsample import Floats, Subsample, entries, flat, kept, subsample_of
from undertow.store.updates import UPDATE_COLUMNS

__all__ = ["Columns", "Earlier", "InForce", "Moved", "Moving", "UpdateProbe", "carried", "moved_by"]

Columns = dict[str, NDArray[np.float64]]

SETTINGS = {"rate": "lr", "decay": "weight_decay"}
"""Columns of `Updates` that are settings of a parameter's group, and what optimizers call them."""


class Moving:
    """Parameters that a step may move, and views of the entries of them that are looked at, good for several steps.

    Attributes:
        parameters: None of them is empty.
        numbers: Their numbers.
        rows: Where these are held.
        seen: Which entries.
    """

    def __init__(self, parameters: Sequence[Tensor], numbers: Sequence[int], rows: Rows):
        self.parameters = parameters
        self.numbers = numbers
        self.rows = rows
        self.seen = subsample_of(tuple([parameter.shape for parameter in parameters]))
        self._places: list[int] = []
        self._views: list[Tensor] = []

    def weights(self) -> Floats:
        """The entries as they are now."""
        places = [parameter.data_ptr() for parameter in self.parameters]
        if places != self._places:
            self._views = self.seen.views([parameter.detach() for parameter in self.parameters])
            # A view that is a copy has to be made anew each time.
            self._places = places if places == [view.data_ptr() for view in self._views] else []
        return kept(self._views, self.rows)

    def gradients(self) -> Floats:
        """The same entries of `.grad`, `nan` for parameters that have none or a sparse one."""
        return kept(_gradients(self.parameters, self.seen), self.rows)


class UpdateProbe:
    """Compares parameters before and after a step, on a fixed subsample of their entries.

    Attributes:
        moving: The parameters.
        settings: Those of the optimizer that hold for them.
    """

    def __init__(self, moving: Moving, settings: InForce):
        self.moving = moving
        self.settings = settings
        self._weights = moving.weights()
        self._gradients = moving.gradients()
        self._after: Floats | None = None

    def meet_gradients(self) -> None:
        """Take the gradients as they are now: those of a loop by hand come after the weights were looked at."""
        self.moving.rows.give(self._gradients)
        self._gradients = self.moving.gradients()

    def after(self) -> None:
        """Take the weights as they are now."""
        self._after = self.moving.weights()

    def release(self) -> Floats:
        """Give back what was held, but for the gradients, which are answered; nothing can be asked afterwards."""
        for row in (self._weights, self._after):
            if row is not None:
                self.moving.rows.give(row)
        return self._gradients

    def columns(self, before: Floats | None = None) -> Columns:
        """What changed between: columns of `Updates`, one entry a parameter.

        Args:
            before: The same entries of the gradients of a step before, where they are known.
        """
        assert self._after is not None
        seen = self.moving.seen
        weights, gradients, after = (each.astype(np.float64) for each in (self._weights, self._gradients, self._after))
        change = np.subtract(after, weights, out=after)
        terms = np.empty_like(weights)

        def sums(operation: np.ufunc, left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
            return seen.sums(operation(left, right, out=terms))

        with np.errstate(all="ignore"):
            weight, gradient, update = (sums(np.multiply, each, each) for each in (weights, gradients, change))
            downhill = -sums(np.multiply, change, gradients) / np.sqrt(update * gradient)
            asked = sums(np.not_equal, gradients, np.zeros(1))
            earlier = np.full(len(gradients), np.nan) if before is None else before.astype(np.float64)
            common = sums(np.multiply, earlier, gradients) / np.sqrt(sums(np.multiply, earlier, earlier) * gradient)
            return self.settings.columns() | {
                "weight": seen.norms(weight),
                "gradient": seen.norms(gradient),
                "update": seen.norms(update),
                "lost": sums(np.logical_and, change == 0, gradients != 0) / asked,
                "silent": 1 - asked / seen.lengths,
                "angle": np.arccos(np.clip(downhill, -1, 1)),
                "turn": np.arccos(np.clip(common, -1, 1)),
            }


class Earlier:
    """The gradients of the update that was compared last, by the numbers of their parameters."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, ...], Floats] = {}

    def of(self, moving: Moving) -> Floats | None:
        """Those of the same entries; `None` where there are none, or the parameters have got another size meanwhile."""
        held = self._held.get(tuple(moving.numbers))
        return held if held is not None and held.size == moving.seen.entries else None

    def take(self, moving: Moving, gradients: Floats) -> None:
        """Hold these, and give back those before."""
        numbers = tuple(moving.numbers)
        if (before := self._held.get(numbers)) is not None:
            moving.rows.give(before)
        self._held[numbers] = gradients


@dataclass(frozen=True, slots=True)
class Moved:
    """What one step did, as entries that are compared later: for many steps at a time that is much faster.

    Attributes:
        probes: One an optimizer.
        carried: For some parameters, by number, the norm of `.grad` before the step.
    """

    probes: Sequence[UpdateProbe]
    carried: Mapping[int, float]

    @property
    def entries(self) -> int:
        """How many numbers are held."""
        return sum([3 * probe.moving.seen.entries for probe in self.probes])

    def table(self, count: int, earlier: Earlier) -> Columns:
        """Columns of `Updates`, one entry for each of the run's parameters; the entries are held no longer.

        Args:
            count: Of the run's parameters.
            earlier: The gradients of the step before, which are replaced by those of this one.
        """
        whole = np.full((len(UPDATE_COLUMNS), count), np.nan)
        table = dict(zip(UPDATE_COLUMNS, whole, strict=True))
        for probe in self.probes:
            for name, values in probe.columns(earlier.of(probe.moving)).items():
                table[name][probe.moving.numbers] = values
            earlier.take(probe.moving, probe.release())
        table["carried"][[*self.carried]] = [*self.carried.values()]
        return table


def carried(parameters: Sequence[Tensor]) -> NDArray[np.float64]:
    """The norm of what each parameter's `.grad` holds now; 0 where it holds nothing."""
    if not parameters:
        return np.empty(0)
    seen = subsample_of(tuple([parameter.shape for parameter in parameters]))
    with np.errstate(all="ignore"):
        norms = seen.norms(seen.sums(flat(_gradients(parameters, seen)).astype(np.float64) ** 2))
    return np.nan_to_num(norms, nan=0.0, posinf=np.inf)


def _gradients(parameters: Sequence[Tensor], seen: Subsample) -> list[Tensor]:
    """The subsampled gradients, `nan` for parameters that have none or a sparse one."""
    grads = [parameter.grad for parameter in parameters]
    dense = [grad for grad in grads if grad is not None and not grad.is_sparse]
    if len(dense) == len(parameters):
        return seen.views(dense)
    return [
        parameter.new_full((int(length),), math.nan) if grad is None or grad.is_sparse else entries(grad)
        for parameter, grad, length in zip(parameters, grads, seen.lengths, strict=True)
    ]


def moved_by(optimizer: Optimizer) -> list[list[Tensor]]:
    """The parameters that an optimizer may move, by group."""
    return [
        [parameter for parameter in group["params"] if parameter.requires_grad and parameter.numel()]
        for group in optimizer.param_groups
    ]


@dataclass(frozen=True, slots=True)
class InForce:
    """Settings of an optimizer's groups, by the columns of `Updates` they are for, and how many parameters each has."""

    settings: Mapping[str, Sequence[Any]]
    counts: Sequence[int]

    @classmethod
    def of(cls, optimizer: Optimizer, counts: Sequence[int]) -> InForce:
        groups = optimizer.param_groups
        return cls({column: [_number(group.get(key)) for group in groups] for column, key in SETTINGS.items()}, counts)

    @classmethod
    def unknown(cls, count: int) -> InForce:
        """Of parameters that no optimizer moves."""
        return cls({column: [math.nan] for column in SETTINGS}, [count])

    def columns(self) -> Columns:
        return {column: np.repeat(values, self.counts) for column, values in self.settings.items()}


def _number(value: Any) -> float:
    """`nan` for what is none."""
    return float(value) if isinstance(value, (int, float, Tensor)) else math.nan
