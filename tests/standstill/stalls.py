"""Trainings that stand still for a reason that is known by how they were made."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from torch import Tensor, nn
from torch.optim import LBFGS, SGD, Adam, AdamW, Optimizer, RMSprop

STALLS: dict[str, tuple[str, Callable[[], Stall]]] = {}
"""By name: the kind, and how it is made."""


@dataclass(frozen=True)
class Stall:
    """A training that stands still, as `undertow.standstill` takes it."""

    model: nn.Module
    loss_fn: Callable[[Any, Any], Tensor]
    batches: list[tuple[Tensor, Tensor]]
    optimizer: Optimizer


def stall(kind: str, **variants: Any) -> Callable[[Callable[..., Stall]], Callable[..., Stall]]:
    """Enter a way of making stalls, once for each of its variants."""

    def enter(make: Callable[..., Stall]) -> Callable[..., Stall]:
        for name, settings in variants.items():
            STALLS[f"{make.__name__}[{name}]"] = kind, lambda settings=settings: seeded(make, *settings)
        return make

    return enter


def seeded(make: Callable[..., Stall], *settings: Any) -> Stall:
    torch.manual_seed(sum(map(ord, make.__name__)))
    return make(*settings)


def sgd(rate: float, momentum: float = 0.0) -> Callable[[Any], Optimizer]:
    return lambda parameters: SGD(parameters, rate, momentum=momentum)


def adam(rate: float) -> Callable[[Any], Optimizer]:
    return lambda parameters: Adam(parameters, rate)


def adamw(rate: float) -> Callable[[Any], Optimizer]:
    return lambda parameters: AdamW(parameters, rate, weight_decay=0.0)


def rmsprop(rate: float, alpha: float = 0.99) -> Callable[[Any], Optimizer]:
    return lambda parameters: RMSprop(parameters, rate, alpha=alpha)


Data = tuple[Tensor, Tensor]


def cut(data: Data, size: int) -> list[Data]:
    return [*zip(data[0].split(size), data[1].split(size), strict=True)]


def regression(width: int, count: int = 256, noise: float = 0.5) -> Data:
    inputs = torch.randn(count, width)
    return inputs, inputs @ torch.randn(width, 1) / width**0.5 + noise * torch.randn(count, 1)


def flipped(labels: Tensor, classes: int, share: float) -> Tensor:
    return torch.where(torch.rand(len(labels)) < share, torch.randint(classes, labels.shape), labels)


def scaled(data: Any, count: int) -> Data:
    inputs = torch.tensor(data.data, dtype=torch.float32)
    chosen = torch.randperm(len(inputs))[:count]
    inputs = (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-6)
    return inputs[chosen], torch.tensor(data.target)[chosen]


def digits(count: int = 512) -> Data:
    return scaled(load_digits(), count)


def cancer(count: int = 512) -> Data:
    return scaled(load_breast_cancer(), count)


def wine() -> Data:
    return scaled(load_wine(), 176)


def dense(activation: Callable[[], nn.Module], *widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n, m in pairwise(widths):
        layers += [nn.Linear(n, m), activation()]
    return nn.Sequential(*layers[:-1])


def trained(model: nn.Module, loss_fn: Any, batches: list[Data], optimizer: Optimizer, steps: int) -> Stall:
    order = torch.cat([torch.randperm(len(batches)) for _ in range(-(-steps // len(batches)))])[:steps]
    for number in order.tolist():
        optimizer.zero_grad()
        loss_fn(model(batches[number][0]), batches[number][1]).backward()
        optimizer.step()
    return Stall(model, loss_fn, batches, optimizer)


def settled(model: nn.Module, loss_fn: Any, data: Data, iterations: int = 2000) -> nn.Module:
    """At a point where the gradient over all data has run out."""
    model.double()
    inputs, targets = (part.double() if part.is_floating_point() else part for part in data)
    method = LBFGS(
        model.parameters(), max_iter=iterations, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        method.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        return loss

    method.step(closure)
    model.zero_grad()
    return model.float()


def lifted(stood: Stall) -> Stall:
    """Made sure of: it stands well above what its network could come to from here."""
    data = tuple(map(torch.cat, zip(*stood.batches, strict=True)))
    floor = settled(copy.deepcopy(stood.model), stood.loss_fn, data)
    with torch.no_grad():
        losses = [float(stood.loss_fn(model(data[0]), data[1])) for model in (stood.model, floor)]
    assert losses[0] > 1.02 * losses[1], f"it stands at {losses[0]}, and {losses[1]} is to be had"
    return stood


def constant(layer: nn.Linear, labels: Tensor) -> None:
    """The best answer that ignores the input."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.bincount(labels, minlength=layer.out_features).float().log())
