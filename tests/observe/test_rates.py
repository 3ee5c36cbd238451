"""The learning rates of a run are those that were in force, at steps that were not sampled as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler

import undertow

STEPS = 40

SCHEDULES: dict[str, Callable[[Optimizer], Any]] = {
    "exponential": lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9),
    "step": lambda optimizer: lr_scheduler.StepLR(optimizer, 7),
    "one cycle": lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=STEPS),
    "restarts": lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 9),
    "constant": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda _: 1.0),
}


def trained(folder: Path, schedule: Callable[[Optimizer], Any], rate: Any = 0.02) -> list[list[float]]:
    """The rates of both groups at each step, as the loop saw them."""
    net, seen = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), []
    groups = [{"params": net[0].parameters()}, {"params": net[1].parameters(), "lr": 0.005}]
    optimizer = torch.optim.SGD(groups, lr=rate)
    scheduler = schedule(optimizer)
    with undertow.observe(store=folder):
        for _ in range(STEPS):
            optimizer.zero_grad()
            net(torch.ones(2, 3)).square().mean().backward()
            optimizer.step()
            seen.append([float(group["lr"]) for group in optimizer.param_groups])
            scheduler.step()
    return seen


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_of_each_group_is_known_at_each_step(schedule, tmp_path):
    seen = trained(tmp_path / "run", SCHEDULES[schedule])
    courses = undertow.Run(tmp_path / "run").rates
    assert [(rate.optimizer, rate.part) for rate in courses] == [(0, 0), (0, 1)]
    np.testing.assert_array_equal(np.transpose([rate.at(np.arange(STEPS)) for rate in courses]), seen)


def test_a_rate_that_stays_is_written_once(tmp_path):
    trained(tmp_path / "run", SCHEDULES["constant"])
    assert [len(rate.steps) for rate in undertow.Run(tmp_path / "run").rates] == [1, 1]


def test_a_rate_kept_in_a_tensor_is_known_as_well(tmp_path):
    trained(tmp_path / "run", SCHEDULES["constant"], torch.tensor(0.02))
    assert undertow.Run(tmp_path / "run").rates[0].at(np.array([5])) == pytest.approx(0.02)


def test_optimizers_are_told_apart(tmp_path):
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    optimizers = [torch.optim.SGD(net.parameters(), lr=rate) for net, rate in ((first, 0.1), (second, 0.2))]
    with undertow.observe(store=tmp_path / "run"):
        for _ in range(5):
            second(first(torch.ones(1, 2))).square().mean().backward()
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
    assert [rate.values.tolist() for rate in undertow.Run(tmp_path / "run").rates] == [[0.1], [0.2]]
