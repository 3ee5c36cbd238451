"""Trainings with a fault and their twins without it, and what is asked of each."""

import functools
import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow


class Forms:
    """Trainings by their names, each with the code of its fault; called with whether to have it."""

    def __init__(self):
        self.trains = {}

    def __call__(self, code):
        return lambda train: self.trains.setdefault(train.__name__, (code, train)) and train

    def check(self, name, folder, every=2):
        code, train = self.trains[name]
        found = review(folder / "sick", train, sick=True, every=every)
        assert found.cause is not None, found.summary
        assert found.cause.code == code, found.summary
        well = review(folder / "well", train, sick=False, every=every)
        assert code not in {finding.code for finding in well.findings}
        assert math.isfinite(well.outcome.last)


def review(folder, train, sick, every=2):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with undertow.observe(store=folder, every=every) as run:
            train(sick)
        return run.review()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def classes(count=600):
    generator = torch.Generator().manual_seed(0)
    centres, labels = 1.5 * torch.randn(6, 12, generator=generator), torch.randint(6, (count,), generator=generator)
    return centres[labels] + torch.randn(count, 12, generator=generator), labels


@functools.cache
def numbers(count=600):
    x = torch.rand(count, 6, generator=torch.Generator().manual_seed(1))
    y = torch.sin(3 * x[:, 0] * x[:, 1]) + (x[:, 2] - 0.5) ** 2 + x[:, 3]
    return 3.4 * (x - 0.5), (y - y.mean()) / y.std()


def net(inputs, outputs, activation=nn.ReLU):
    return nn.Sequential(nn.Linear(inputs, 32), activation(), nn.Linear(32, 32), activation(), nn.Linear(32, outputs))


def fit(model, optimizer, data, loss_of, epochs=8, size=30, schedule=None):
    x, y = data
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(size):
            optimizer.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()


def adam(model, rate=3e-3):
    return torch.optim.Adam(model.parameters(), lr=rate)


def squared(outputs, wanted):
    return F.mse_loss(outputs.squeeze(1), wanted)
