"""The outlook of a stored run, in steps, hours and money."""

import math

import numpy as np
import pytest

from undertow.errors import ForecastError
from undertow.forecast import outlook
from undertow.store import Run
from undertow.store.writer import Writer

SECONDS = 0.5
ACCUMULATED = 4


def stored(folder, losses):
    """A run whose losses come every half second, four to an optimizer step."""
    writer = Writer(folder)
    writer.sites(["train.py:1"])
    writer.losses([(i // ACCUMULATED, 0, float(loss), SECONDS * (i + 1)) for i, loss in enumerate(losses)])
    writer.meta(state="finished", steps=len(losses) // ACCUMULATED)
    writer.close()
    return Run(folder)


@pytest.fixture
def run(tmp_path):
    return stored(tmp_path / "run", 0.2 + 3 * np.arange(1.0, 401) ** -0.5)


def test_steps_losses_and_hours_are_told_apart(run):
    seen = outlook(run)
    assert seen.steps == 100
    assert seen.losses_per_step == pytest.approx(ACCUMULATED)
    assert seen.at(150) == seen.forecast.at(600)
    assert seen.hours(800) == pytest.approx(800 * SECONDS / 3600)


def test_a_target_costs_its_hours_times_their_price(run):
    reach = outlook(run).reach(0.3, price=36.0)
    assert 100 < reach.steps.low < reach.steps.middle
    assert reach.hours.middle == pytest.approx(reach.steps.middle * ACCUMULATED * SECONDS / 3600)
    assert reach.cost.middle == pytest.approx(36 * reach.hours.middle)


def test_the_power_law_reaches_its_target_about_when_it_does(run):
    reach = outlook(run).reach(0.3)  # 0.2 + 3 / √t = 0.3 at the 900th loss, the 225th step
    assert reach.steps.low < 225 < reach.steps.high
    assert reach.steps.middle == pytest.approx(225, rel=0.25)


def test_a_deadline_is_the_probability_of_the_losses_that_fit_before_it(run):
    seen = outlook(run)
    hours = 800 * SECONDS / 3600
    assert seen.probability(0.3, hours) == pytest.approx(seen.forecast.probability(0.3, 800))
    assert seen.probability(0.3, hours) < seen.probability(0.3, 2 * hours)


def test_a_deadline_that_is_past_is_refused(run):
    with pytest.raises(ForecastError, match="ask for a later time"):
        outlook(run).probability(0.3, 0.01)


def test_a_run_without_losses_is_refused(tmp_path):
    with pytest.raises(ForecastError, match="holds no losses"):
        outlook(stored(tmp_path / "empty", []))


def test_a_deadline_far_away_is_as_likely_as_all_that_can_be_told(run):
    seen = outlook(run)
    assert seen.probability(0.3, 1e6) == pytest.approx(seen.reach(0.3).probability)


def test_steps_too_far_away_are_refused_in_steps(run):
    with pytest.raises(ForecastError, match="step 5,000 cannot be forecast after 100 steps"):
        outlook(run).at(5000)


def test_a_run_that_broke_is_refused(tmp_path):
    with pytest.raises(ForecastError, match="no longer a number"):
        outlook(stored(tmp_path / "broken", [1.0] * 100 + [math.nan] * 300))
