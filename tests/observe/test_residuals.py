"""What a loss written by hand compares with is told as by PyTorch's own function."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from undertow.diagnose.chance import chance_loss
from undertow.engine.graph import Graph
from undertow.observe.probes import loss_head
from undertow.observe.targets import target

FEATURES, WANTED = torch.linspace(-1, 1, 90).reshape(30, 3), torch.linspace(-3, 9, 60).reshape(30, 2)
WEIGHT, BIAS = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(2))

ANSWERS = {
    "a linear layer": nn.Linear(3, 2),
    "a linear layer without a bias": nn.Linear(3, 2, bias=False),
    "a linear layer after another": nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Linear(8, 2)),
    "a sigmoid": nn.Sequential(nn.Linear(3, 2), nn.Sigmoid()),
    "a product and a sum": lambda x: x @ WEIGHT + BIAS,
    "a product": lambda x: x.sin() @ WEIGHT,
    "a view": lambda x: nn.Linear(3, 2)(x).view(-1),
}

WRITTEN = {
    "the square of the difference": lambda answer, y: ((answer - y) ** 2).mean(),
    "the square of the difference turned": lambda answer, y: (y - answer).pow(2).mean(),
    "the difference times itself": lambda answer, y: torch.mul(d := answer - y, d).mean(),
    "half the sum": lambda answer, y: 0.5 * ((answer - y) ** 2).sum(),
    "the mean of sums": lambda answer, y: ((answer - y) ** 2).sum(-1).mean(),
}

MOMENTS = ("mean", "variance", "low", "high", "past_unit", "past_tanh", "past_zero", "varied")


def wanted(loss):
    graph = Graph.read(loss)
    return target(graph, loss_head(graph))


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("written", WRITTEN)
def test_the_target_is_had_back(answer, written):
    torch.manual_seed(0)
    made = ANSWERS[answer](FEATURES)
    y = WANTED.reshape(made.shape)
    found, library = wanted(WRITTEN[written](made, y)), wanted(F.mse_loss(made, y))
    for name in MOMENTS:
        assert getattr(found, name) == pytest.approx(getattr(library, name), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("written", WRITTEN)
def test_chance_is_what_the_best_constant_answer_loses(written):
    loss = WRITTEN[written]
    found = wanted(loss(ANSWERS["a linear layer"](FEATURES), WANTED))
    best = WANTED.mean(0).expand_as(WANTED)
    unbiased = len(WANTED) / (len(WANTED) - 1)
    assert chance_loss([found], "PowBackward0") == pytest.approx(unbiased * loss(best, WANTED).item(), rel=1e-4)


@pytest.mark.parametrize(
    "loss",
    [
        lambda answer, y: ((answer - y) ** 2).mean() + answer.abs().mean(),
        lambda answer, y: (((answer - y) ** 2) * FEATURES[:, :2].abs()).mean(),
        lambda answer, y: ((answer - y) ** 2).mean().sqrt(),
    ],
)
def test_chance_is_not_known_of_weights_sums_and_roots(loss):
    assert not wanted(loss(ANSWERS["a linear layer"](FEATURES), WANTED)).whole


def test_chance_is_not_known_of_a_fourth_power():
    assert np.isnan(chance_loss([wanted(((ANSWERS["a linear layer"](FEATURES) - WANTED) ** 4).mean())], ""))


@pytest.mark.parametrize(
    "loss",
    [
        lambda answer, y: ((answer - y[:, :1].T) ** 2).mean(),
        lambda answer, y: ((answer.sin() - y) ** 2).mean(),
        lambda answer, y: (torch.sub(answer, y, alpha=2) ** 2).mean(),
    ],
)
def test_what_is_not_known_is_not_told(loss):
    assert wanted(loss(nn.Linear(3, 1)(FEATURES), WANTED[:, :1])) is None


@pytest.mark.parametrize(
    "loss",
    [
        F.l1_loss,
        F.mse_loss,
        F.smooth_l1_loss,
        lambda answer, y: F.smooth_l1_loss(answer, y, beta=0.0),
        lambda answer, y: F.huber_loss(answer, y, delta=0.3, reduction="sum"),
        lambda answer, y: (answer - y).abs().sum(-1).mean(),
        lambda answer, y: (answer - y).square().mean() / 3,
    ],
)
def test_chance_is_about_what_a_constant_loses_that_is_fitted_to_all(loss):
    torch.manual_seed(0)
    wide = torch.randn(4000, 2)
    seen = [wanted(loss(nn.Linear(3, 2)(FEATURES[:20]), part)) for part in wide.split(20)]
    fitted = wide.median(0).values.expand_as(wide)
    rows = len(wide) / 20 if loss(wide, fitted) > 100 else 1
    assert chance_loss(seen, "") == pytest.approx(loss(wide, fitted).item() / rows, rel=0.05)
