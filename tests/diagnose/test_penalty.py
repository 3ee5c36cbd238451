"""A penalty added to the loss is named where it outweighs the data from the start, and by no other factor."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow

SIZES = {"absolute": torch.abs, "squared": torch.square}


@pytest.mark.parametrize(("factor", "sick"), [(1.0, True), (1e-5, False)])
@pytest.mark.parametrize("size", SIZES)
def test_a_penalty_is_named_where_it_outweighs_the_data(size, factor, sick, tmp_path):
    torch.manual_seed(0)
    rows = torch.randn(500, 10)
    labels = (rows[:, :3] + 0.5 * rows[:, 3:6]).argmax(1)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    with undertow.observe(store=tmp_path / "run") as run:
        for _ in range(300):
            chosen = torch.randint(500, (32,))
            penalty = factor * sum(SIZES[size](p).sum() for p in net.parameters())
            optimizer.zero_grad()
            (F.cross_entropy(net(rows[chosen]), labels[chosen]) + penalty).backward()
            optimizer.step()
    found = run.review()
    assert (found.cause.code if found.cause else "") == ("UT309" if sick else ""), found.summary


def test_weights_made_positive_by_their_size_are_not_penalised(tmp_path):
    torch.manual_seed(0)
    rows = torch.rand(300, 6)
    wanted = rows @ torch.rand(6, 1)
    weight = nn.Parameter(torch.randn(6, 1))
    optimizer = torch.optim.Adam([weight], lr=0.01)
    with undertow.observe(store=tmp_path / "run") as run:
        for _ in range(200):
            optimizer.zero_grad()
            F.mse_loss(rows @ weight.abs() / weight.abs().sum(), wanted / wanted.max()).backward()
            optimizer.step()
    assert "UT309" not in {finding.code for finding in (*run.review().findings, *run.review().remarks)}
