"""Fine-tuning with a rate far too large undoes what was learned; a gentle one does not, nor does a fresh start."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow


def data(shift=0.0):
    inputs = torch.randn(512, 12)
    return inputs, (inputs[:, 0] + inputs[:, 1] * inputs[:, 2] > shift).long()


def network():
    layers = [[nn.Linear(n, 48), nn.LayerNorm(48), nn.GELU()] for n in (12, 48, 48)]
    return nn.Sequential(*(layer for three in layers for layer in three), nn.Linear(48, 2))


def learn(net, rate, steps, kind=torch.optim.Adam, shift=0.0):
    optimizer = kind(net.parameters(), lr=rate)
    inputs, labels = data(shift)
    for _ in range(steps):
        chosen = torch.randint(len(inputs), (32,))
        optimizer.zero_grad()
        F.cross_entropy(net(inputs[chosen]), labels[chosen]).backward()
        optimizer.step()


def found(folder, net, rate, kind=torch.optim.Adam):
    with undertow.observe(store=folder, budget=0.2) as run:
        learn(net, rate, 300, kind, shift=0.2)
    review = run.review()
    return {f.code: f for f in (*review.findings, *review.remarks)} | {
        s.code: s for f in review.findings for s in f.symptoms
    }


@pytest.fixture
def pretrained():
    torch.manual_seed(0)
    net = network()
    learn(net, 1e-3, 600)
    return net


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_first_steps_that_undo_what_was_learned_are_told(pretrained, rate, tmp_path):
    assert "UT901" in found(tmp_path / "run", pretrained, rate)


@pytest.mark.parametrize("rate", [1e-4, 1e-3])
def test_gentle_fine_tuning_is_not(pretrained, rate, tmp_path):
    assert "UT901" not in found(tmp_path / "run", pretrained, rate)


def test_neither_is_the_same_rate_on_a_network_that_had_learned_nothing(tmp_path):
    torch.manual_seed(0)
    assert "UT901" not in found(tmp_path / "run", network(), 0.1)
