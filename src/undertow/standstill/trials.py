"""What may be done otherwise in a short training onward from where a training stands."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import LBFGS

from undertow.standstill.training import Training

__all__ = [
    "AS_IT_GOES",
    "Along",
    "AsItGoes",
    "Balanced",
    "Fresh",
    "Newton",
    "Rate",
    "Trial",
    "Whole",
]


class Trial(abc.ABC):
    """One thing done otherwise. Subclasses are final and frozen."""

    def random(self, training: Training) -> bool:
        """Whether it goes otherwise each time: by the order of the batches, or by what the modules draw."""
        return len(training.batches) > 1 or training.chance

    @abc.abstractmethod
    def __str__(self) -> str:
        """What is done, in words that follow on "with"."""

    def prepare(self, training: Training) -> None:  # noqa: B027 - most change nothing at first
        """Before the first step."""

    def step(self, training: Training, batch: Any) -> None:
        """A step; `batch` is the one whose turn it is."""
        training.step(batch)


@dataclass(frozen=True)
class AsItGoes(Trial):
    """Nothing done otherwise."""

    def __str__(self) -> str:
        return "nothing changed"


AS_IT_GOES = AsItGoes()


@dataclass(frozen=True)
class Rate(Trial):
    """Another learning rate."""

    factor: float

    def __str__(self) -> str:
        return f"{self.factor:g} times the learning rate"

    def prepare(self, training: Training) -> None:
        training.scale_rate(self.factor)


@dataclass(frozen=True)
class Whole(Trial):
    """Every step by all batches together: the same steps without their noise."""

    def random(self, training: Training) -> bool:
        return training.chance

    def __str__(self) -> str:
        return "all batches in every step"

    def step(self, training: Training, _batch: Any) -> None:
        training.step_by_all()


@dataclass(frozen=True)
class Along(Trial):
    """A jump along a direction first."""

    direction: Sequence[Tensor] = field(repr=False)
    length: float
    then: Trial = AS_IT_GOES

    def random(self, training: Training) -> bool:
        return self.then.random(training)

    def __str__(self) -> str:
        onward = "" if self.then is AS_IT_GOES else f", then {self.then}"
        return f"a step of length {self.length:.2g} along the direction of negative curvature{onward}"

    def prepare(self, training: Training) -> None:
        training.move(self.direction, self.length)
        self.then.prepare(training)

    def step(self, training: Training, batch: Any) -> None:
        self.then.step(training, batch)


@dataclass(frozen=True)
class Balanced(Trial):
    """Steps straight downhill that move every tensor by the same share of its norm, however small its gradient."""

    share: float = 0.01

    def random(self, training: Training) -> bool:
        return training.chance

    def __str__(self) -> str:
        return f"every weight moved by {self.share:.0%} of its norm a step"

    def step(self, training: Training, _batch: Any) -> None:
        training.backward()
        with torch.no_grad():
            for parameter in training.parameters.values():
                if parameter.grad is not None and bool(parameter.grad.any()):
                    way = parameter.grad / parameter.grad.abs().max()  # first by the largest: squares underflow
                    parameter.sub_(way, alpha=float(self.share * parameter.norm() / way.norm()))


@dataclass(frozen=True)
class Newton(Trial):
    """Steps by an approximate Newton method with a line search, over all batches."""

    iterations: int

    def random(self, training: Training) -> bool:
        return training.chance

    def __str__(self) -> str:
        return "L-BFGS with a line search over all batches"

    def prepare(self, training: Training) -> None:
        method = LBFGS([*training.parameters.values()], max_iter=self.iterations, line_search_fn="strong_wolfe")
        method.step(training.objective())

    def step(self, training: Training, _batch: Any) -> None:
        """None: all of them have been made."""


@dataclass(frozen=True)
class Fresh(Trial):
    """Some modules begun anew."""

    modules: Sequence[nn.Module] = field(repr=False)
    names: Sequence[str]
    then: Trial = AS_IT_GOES

    def random(self, _training: Training) -> bool:
        return True

    def __str__(self) -> str:
        onward = "" if self.then is AS_IT_GOES else f", then {self.then}"
        return f"{', '.join(self.names[:3])}{' and others' if len(self.names) > 3 else ''} begun anew{onward}"

    def prepare(self, training: Training) -> None:
        for module in self.modules:
            module.reset_parameters()  # type: ignore[operator]
        self.then.prepare(training)

    def step(self, training: Training, batch: Any) -> None:
        self.then.step(training, batch)
