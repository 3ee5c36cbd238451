"""One of each result that shows itself, small."""

import copy
import math
from collections import Counter

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import undertow
from tests.show import runs
from undertow.curvature import Edge
from undertow.curvature.trace import Trace
from undertow.landscape import Evaluation, Grid
from undertow.noise import Estimate, NoiseOfRun, Tradeoff, tradeoff


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


def ready():
    one = model()
    return undertow.preflight(one, cross_entropy, batch(), torch.optim.SGD(one.parameters(), lr=0.1))


def curved():
    one = model()
    found = undertow.curvature(one, cross_entropy, batch())
    edge = found.edge(torch.optim.SGD(one.parameters(), lr=0.1))
    return {"spectrum": found.density(), "eigen": found.eigen(5, "both"), "edge": edge, "trace": found.trace()}


def noises():
    one, (inputs, targets) = model(), batch()
    told = undertow.gradient_noise(cross_entropy(one(inputs), targets, reduction="none"), one)
    paid = tradeoff([16, 32, 64, 128, 256], [1010, 660, 430, 350, 290])
    return {"noise": noise(), "batch-noise": told, "noise-scale": told.whole, "tradeoff": paid}


def sweeps():
    one, (inputs, targets) = model(), batch()
    loss = cross_entropy(one(inputs), targets)
    return {
        "strongest-path": undertow.strongest_path(loss, "0.weight", model=one),
        "precision": undertow.precision(loss, torch.float16, model=one),
        "sample-norms": undertow.per_sample_norms(cross_entropy(one(inputs), targets, reduction="none"), one),
        "flow": undertow.backward(loss, model=one),
    }


def none():
    """A network whose first layer gets no gradient."""
    one = nn.Sequential(nn.Linear(6, 4, bias=False), nn.Linear(4, 3, bias=False))
    for parameter in one.parameters():
        nn.init.zeros_(parameter)
    return one


def at_the_edge():
    """By the name of each: a result with nothing in it, or with numbers that are none."""
    one, (inputs, targets) = none(), batch()
    losses = cross_entropy(one(inputs), targets, reduction="none")
    unknown = Estimate(1.0, math.inf, 1)
    return {
        "no gradient": undertow.backward(losses.mean(), model=one, retain_graph=True),
        "an infinite gradient": undertow.backward(losses.mean() * math.inf, model=one, retain_graph=True),
        "no noise": undertow.gradient_noise(losses * 0, one),
        "norms that are no numbers": undertow.SampleNorms({"w": torch.full((5,), math.nan)}, Counter()),
        "precision of nothing": undertow.precision(losses.mean(), torch.float16, model=one),
        "a loss that is no number": undertow.preflight(one, lambda *pair: cross_entropy(*pair) * math.nan, batch()),
        "a rate of zero": Edge(3.0, 0.1, math.inf),
        "curved down": Edge(-3.0, 0.1, 2.0),
        "a trace of one probe": Trace(unknown, {"a": unknown, "b": Estimate(0.0, 0.0)}, 9, "by probes"),
        "no trade-off": Tradeoff(Estimate(-5.0, 3.0, 3), Estimate(100.0, 50.0, 3), 0.0),
    }


def results(folder):
    """By the name of each: a result."""
    run, other = runs.sigmoids(folder / "one"), runs.residual(folder / "two")
    ends = model(0).state_dict(), copy.deepcopy(model(1).state_dict())
    return {
        "line": slices(("sharpest",), 41),
        "plane": slices(("random", "gradient"), 25),
        "path": undertow.barrier(model(), cross_entropy, batch(), ends),
        "forecast": undertow.forecast(falling()),
        "outlook": undertow.Outlook(undertow.forecast(falling()), 800, 1.0, 0.5, 400.0),
        "standstill": standing(),
        **curved(),
        **noises(),
        **sweeps(),
        "preflight": ready(),
        "derivation": undertow.derive(model(), cross_entropy, batch()),
        "comparison": undertow.compare(run, other),
        "run": run,
        "review": runs.sick(run),
    }
