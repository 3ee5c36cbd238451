"""A rate that is raised past what a training bears is named where it was raised; raises that it bears are not."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import lr_scheduler

import undertow
from undertow.diagnose.case import Case
from undertow.diagnose.checks.rates import oversized

STEPS = 400


def review(folder, schedule, rate, kind=torch.optim.Adam):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    inputs = torch.randn(512, 10)
    labels = (inputs[:, :3] + 0.5 * inputs[:, 3:6]).argmax(1)
    optimizer = kind(net.parameters(), lr=rate)
    scheduler = schedule(optimizer)
    with undertow.observe(store=folder) as run:
        for _ in range(STEPS):
            chosen = torch.randint(len(inputs), (32,))
            optimizer.zero_grad()
            F.cross_entropy(net(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
            scheduler.step()
    return run.review()


TOO_HIGH = {
    "grows": (lambda o: lr_scheduler.ExponentialLR(o, 1.03), 2e-3, torch.optim.Adam),
    "steps up": (lambda o: lr_scheduler.MultiStepLR(o, [250], gamma=1000), 3e-3, torch.optim.RMSprop),
    "warms up without end": (lambda o: lr_scheduler.LambdaLR(o, lambda step: step), 3e-3, torch.optim.NAdam),
}
BORNE = {
    "falls": (lambda o: lr_scheduler.ExponentialLR(o, 1 / 1.03), 5e-3, torch.optim.Adam),
    "steps down": (lambda o: lr_scheduler.MultiStepLR(o, [250], gamma=0.001), 3e-3, torch.optim.RMSprop),
    "warms up": (lambda o: lr_scheduler.LambdaLR(o, lambda step: min(step / 50, 1)), 3e-3, torch.optim.NAdam),
    "restarts": (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 100), 1e-2, torch.optim.Adam),
    "cycles": (lambda o: lr_scheduler.CyclicLR(o, 1e-3, 0.1, 50), 1e-3, torch.optim.SGD),
    "one cycle": (lambda o: lr_scheduler.OneCycleLR(o, 0.03, total_steps=STEPS), 1e-3, torch.optim.Adam),
}


@pytest.mark.parametrize("schedule", TOO_HIGH)
def test_a_rate_that_is_raised_too_high_is_named_with_the_step(schedule, tmp_path):
    found = review(tmp_path / "run", *TOO_HIGH[schedule])
    assert found.cause is not None
    assert found.cause.code == "UT301", found.summary
    assert found.cause.evidence["last_rate"] > found.cause.evidence["rate"]
    assert 0 < found.cause.evidence["step"] < STEPS


@pytest.mark.parametrize("schedule", BORNE)
def test_a_schedule_that_the_training_bears_is_not(schedule, tmp_path):
    found = review(tmp_path / "run", *BORNE[schedule])
    assert found.verdict == "healthy", found.summary
    assert not any("raised to" in remark.message for remark in found.remarks)


def test_large_first_steps_that_do_no_harm_are_not_told_of(tmp_path):
    found = review(tmp_path / "run", lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS), 0.02)
    assert oversized(Case(undertow.Run(tmp_path / "run"))) is not None
    assert not found.remarks


def test_a_closure_that_is_called_several_times_a_step_accumulates_nothing(tmp_path):
    torch.manual_seed(0)
    inputs, net = torch.randn(64, 4), nn.Linear(4, 1)
    optimizer = torch.optim.LBFGS(net.parameters(), lr=10.0, max_iter=4)

    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(net(inputs), inputs.sum(1, keepdim=True))
        loss.backward()
        return loss

    with undertow.observe(store=tmp_path / "run") as run:
        for _ in range(20):
            optimizer.step(closure)
    found = run.review()
    assert "UT604" not in {finding.code for finding in (*found.findings, *found.remarks)}
