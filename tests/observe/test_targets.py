"""What a loss compares its input with is told as PyTorch's own functions tell it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from undertow.engine.graph import Graph
from undertow.observe.probes import loss_head
from undertow.observe.targets import target
from undertow.store import Target


def told(loss: Tensor) -> Target:
    graph = Graph.read(loss)
    found = target(graph, loss_head(graph))
    assert found is not None
    return found


@pytest.mark.parametrize("shape", [(12, 5), (12, 5, 3), (4, 40_000)])
def test_classes_and_whether_probabilities_add_up(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight, rows = torch.ones(shape, requires_grad=True), torch.randn(shape)
    wanted = torch.randint(5, shape[:1] + shape[2:])
    found = told(F.nll_loss(weight * rows, wanted))
    error = 1e-6 if rows.numel() < 1 << 16 else 0.05
    assert found.normalised == pytest.approx(float(rows.double().logsumexp(1).mean()), abs=error)
    assert found.counts == (tuple(torch.bincount(wanted.flatten(), minlength=5).tolist()) if shape[1] == 5 else ())
    assert (found.low, found.high) == (float(wanted.min()), float(wanted.max()))


@pytest.mark.parametrize("shape", [(64, 3), (7,), (300, 1000)])
def test_moments_of_other_targets(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    wanted = torch.randn(shape)
    found = told(F.mse_loss(torch.zeros(shape, requires_grad=True) * 1, wanted))
    exact = wanted.double()
    error = 1e-9 if wanted.numel() < 1 << 16 else 0.02
    assert found.mean == pytest.approx(float(exact.mean()), abs=error)
    assert found.variance == pytest.approx(float(exact.var(0).mean()), abs=error)
    assert found.past_unit == pytest.approx(float((exact - exact.clamp(0, 1)).square().mean()), abs=error)
    assert found.past_zero == pytest.approx(float((exact - exact.clamp(min=0)).square().mean()), abs=error)
