"""How far a run was from the edge of stability: told with the model at hand, not from what is stored of its steps."""

import numpy as np
import pytest
import torch
from torch import nn

import undertow
from undertow.curvature import curvature

CURVED = 4.0


class Valley(nn.Module):
    """Curved alike along all directions; each batch pulls it another way."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.full((400,), 3.0))

    def forward(self, pull):
        return CURVED / 2 * (self.w - pull).square().sum()


def ran(folder, ratio, noise):
    """A model after gradient descent at this part of the limit, with its optimizer, and what was stored of the run."""
    torch.manual_seed(0)
    model = Valley()
    optimizer = torch.optim.SGD(model.parameters(), lr=ratio * 2 / CURVED)
    with undertow.observe(store=folder, every=1):
        for _ in range(60):
            optimizer.zero_grad()
            model(noise * torch.randn(400)).backward()
            optimizer.step()
    return model, optimizer, undertow.Run(folder)


def by_the_gradients(run):
    """Curvature along each step over the limit, had the gradients before and after it been of one loss.

    A step is -rate · g, so the gradient changes along it by rate · g · (curvature along it) in units of g.
    """
    pairs = zip(run.updates, run.updates[1:], strict=False)
    left = [later.gradient[0] * np.cos(later.turn[0]) / earlier.gradient[0] for earlier, later in pairs]
    return float(np.median(1 - np.array(left))) / 2


@pytest.mark.parametrize("ratio", [0.1, 0.4, 0.95, 1.05])
def test_without_noise_the_gradients_before_and_after_a_step_tell_how_far_it_was(tmp_path, ratio):
    model, optimizer, run = ran(tmp_path, ratio, 0.0)
    assert by_the_gradients(run) == pytest.approx(ratio, rel=0.05)
    assert curvature(model, lambda out, _: out, (torch.zeros(400), None)).edge(optimizer).ratio == pytest.approx(ratio)


@pytest.mark.parametrize("ratio", [0.001, 0.01])
def test_from_a_stored_run_of_batches_that_differ_it_is_not_known_how_far_from_the_edge_it_was(tmp_path, ratio):
    model, optimizer, run = ran(tmp_path, ratio, 100.0)
    assert by_the_gradients(run) == pytest.approx(0.5, abs=0.1)  # however small it was: noise looks like curvature
    assert curvature(model, lambda out, _: out, (torch.zeros(400), None)).edge(optimizer).ratio == pytest.approx(ratio)
