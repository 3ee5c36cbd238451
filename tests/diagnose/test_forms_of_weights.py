"""Faults of how weights are held, made and moved, in further forms: each is named, its twin without it is not."""

import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow

from .test_forms import classes, fit, net, numbers, one_thread

__all__ = ["one_thread"]

FORMS = {}


def form(code):
    return lambda train: FORMS.setdefault(train.__name__, (code, train)) and train


@form("UT309")
def a_coupled_decay_at_its_balance(sick):
    model = net(6, 1, nn.Tanh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.15 if sick else 1e-4)
    fit(model, optimizer, numbers(), lambda out, y: F.mse_loss(out[:, 0], y), epochs=20)


@form("UT309")
def a_decoupled_decay_at_its_balance(sick):
    model = net(12, 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=8.0 if sick else 1e-2)
    fit(model, optimizer, classes(), F.cross_entropy, epochs=16)


@form("UT309")
def a_penalty_at_its_balance(sick):
    model = net(6, 1, nn.Tanh)
    penalty = lambda: (0.05 if sick else 1e-5) * sum(p.square().sum() for p in model.parameters())  # noqa: E731
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    fit(model, optimizer, numbers(), lambda out, y: F.mse_loss(out[:, 0], y) + penalty(), epochs=16)


def review(folder, train, sick):
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with undertow.observe(store=folder, every=10) as run:
            train(sick)
        return run.review()


@pytest.mark.parametrize("name", FORMS)
def test_a_fault_in_another_form_is_named_and_its_twin_is_not_accused_of_it(name, tmp_path):
    code, train = FORMS[name]
    found = review(tmp_path / "sick", train, sick=True)
    assert found.cause is not None, found.summary
    assert found.cause.code == code, found.summary
    well = review(tmp_path / "well", train, sick=False)
    assert code not in {finding.code for finding in well.findings}
    assert math.isfinite(well.outcome.last)
