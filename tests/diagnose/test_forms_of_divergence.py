"""What makes a loss leave: weights, a rate, or targets that leave with the network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .forms import Forms, adam, fit, numbers, one_thread, review, squared

__all__ = ["one_thread"]

form = Forms()


class Loud(nn.Module):
    def __init__(self, gain):
        super().__init__()
        self.gain, self.inner = gain, nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 24))

    def forward(self, x):
        return x + self.gain * self.inner(x)


def blocks(gain):
    return nn.Sequential(nn.Linear(6, 24), *[Loud(gain) for _ in range(14)], nn.Linear(24, 1))


def sgd(model, rate):
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)


@form("UT102")
def branches_too_loud_for_any_step(sick):
    model = blocks(4.0 if sick else 0.5)
    fit(model, sgd(model, 0.01), numbers(), squared, epochs=4)


@form("UT301")
def a_rate_too_high_for_sound_branches(sick):
    model = blocks(0.5)
    fit(model, sgd(model, 20.0 if sick else 0.01), numbers(), squared, epochs=4)


@form("UT702")
def values_that_count_what_comes_for_more_than_what_is(sick):
    here, reward = torch.arange(8), (torch.arange(8) == 7).float()
    after, model = (here + 1) % 8, nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = adam(model)
    values = lambda cells: model(F.one_hot(cells, 8).float())[:, 0]  # noqa: E731
    for _ in range(500):
        rows = torch.randint(8, (32,))
        with torch.no_grad():
            wanted = reward[rows] + (1.15 if sick else 0.9) * values(after[rows])
        optimizer.zero_grad()
        F.mse_loss(values(here[rows]), wanted).backward()
        optimizer.step()


@pytest.mark.parametrize("name", form.trains)
def test_what_made_a_loss_leave_is_named_and_its_twin_is_not_accused(name, tmp_path):
    form.check(name, tmp_path)


@pytest.mark.parametrize("discount", [0.5, 0.9, 0.97])
def test_values_that_rise_and_settle_have_not_run_away(discount, tmp_path):
    def train(_):
        model = nn.Linear(8, 1, bias=False)
        nn.init.zeros_(model.weight)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        cells = torch.eye(8)
        for _ in range(500):
            rows = torch.randint(8, (32,))
            with torch.no_grad():
                wanted = torch.randn(32) + 2 + discount * model(cells[(rows + 1) % 8])[:, 0]
            optimizer.zero_grad()
            F.mse_loss(model(cells[rows])[:, 0], wanted).backward()
            optimizer.step()

    outcome = review(tmp_path, train, sick=False).outcome
    assert not outcome.runaway
    assert outcome.kind != "diverged"
