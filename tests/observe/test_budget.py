"""Law 2: observing keeps within the share of time that it was given."""

from __future__ import annotations

import itertools
import math

import pytest

from undertow.observe import Sampler
from undertow.observe.sampler import CREDIT, FLOOR, PLACES


def simulate(sampler: Sampler, steps: int, step: float, cost: float, between: float = 0) -> tuple[float, list[int]]:
    """Seconds that observing took in all, and the steps that were observed, on a clock that is made up."""
    elapsed = spent = 0.0
    seen = []
    for number in range(steps):
        spent += between
        elapsed += between
        if sampler.wants(number, elapsed, spent):
            sampler.observed(number, cost)
            spent += cost
            elapsed += cost
            seen.append(number)
        elapsed += step
    return spent, seen


@pytest.mark.parametrize("budget", [0.003, 0.01, 0.1])
@pytest.mark.parametrize("cost", [0.001, 0.01, 0.1])
def test_the_share_of_time_holds(budget: float, cost: float) -> None:
    spent, seen = simulate(Sampler(budget), 20_000, 0.01, cost)
    assert spent <= math.hypot(FLOOR, budget * 20_000 * 0.01) * 1.02 + CREDIT + 3 * cost
    assert len(seen) >= 3


@pytest.mark.parametrize("steps", [1_000, 10_000])
def test_what_runs_at_every_step_is_counted_and_the_credit_is_paid_back(steps: int) -> None:
    spent, _ = simulate(Sampler(), steps, 0.01, 0.003, between=0.00003)
    assert spent <= math.hypot(CREDIT, 0.01 * steps * 0.01) * 1.02 + 3 * 0.003
    assert spent <= 0.015 * steps * 0.01


def test_a_short_run_is_looked_at_whenever_it_has_doubled_though_samples_are_dear_beside_its_steps() -> None:
    spent, seen = simulate(Sampler(), 400, 0.0003, 0.02)
    assert all(later <= 2 * earlier + 1 for earlier, later in itertools.pairwise(seen[1:]))
    assert seen[-1] >= 200
    assert spent <= FLOOR + 3 * 0.02


def test_what_is_dear_is_not_looked_at_for_the_floor_either() -> None:
    assert simulate(Sampler(), 400, 0.0003, 1.0)[1] == [0, 1, 2]


def test_samples_go_on_where_what_runs_at_every_step_uses_up_the_budget() -> None:
    _, seen = simulate(Sampler(), 20_000, 0.001, 0.001, between=0.00003)
    assert seen[-1] > 19_000


def test_samples_go_on_to_the_end_of_a_long_run() -> None:
    _, seen = simulate(Sampler(), 20_000, 0.01, 0.01)
    assert seen[-1] > 19_000


def test_every_and_focus_do_not_ask_what_it_costs() -> None:
    assert simulate(Sampler(every=7), 30, 0.01, 1.0)[1] == [0, 7, 14, 21, 28]
    assert 17 in simulate(Sampler(focus=frozenset({17})), 30, 0.01, 1.0)[1]


def test_lines_that_begin_passes_late_are_observed_whatever_has_been_spent_and_only_a_few_of_them() -> None:
    sampler = Sampler(1e-9)
    simulate(sampler, 1_000, 1e-6, 1.0)
    seen = []
    for number in range(1_000, 1_100):
        if number % 10 == 0:
            sampler.elsewhere()
        if sampler.wants(number, 1.0, 1_000.0):
            sampler.observed(number, 1.0)
            seen.append(number % 10)
    assert seen == [0, 1] * PLACES


@pytest.mark.parametrize("budget", [0, -1, 1.5])
def test_a_budget_that_is_no_share_is_refused(budget: float) -> None:
    with pytest.raises(ValueError, match="not a share of time"):
        Sampler(budget)


def test_an_interval_of_no_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="every=0"):
        Sampler(every=0)
