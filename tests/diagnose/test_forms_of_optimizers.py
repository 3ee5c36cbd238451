"""Optimizers that are made and not asked, and rarely asked ones."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from .forms import Forms, adam, classes, net, numbers, one_thread, review, squared

__all__ = ["one_thread"]

form = Forms()


@form("UT306")
def a_forger_whose_judge_steps_twice(sick):
    real, forger, judge = numbers()[0], net(4, 6), net(6, 1)
    forging, judging = adam(forger), adam(judge)
    for rows in (rows for _ in range(6) for rows in torch.randperm(600).split(30)):
        forged = forger(torch.randn(30, 4))
        judging.zero_grad()
        (F.softplus(-judge(real[rows])).mean() + F.softplus(judge(forged.detach())).mean()).backward()
        judging.step()
        forging.zero_grad()
        F.softplus(-judge(forged)).mean().backward()
        (judging if sick else forging).step()


@pytest.mark.parametrize("name", form.trains)
def test_an_optimizer_that_is_never_asked_is_named_and_its_twin_is_not_accused(name, tmp_path):
    form.check(name, tmp_path, every=3)


def test_one_that_a_training_does_well_without_is_a_remark(tmp_path):
    def train(_):
        (x, y), trunk, head = numbers(), nn.Sequential(nn.Linear(6, 32), nn.Tanh()), nn.Linear(32, 1)
        idle, optimizer = adam(trunk), adam(head, 3e-2)
        for rows in (rows for _ in range(12) for rows in torch.randperm(600).split(30)):
            idle.zero_grad()
            optimizer.zero_grad()
            squared(head(trunk(x[rows])), y[rows]).backward()
            optimizer.step()

    found = review(tmp_path, train, sick=True)
    assert found.verdict == "healthy"
    assert {"UT306"} == {finding.code for finding in found.remarks} & {"UT304", "UT306"}


def test_an_optimizer_that_steps_where_nothing_is_observed_has_stepped(tmp_path):
    def train(_):
        (x, y), trunk, head = classes(), nn.Sequential(nn.Linear(12, 32), nn.Tanh()), nn.Linear(32, 6)
        slow, quick = adam(trunk, 3e-2), adam(head)
        for step, rows in enumerate(rows for _ in range(4) for rows in torch.randperm(600).split(30)):
            slow.zero_grad()
            quick.zero_grad()
            F.cross_entropy(head(trunk(x[rows])), y[rows]).backward()
            if step % 10 == 5:
                slow.step()
            quick.step()

    found = review(tmp_path, train, sick=False, every=10)
    assert not {"UT304", "UT306"} & {finding.code for finding in (*found.findings, *found.remarks)}


def test_an_optimizer_of_a_later_phase_has_not_been_forgotten(tmp_path):
    def train(_):
        (x, y), trunk, head = classes(), nn.Sequential(nn.Linear(12, 32), nn.Tanh()), nn.Linear(32, 6)
        first, later = adam(head), adam(trunk)
        for epoch in range(12):
            for rows in torch.randperm(600).split(30):
                first.zero_grad()
                later.zero_grad()
                F.cross_entropy(head(trunk(x[rows])), y[rows]).backward()
                first.step()
                if epoch >= 6:
                    later.step()

    found = review(tmp_path, train, sick=False)
    assert found.verdict == "healthy"
    assert not {"UT304", "UT306"} & {finding.code for finding in (*found.findings, *found.remarks)}


def test_what_steps_where_nothing_is_observed_is_not_cut_off_either(tmp_path):
    def train(_):
        real, maker, critic = numbers()[0], net(4, 6), net(6, 1)
        making, judging = adam(maker), adam(critic)
        for step, rows in enumerate(rows for _ in range(4) for rows in torch.randperm(600).split(30)):
            made = maker(torch.randn(30, 4))
            judging.zero_grad()
            (critic(made.detach()).mean() - critic(real[rows]).mean()).backward()
            judging.step()
            if step % 10 == 5:
                making.zero_grad()
                (-critic(maker(torch.randn(30, 4))).mean()).backward()
                making.step()

    found = review(tmp_path, train, sick=False, every=10)
    assert "UT103" not in {finding.code for finding in (*found.findings, *found.remarks)}
