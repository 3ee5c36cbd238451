"""A number that is not finite is traced to where it was born."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import undertow

SAVES_ITS_RESULT = {"ExpBackward0", "SqrtBackward0"}


class Fault(nn.Module):
    """Computes as told, from one step on wrongly."""

    def __init__(self, operation: Callable[[Tensor, Tensor], Tensor], since: int):
        super().__init__()
        self.before, self.after = nn.Linear(4, 4), nn.Linear(4, 1)
        self.operation, self.calls, self.since = operation, 0, since

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.before(x)
        zero = torch.zeros_like(hidden) if self.calls == self.since else torch.ones_like(hidden)
        self.calls += 1
        return self.after(self.operation(hidden, zero))


BIRTHS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "log of 0": (lambda x, zero: (x * 0 + zero).log(), "LogBackward0"),
    "root of a negative": (lambda x, zero: (x * 0 + 2 * zero - 1).sqrt(), "SqrtBackward0"),
    "0 / 0": (lambda x, zero: (x * zero) / (x * 0 + zero), "DivBackward0"),
    "exp overflows": (lambda x, zero: (x * 0 + 200 * (1 - zero)).exp(), "ExpBackward0"),
    "power overflows": (lambda x, zero: (x * 0 + 1e30 * (1 - zero) + 1) ** 3, "PowBackward0"),
}


def train(net: nn.Module, steps: int = 6, data: Callable[[int], Tensor] = lambda _: torch.randn(8, 4)) -> None:
    optimizer = torch.optim.SGD(net.parameters(), 1e-4)
    for step in range(steps):
        loss = net(data(step)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def birth(folder: Path, **options: Any) -> Any:
    return next(event for event in undertow.Run(folder).events if event.kind == "birth")


@pytest.mark.parametrize("every", [1, 100], ids=["sampled", "unsampled"])
@pytest.mark.parametrize("name", BIRTHS)
def test_a_birth_in_the_forward_pass_is_found_at_once(name: str, every: int, tmp_path: Path) -> None:
    operation, expected = BIRTHS[name]
    torch.manual_seed(0)
    with undertow.observe(every=every, store=tmp_path / "run"):
        train(Fault(operation, since=4))
    event = birth(tmp_path / "run")
    assert (event.step, event.facts["phase"], event.facts["operation"]) == (4, "forward", expected)
    assert event.facts["module"] == ""
    line = inspect.getsourcelines(operation)[1]
    assert event.facts["source"].endswith(f"test_births.py:{line}")
    assert event.facts["inputs"] or expected in SAVES_ITS_RESULT


@pytest.mark.parametrize("every", [1, 100], ids=["sampled", "unsampled"])
def test_a_nan_in_the_data_is_told_from_one_that_is_made(every: int, tmp_path: Path) -> None:
    def data(step: int) -> Tensor:
        x = torch.randn(8, 4)
        x[0, 0] = torch.nan if step == 3 else 0.0
        return x

    with undertow.observe(every=every, store=tmp_path / "run"):
        train(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1)), data=data)
    event = birth(tmp_path / "run")
    assert (event.step, event.facts["phase"], event.facts["module"]) == (3, "data", "0")


def test_parameters_that_are_not_finite_from_the_start_are_named(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    nn.init.constant_(net[1].weight, torch.inf)
    with undertow.observe(store=tmp_path / "run"):
        train(net)
    event = birth(tmp_path / "run")
    assert (event.step, event.facts["phase"], event.facts["parameters"]) == (0, "parameters", ["1.weight"])


class Root(Fault):
    """Finite forward, and an infinite slope at 0."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.before(x)
        if self.calls == self.since:
            hidden = hidden * 0
        self.calls += 1
        return self.after(hidden.abs().sqrt())


def test_a_birth_in_the_backward_pass_is_bracketed(tmp_path: Path) -> None:
    with undertow.observe(every=100, store=tmp_path / "run"):
        train(Root(torch.add, since=3))
    event = birth(tmp_path / "run")
    assert (event.step, event.facts["phase"]) == (4, "parameters")
    assert event.facts["between"] == [3, 4]
    assert event.facts["focus"] == 3


@pytest.mark.parametrize("options", [{"every": 1}, {"focus": [3]}], ids=["each step", "in focus"])
def test_a_birth_in_the_backward_pass_is_seen_exactly_on_an_observed_step(options: Any, tmp_path: Path) -> None:
    with undertow.observe(store=tmp_path / "run", **options):
        train(Root(torch.add, since=3))
    flow = next(seen.flow for seen in undertow.Run(tmp_path / "run").passes if seen.step == 3)
    finite = [size - size == 0 for size in flow.cotangents]
    sender = next(
        edge.sender
        for edge, size in zip(flow.topology.edges, flow.contributions, strict=True)
        if size - size != 0 and finite[edge.sender]
    )
    assert flow.topology.operations[sender].name == "SqrtBackward0"
