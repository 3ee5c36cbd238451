"""A training as it stands: what it would do next, and what its loss is, without a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from undertow.engine.example import called, examples, loss_of, mean_over
from undertow.preflight.untouched import same_chance, untouched

__all__ = ["ROUNDINGS", "Training"]

ROUNDINGS = 10
"""How many units of rounding a sum may be off by, in what is computed over a batch."""

DRAWS = 8
"""Of the modules' random numbers, over which all batches are averaged at least: an eighth of their variance is left."""

LOOKED_AT = 1 << 31
"""Where the seeds begin of draws at which a loss is looked at, apart from those that steps are made with."""


@dataclass(frozen=True)
class Training:
    """A model, its loss, the batches it is trained on, and its optimizer.

    The loss is the mean over all the batches, in the modes that the model is in. Wherever a module draws random numbers
    (dropout), it is looked at in draws that no step was made with: a way down that only one draw has is none.
    """

    model: nn.Module
    loss_fn: Callable[[Any, Any], Tensor]
    batches: Sequence[Any]
    optimizer: Optimizer

    @property
    def parameters(self) -> dict[str, Tensor]:
        """Those that are trained, by name."""
        return {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Only what the optimizer holds requires a gradient inside."""
        held = {id(parameter) for group in self.optimizer.param_groups for parameter in group["params"]}
        others = [parameter for parameter in self.parameters.values() if id(parameter) not in held]
        try:
            for parameter in others:
                parameter.requires_grad_(False)
            yield
        finally:
            for parameter in others:
                parameter.requires_grad_()

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Whatever happens inside, all is afterwards as it was."""
        with untouched(self.model, self.optimizer):
            yield

    def loss(self, draw: int = 0) -> float:
        """The mean loss over all batches, in one draw of the modules' random numbers."""
        with torch.no_grad(), same_chance():
            torch.manual_seed(LOOKED_AT + draw)
            return float(mean_over(self.batches, lambda batch: called(self.model, self.loss_fn, batch)))

    @property
    def resolution(self) -> float:
        """The least change of the loss that is more than rounding."""
        return ROUNDINGS * abs(self.loss()) * max(torch.finfo(p.dtype).eps for p in self.parameters.values())

    @cached_property
    def chance(self) -> bool:
        """Whether modules draw random numbers, so that the loss is another each time."""
        return any(abs(self.loss(draw) - self.loss()) > self.resolution for draw in (1, 2))

    def backward(self) -> float:
        """The mean loss over all batches, and over draws of random numbers, with its gradient in `.grad`."""
        self.model.zero_grad()
        batches = [*self.batches] * (-(-DRAWS // len(self.batches)) if self.chance else 1)
        total, count = 0.0, sum(map(examples, batches))
        for batch in batches:
            loss = loss_of(self.model, self.loss_fn, batch) * (examples(batch) / count)
            loss.backward()
            total += loss.item()
        return total

    def objective(self) -> Callable[[], float]:
        """The same in draws that are drawn now and then kept, as a method needs it that compares losses."""
        drawn = int(torch.randint(LOOKED_AT, ()))

        def backward() -> float:
            with same_chance():
                torch.manual_seed(drawn)
                return self.backward()

        return backward

    def gradient(self, batch: Any) -> list[Tensor]:
        """The gradient of the loss of one batch."""
        parameters = [*self.parameters.values()]
        found = torch.autograd.grad(loss_of(self.model, self.loss_fn, batch), parameters, allow_unused=True)
        return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]

    def step(self, batch: Any) -> None:
        """A step of the optimizer by one batch."""

        def closure() -> float:
            self.model.zero_grad()
            loss = loss_of(self.model, self.loss_fn, batch)
            loss.backward()
            return loss.item()

        self.optimizer.step(closure)

    def step_by_all(self) -> None:
        """A step of the optimizer by the mean over all batches."""
        self.optimizer.step(self.backward)

    def scale_rate(self, factor: float) -> None:
        """Multiply the learning rate of every group."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["lr"] * factor

    @torch.no_grad()
    def move(self, direction: Sequence[Tensor], length: float) -> None:
        """Move the parameters along a direction."""
        for parameter, along in zip(self.parameters.values(), direction, strict=True):
            parameter.add_(along, alpha=length)

    def loss_along(self, direction: Sequence[Tensor], length: float) -> float:
        """The loss that far along a direction."""
        with self.untouched():
            self.move(direction, length)
            return self.loss()
