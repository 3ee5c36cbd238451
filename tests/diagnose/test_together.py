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


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.recurrence, self.out = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, curves):
        return self.out(self.recurrence(curves)[0][:, -1])


def curves(unit, offset):
    torch.manual_seed(1)
    starts = 6 * torch.rand(200, 1)
    rows = torch.sin(starts + 0.4 * torch.arange(24))[..., None]
    targets = unit * (offset + torch.sin(starts + 0.4 * 24))
    net = Forecast()

    def loss():
        chosen = torch.randint(200, (25,))
        return F.mse_loss(net(rows[chosen]), targets[chosen])

    return loss, net.parameters(), lambda p: torch.optim.Adam(p, lr=1e-2)


def test_targets_far_away_come_before_a_recurrence_that_forgets(tmp_path):
    found = run(tmp_path / "run", *curves(3000.0, 3.0))
    assert found.cause.code == "UT508", found.summary


def test_the_same_forecast_of_standard_targets_is_learned(tmp_path):
    found = run(tmp_path / "run", *curves(1.0, 0.0))
    assert found.verdict == "healthy", found.summary


def regression(unit):
    torch.manual_seed(2)
    rows = torch.randn(500, 8)
    targets = unit * (rows @ torch.randn(8, 1))
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))

    def loss():
        chosen = torch.randint(500, (64,))
        return F.mse_loss(net(rows[chosen]), targets[chosen])

    return loss, net.parameters()


@pytest.mark.parametrize(("unit", "sick"), [(3000.0, True), (1000.0, True), (100.0, False), (1.0, False)])
def test_targets_of_which_little_could_be_reached_are_named_though_the_loss_fell(unit, sick, tmp_path):
    found = run(tmp_path / "run", *regression(unit), lambda p: torch.optim.Adam(p, lr=8e-3), steps=400)
    assert found.outcome.kind == "learned"
    assert (found.cause.code if found.cause else "") == ("UT508" if sick else ""), found.summary


@pytest.mark.parametrize(("rate", "sick"), [(1.5e-5, True), (1e-2, False)])
def test_a_rate_whose_steps_add_up_to_next_to_nothing_is_named_though_the_loss_fell_a_little(rate, sick, tmp_path):
    found = run(tmp_path / "run", *regression(1.0), lambda p: torch.optim.SGD(p, lr=rate), steps=600)
    assert (found.cause.code if found.cause else "") == ("UT302" if sick else ""), found.summary


def test_a_network_that_has_little_left_to_learn_may_stay_nearly_what_it_is(tmp_path):
    loss, parameters = regression(1.0)
    parameters = [*parameters]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    found = run(tmp_path / "run", loss, parameters, lambda p: torch.optim.SGD(p, lr=1e-5), steps=600)
    assert found.verdict != "sick", found.summary


def clipped(folder, most):
    loss, parameters = regression(1.0)
    parameters = [*parameters]
    with torch.no_grad():
        parameters[-1].fill_(6.0)
    optimizer = torch.optim.SGD(parameters, lr=0.01)
    with undertow.observe(store=folder) as run:
        for _ in range(150):
            optimizer.zero_grad()
            loss().backward()
            nn.utils.clip_grad_norm_(parameters, most)
            optimizer.step()
    return run.review()


@pytest.mark.parametrize(("most", "sick"), [(1.0, True), (100.0, False)])
def test_a_clip_that_cuts_every_gradient_is_named_while_the_loss_has_not_passed_chance(most, sick, tmp_path):
    found = clipped(tmp_path / "run", most)
    assert (found.cause.code if found.cause else "") == ("UT310" if sick else ""), found.summary
