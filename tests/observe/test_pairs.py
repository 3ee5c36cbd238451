"""Gradients of successive steps: what is stored of them is what the training had, and what observing them costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import undertow
from undertow.observe import Sampler
from undertow.observe.sampler import NEAREST, PAIRS, PAIRS_CREDIT
from undertow.store import Pair

Gradients = dict[int, dict[str, Tensor | None]]


def trained(folder: Path, steps: int, skipped: int | None = None, **options: object) -> tuple[undertow.Run, Gradients]:
    """A run, and the gradients of each of its steps; the first layer has none at steps that `skipped` divides."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    gradients: Gradients = {}
    with undertow.observe(store=folder, **options):  # type: ignore[arg-type]
        for step in range(steps):
            frozen = skipped is not None and step % skipped == 0
            optimizer.zero_grad()
            hidden = net[0](torch.randn(8, 6))
            net[2](net[1](hidden.detach() if frozen else hidden)).square().mean().backward()
            gradients[step] = {name: None if p.grad is None else p.grad.clone() for name, p in net.named_parameters()}
            optimizer.step()
    return undertow.Run(folder), gradients


def test_norms_and_angles_are_those_of_the_gradients_the_optimizer_found(tmp_path: Path) -> None:
    run, gradients = trained(tmp_path / "run", 40)
    assert len(run.pairs) >= 5
    for pair in run.pairs:
        for n, parameter in enumerate(run.parameters):
            first, second = (gradients[step][parameter.name] for step in (pair.step, pair.step + 1))
            assert first is not None
            assert second is not None
            cosine = float((first * second).sum() / (first.norm() * second.norm()))
            assert pair.before[n] == pytest.approx(float(first.norm()), rel=1e-4)
            assert pair.after[n] == pytest.approx(float(second.norm()), rel=1e-4)
            assert math.cos(pair.turn[n]) == pytest.approx(cosine, abs=1e-4)


def test_where_one_of_the_two_steps_has_no_gradient_nothing_is_told(tmp_path: Path) -> None:
    run, gradients = trained(tmp_path / "run", 30, skipped=4)
    told = {(name, bool(np.isfinite(turn))) for pair in run.pairs for name, turn in named(run, pair)}
    assert told >= {("0.weight", False), ("0.weight", True), ("2.weight", True)}
    for pair in run.pairs:
        for name, turn in named(run, pair):
            both = all(gradients[step][name] is not None for step in (pair.step, pair.step + 1))
            assert np.isfinite(turn) == both


def named(run: undertow.Run, pair: Pair) -> Iterator[tuple[str, float]]:
    return zip([parameter.name for parameter in run.parameters], pair.turn, strict=True)


def test_of_two_optimizers_each_finds_its_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    optimizers = [torch.optim.SGD(layer.parameters(), lr=0.01) for layer in net]
    with undertow.observe(store=tmp_path / "run"):
        for _ in range(20):
            net.zero_grad()
            net(torch.randn(5, 4)).square().mean().backward()
            for optimizer in optimizers:
                optimizer.step()
    pairs = undertow.Run(tmp_path / "run").pairs[1:]  # the second is met when the first step is over
    assert pairs
    assert all(np.isfinite(pair.turn).all() for pair in pairs)


def test_a_loop_without_an_optimizer_has_none_and_goes_on(tmp_path: Path) -> None:
    net = nn.Linear(4, 1)
    with undertow.observe(store=tmp_path / "run"):
        for _ in range(20):
            net(torch.randn(5, 4)).square().mean().backward()
            with torch.no_grad():
                for parameter in net.parameters():
                    parameter -= 0.01 * parameter.grad
                    parameter.grad = None
    assert undertow.Run(tmp_path / "run").pairs == []


def test_a_run_at_the_default_budget_has_enough_of_them_in_its_second_half(tmp_path: Path) -> None:
    run, _ = trained(tmp_path / "run", 400)
    assert sum(pair.step >= 200 for pair in run.pairs) >= 4


def begun(sampler: Sampler, steps: int, step: float, cost: float) -> list[int]:
    """Where pairs begin, on a clock that is made up."""
    seen = []
    for number in range(steps):
        if (not seen or number > seen[-1] + 1) and sampler.wants_pair(number, number * step):
            sampler.paired(number, cost)
            seen.append(number)
    return seen


@pytest.mark.parametrize("cost", [0.0001, 0.001, 0.01])
def test_their_part_of_the_budget_holds(cost: float) -> None:
    seen = begun(Sampler(), 20_000, 0.01, cost)
    assert len(seen) * cost <= math.hypot(PAIRS_CREDIT, PAIRS * 0.01 * 20_000 * 0.01) + cost


@pytest.mark.parametrize("steps", [100, 1_000, 4_000])
def test_any_second_half_has_pairs_enough_where_the_budget_allows_no_more_than_its_credit(steps: int) -> None:
    seen = begun(Sampler(), steps, 1e-6, 0.0002)
    assert sum(step >= steps // 2 for step in seen) >= 4
    assert all(later - earlier >= NEAREST for earlier, later in pairwise(seen))


def test_two_batches_that_take_turns_are_met_in_either_order() -> None:
    turns = [step % 2 for step in begun(Sampler(), 10_000, 0.01, 0.0001)]
    assert 0.4 < sum(turns) / len(turns) < 0.6


def test_an_interruption_is_not_taken_for_what_they_cost() -> None:
    quiet, interrupted = Sampler(), Sampler()
    for sampler, worst in ((quiet, 0.0001), (interrupted, 1.0)):
        for step, cost in ((0, 0.0001), (3, worst), (6, 0.0001)):
            sampler.paired(step, cost)
    assert interrupted.wants_pair(9, 1.0) == quiet.wants_pair(9, 1.0) is True


def test_with_an_interval_of_steps_they_do_not_ask_what_it_costs_and_are_not_needed_where_each_is_seen() -> None:
    assert begun(Sampler(every=5), 16, 0.01, 9.0) == [0, 5, 10, 15]
    assert begun(Sampler(every=1), 16, 0.01, 9.0) == []
