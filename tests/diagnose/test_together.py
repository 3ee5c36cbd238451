"""Of faults that stand together in one run, the one that the others come from is named first."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow


def run(folder, loss_of, parameters, make=lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9), steps=100):
    optimizer = make([*parameters])
    with undertow.observe(store=folder) as run:
        for _ in range(steps):
            optimizer.zero_grad()
            loss_of().backward()
            optimizer.step()
    return run.review()


def images_of_bytes(norm, training):
    torch.manual_seed(0)
    rows = 256 * torch.rand(300, 36)
    labels = (rows[:, :3] + rows[:, 3:6]).argmax(1)
    net = nn.Sequential(nn.Linear(36, 32), norm(32), nn.ReLU(), nn.Linear(32, 3)).train(training)

    def loss():
        chosen = torch.randint(300, (32,))
        return F.cross_entropy(net(rows[chosen]), labels[chosen])

    return loss, net.parameters()


def test_a_normalisation_at_rest_comes_before_the_scale_that_it_was_to_take_out(tmp_path):
    found = run(tmp_path / "run", *images_of_bytes(nn.BatchNorm1d, training=False))
    assert found.cause.code == "UT601", found.summary
    assert "UT501" in {symptom.code for symptom in found.cause.symptoms}


@pytest.mark.parametrize("training", [False, True])
def test_without_one_the_scale_is_named(training, tmp_path):
    found = run(tmp_path / "run", *images_of_bytes(nn.Identity, training))
    assert found.cause.code == "UT501", found.summary


def test_a_normalisation_that_works_takes_the_scale_out(tmp_path):
    found = run(tmp_path / "run", *images_of_bytes(nn.BatchNorm1d, training=True), steps=300)
    assert found.verdict != "sick", found.summary
