"""The lines at which optimizers are made, scheduled, zeroed, clipped and stepped are the user's own."""

import inspect

import pytest
import torch
from torch import nn
from torch.nn import utils
from torch.optim import Optimizer, lr_scheduler

import undertow

ACTS = ("made", "scheduled", "zeroed", "clipped", "step")


class Plain(Optimizer):
    """An optimizer of the user's own."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data -= group["lr"] * parameter.grad


def trained(kind, clip="clip_grad_norm_", schedule=lr_scheduler.ExponentialLR, settings=0.9):
    net = nn.Linear(3, 1)
    optimizer = kind(net.parameters(), lr=0.1)  # made
    scheduler = schedule(optimizer, settings)  # scheduled
    for _ in range(6):
        optimizer.zero_grad()  # zeroed
        loss = net(torch.ones(2, 3)).square().mean()
        loss.backward()
        getattr(utils, clip)(net.parameters(), 1.0)  # clipped
        optimizer.step()  # step
        scheduler.step(*[loss.detach()] * (schedule is lr_scheduler.ReduceLROnPlateau))


def two_trained():
    for rate in (0.1, 0.2):
        weight = nn.Parameter(torch.ones(3))
        optimizer = torch.optim.SGD([weight], lr=rate)
        for _ in range(4):
            weight.square().sum().backward()
            optimizer.step()


def lines(folder, train, *args):
    """The line's number for each optimizer and act."""
    with undertow.observe(every=1, store=folder):
        train(*args)
    told = [event.facts for event in undertow.Run(folder).events if event.kind == "line"]
    assert {facts["source"].rpartition(":")[0] for facts in told} == {"tests/observe/test_lines.py"}
    return {(facts["optimizer"], facts["act"]): int(facts["source"].rpartition(":")[2]) for facts in told}


def marked():
    written, first = inspect.getsourcelines(trained)
    return {line.rpartition("# ")[2].strip(): first + place for place, line in enumerate(written) if "# " in line}


@pytest.mark.parametrize(
    ("kind", "clip", "schedule", "settings"),
    [
        (torch.optim.Adam, "clip_grad_norm_", lr_scheduler.ExponentialLR, 0.9),
        (torch.optim.SGD, "clip_grad_value_", lr_scheduler.StepLR, 3),
        (Plain, "clip_grad_norm_", lr_scheduler.ReduceLROnPlateau, "min"),
    ],
)
def test_each_is_the_line_that_did_it(kind, clip, schedule, settings, tmp_path):
    found = lines(tmp_path / "run", trained, kind, clip, schedule, settings)
    assert found == {(0, act): marked()[act] for act in ACTS}


def test_optimizers_that_are_made_at_one_line_are_each_told_of(tmp_path):
    found = lines(tmp_path / "run", two_trained)
    assert {act for _, act in found} == {"made", "step"}
    assert {number for number, _ in found} == {0, 1}
    assert found[0, "made"] == found[1, "made"] == found[0, "step"] - 3


def test_pytorch_is_as_it_was_afterwards(tmp_path):
    owners = (Optimizer, lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau, utils, utils.clip_grad)
    before = [dict(vars(owner)) for owner in owners]
    lines(tmp_path / "run", trained, torch.optim.SGD)
    assert [dict(vars(owner)) for owner in owners] == before


def test_a_rate_that_is_too_high_is_found_where_the_optimizer_was_made(tmp_path):
    def train():
        torch.manual_seed(0)
        x, net = torch.randn(64, 8), nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 3))
        optimizer = torch.optim.SGD(net.parameters(), lr=10.0)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x), x[:, :3]).backward()
            optimizer.step()

    with undertow.observe(store=tmp_path / "run"):
        train()
    cause = undertow.review(undertow.Run(tmp_path / "run")).cause
    assert cause.code == "UT301"
    assert cause.source == f"tests/observe/test_lines.py:{train.__code__.co_firstlineno + 3}"
