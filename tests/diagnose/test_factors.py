"""Factors that begin alike stay alike; factors that differ, or of which one side begins at zero, do not."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow

BEGINNINGS = {
    "all the same": (lambda w: nn.init.constant_(w, 0.3), lambda w: nn.init.constant_(w, 0.3), True),
    "each feature the same": (lambda w: w.data.copy_(w[:, :1].expand_as(w)), lambda w: nn.init.ones_(w), True),
    "at random": (lambda w: nn.init.normal_(w, std=0.3), lambda w: nn.init.normal_(w, std=0.3), False),
    "one side at zero": (lambda w: nn.init.normal_(w, std=0.3), nn.init.zeros_, False),
    "one side constant": (lambda w: nn.init.normal_(w, std=0.3), lambda w: nn.init.constant_(w, 0.3), False),
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_factors_are_named_where_nothing_tells_them_apart(beginning, tmp_path):
    torch.manual_seed(0)
    first, second, sick = BEGINNINGS[beginning]
    left, right = nn.Embedding(40, 6), nn.Embedding(50, 6)
    with torch.no_grad():
        first(left.weight)
        second(right.weight)
    rows, columns = torch.randint(40, (2000,)), torch.randint(50, (2000,))
    wanted = (torch.randn(40, 3)[rows] * torch.randn(50, 3)[columns]).sum(1)
    optimizer = torch.optim.Adam([*left.parameters(), *right.parameters()], lr=0.03)
    with undertow.observe(store=tmp_path / "run") as run:
        for _ in range(400):
            chosen = torch.randint(2000, (100,))
            optimizer.zero_grad()
            F.mse_loss((left(rows[chosen]) * right(columns[chosen])).sum(1), wanted[chosen]).backward()
            optimizer.step()
    found = run.review()
    told = {finding.code for finding in (*found.findings, *found.remarks)}
    assert ("UT203" in told) == sick, found.summary
    assert sick or found.verdict != "sick", found.summary
