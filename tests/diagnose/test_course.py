"""A loss that jumps and comes back, and one that stands: over made-up courses, and over real trainings."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import undertow
from tests.strategies import seeds
from undertow.diagnose.course import PARTS, idle, spikes, standing
from undertow.store.kept import keep


def course(count, seed, noise=0.1, pace=100.0, floor=0.5):
    """A loss that falls from 2.5 to a floor, with noise from batch to batch."""
    drawn = np.random.default_rng(seed).standard_normal(count)
    return floor + 2 * np.exp(-np.arange(count) / pace) + noise * drawn


@given(seeds, st.floats(0.0, 0.3))
def test_noise_from_batch_to_batch_is_no_spike(seed, noise):
    assert not spikes(course(600, seed, noise))


@given(seeds, st.integers(100, 500), st.integers(1, 40))
def test_a_jump_is_found_where_it_is_with_the_length_of_its_way_back(seed, start, length):
    losses = course(600, seed, 0.02)
    losses[start : start + length] += 3.0
    (spike,) = spikes(losses)
    assert (spike.start, spike.length) == (start, length)
    assert spike.peak == losses[start : start + length].max()


def test_the_tail_of_a_loss_that_few_examples_decide_about_is_no_spike():
    found = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        hard = random.random((600, 32)) < 0.002
        found += spikes((0.01 * random.exponential(size=(600, 32)) + hard * random.gamma(2, 1.5, (600, 32))).mean(1))
    assert len(found) < 10


def test_a_jump_that_does_not_come_back_is_no_spike():
    losses = course(600, 0, 0.02)
    losses[300:] += 3.0
    assert not spikes(losses)


@given(seeds)
def test_a_loss_that_stands_is_said_to_about_where_it_begins_to(seed):
    stands = standing(course(2000, seed, 0.05))
    assert stands is not None
    assert 200 <= stands.start <= 1200
    assert abs(stands.level - 0.5) < 0.05


@given(seeds, st.floats(0.0, 0.3), st.floats(0.3, 3.0))
def test_a_loss_that_still_falls_is_never_said_to_stand(seed, noise, pace):
    assert standing(course(1000, seed, noise, 1000 * pace, 0.0)) is None


@given(seeds)
def test_a_loss_too_noisy_to_tell_is_never_said_to_stand(seed):
    assert standing(course(400, seed, noise=8.0)) is None


@given(seeds, st.floats(0.0, 0.2), st.integers(200, 700))
def test_a_plateau_at_the_start_ends_within_what_is_told(seed, noise, length):
    after = course(1000 - length, seed, noise, pace=(1000 - length) / 5)
    losses = np.concatenate([2.5 + noise * np.random.default_rng(seed + 1).standard_normal(length), after])
    told = idle(losses)
    assert told is not None or noise > 0.05
    assert told is None or told[0] - 2 <= PARTS * length / 1000 <= told[1]


@given(seeds, st.floats(0.0, 0.2), st.floats(0.1, 3.0))
def test_a_loss_that_falls_from_its_start_has_no_plateau_there(seed, noise, pace):
    told = idle(course(1000, seed, noise, 1000 * pace))
    assert told is None or told[0] < 4


def data(count=512):
    inputs = torch.randn(count, 10)
    return inputs, (inputs[:, 0] + inputs[:, 1] * inputs[:, 2] > 0).long()


def remarks(folder, happens=lambda step, net, batch, optimizer: batch):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    inputs, labels = data()
    with undertow.observe(store=folder, budget=0.2) as run:
        for step in range(400):
            chosen = torch.randint(len(inputs), (32,))
            batch = happens(step, net, (inputs[chosen], labels[chosen]), optimizer)
            optimizer.zero_grad()
            F.cross_entropy(net(batch[0]), batch[1]).backward()
            optimizer.step()
    review = run.review()
    assert review.verdict == "healthy", review.summary
    return {remark.code: remark for remark in review.remarks}


def odd_batch(step, _, batch, optimizer):
    optimizer.param_groups[0]["lr"] = 1e-4 if step == 250 else 0.05
    return (batch[0] * 30, 1 - batch[1]) if step == 250 else batch


def thrown_off(step, net, batch, _):
    if step == 250:
        with torch.no_grad():
            net[0].weight.add_(torch.randn(net[0].weight.shape))
    return batch


def test_an_odd_batch_is_told_from_weights_that_were_thrown_off(tmp_path):
    odd = remarks(tmp_path / "odd", happens=odd_batch)["UT703"]
    thrown = remarks(tmp_path / "thrown", happens=thrown_off)["UT703"]
    assert odd.evidence["step"] == thrown.evidence["step"] == 250
    assert odd.evidence["length"] == 1
    assert thrown.evidence["length"] > 1
    assert "it was that batch" in odd.message
    assert "thrown the weights off" in thrown.message


def test_a_training_without_jumps_has_none(tmp_path):
    assert "UT703" not in remarks(tmp_path / "run")


def root(output, target):
    return F.mse_loss(output, target).sqrt()


STANDING = {
    "noise": {"rate": 0.02},
    "jumps": {"rate": 2.0, "whole": True, "loss": root, "noise": 0.5},
    "small": {"rate": 0.01, "decay": 0.98},
    "spent": {"rate": 0.05, "whole": True},
}


def regressed(folder, rate, decay=1.0, whole=False, loss=F.mse_loss, noise=3.0):
    """A linear model with noise in its targets, by default as much as there is signal."""
    torch.manual_seed(0)
    net = nn.Linear(10, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    inputs = torch.randn(512, 10)
    targets = 3 * inputs.sum(1, keepdim=True) + noise * torch.randn(512, 1)
    with undertow.observe(store=folder, every=5) as run:
        for _ in range(1500):
            chosen = torch.arange(512) if whole else torch.randint(512, (128,))
            optimizer.zero_grad()
            loss(net(inputs[chosen]), targets[chosen]).backward()
            optimizer.step()
            optimizer.param_groups[0]["lr"] *= decay
    return {remark.code: remark for remark in run.review().remarks}


@pytest.mark.parametrize("why", STANDING)
def test_why_it_stands_is_told_by_what_its_steps_promised(why, tmp_path):
    found = regressed(tmp_path / "run", **STANDING[why])["UT704"]
    assert found.evidence["why"] == why
    assert math.isfinite(found.evidence["at_most"])


def test_what_was_tried_out_from_there_is_told_instead(tmp_path):
    before = regressed(tmp_path / "run", **STANDING["noise"])["UT704"]
    assert "tried out" not in before.message
    blocks = [{"kind": "Text", "title": "saddle: it stands on a saddle", "note": "", "paragraphs": ["Add noise."]}]
    keep(tmp_path / "run", "standstill", blocks)
    after = {remark.code: remark for remark in undertow.review(undertow.Run(tmp_path / "run")).remarks}["UT704"]
    assert "tried out from there: it stands on a saddle" in after.message
    assert after.advice == "Add noise."
