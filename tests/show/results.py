"""One of each result that shows itself, small."""

import copy

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import undertow
from tests.show import runs
from undertow.landscape import Evaluation, Grid
from undertow.noise import NoiseOfRun


def model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3))


def batch():
    torch.manual_seed(1)
    inputs = torch.randn(48, 6)
    return inputs, inputs[:, :3].argmax(1)


def noise():
    one, (inputs, targets) = model(), batch()
    told = [
        undertow.gradient_noise(cross_entropy(one(inputs[k : k + 24]), targets[k : k + 24], reduction="none"), one)
        for k in range(16)
    ]
    return NoiseOfRun(range(0, 160, 10), told, end=160)


def standing():
    one, (inputs, targets) = model(), batch()
    batches = [*zip(inputs.split(16), targets.split(16), strict=True)]
    return undertow.standstill(one, cross_entropy, batches, torch.optim.SGD(one.parameters(), lr=1e-6))


def falling():
    generator = np.random.default_rng(0)
    time = np.arange(1, 801)
    return 0.3 + 2 * time**-0.5 + 0.02 * generator.standard_normal(800)


def slices(names, points):
    return undertow.landscape(model(), cross_entropy, batch(), names, Grid(-1.5, 1.5, points), Evaluation())


def results(folder):
    """By the name of each: a result."""
    run, other = runs.sigmoids(folder / "one"), runs.residual(folder / "two")
    ends = model(0).state_dict(), copy.deepcopy(model(1).state_dict())
    return {
        "line": slices(("sharpest",), 41),
        "plane": slices(("random", "gradient"), 25),
        "path": undertow.barrier(model(), cross_entropy, batch(), ends),
        "spectrum": undertow.curvature(model(), cross_entropy, batch()).density(),
        "forecast": undertow.forecast(falling()),
        "outlook": undertow.Outlook(undertow.forecast(falling()), 800, 1.0, 0.5, 400.0),
        "standstill": standing(),
        "noise": noise(),
        "comparison": undertow.compare(run, other),
        "run": run,
        "review": runs.sick(run),
    }
