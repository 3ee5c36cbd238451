"""Forecasts against curves whose future is known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import t as student

from undertow.errors import ForecastError
from undertow.forecast import History, forecast
from undertow.forecast.forecast import _student

SHAPES = {
    "power law": lambda t, r: r.uniform(0.05, 1) + r.uniform(1, 4) * (t + r.uniform(1, 30)) ** -r.uniform(0.2, 1),
    "exponential": lambda t, r: r.uniform(0.05, 1) + r.uniform(1, 4) * np.exp(-t / r.uniform(50, 400)),
    "still": lambda t, r: np.full_like(t, r.uniform(0.1, 3)),
    "below zero": lambda t, r: -2 + r.uniform(1, 4) * np.exp(-t / r.uniform(100, 400)),
}


def curve(shape, seed, length=600, noise=0.05):
    """A loss without noise, and as it would be seen."""
    random = np.random.default_rng(seed)
    clean = SHAPES[shape](np.arange(1.0, length + 1), random)
    return clean, clean + noise * np.abs(clean) * random.standard_normal(length)


def test_ninety_percent_intervals_hold_what_comes_about_ninety_times_in_a_hundred():
    held = []
    for seed in range(12):
        for shape in SHAPES:
            clean, seen = curve(shape, seed)
            interval = forecast(seen[:250]).at(600)
            held.append(interval.low <= clean[-1] <= interval.high)
    assert binomtest(sum(held), len(held)).proportion_ci(0.99).high > 0.9


def test_the_interval_of_a_plain_power_law_is_of_use():
    t = np.arange(1.0, 1001)
    clean = 0.3 + 2 * t**-0.5
    interval = forecast(clean[:400] * (1 + 0.02 * np.random.default_rng(0).standard_normal(400))).at(1000)
    assert interval.low < clean[-1] < interval.high
    assert interval.high / interval.low < 1.7


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(sorted(SHAPES)), st.integers(0, 1000), st.floats(1e-6, 1e6))
def test_the_unit_of_the_loss_changes_nothing(shape, seed, unit):
    _, seen = curve(shape, seed, length=120)
    plain, scaled = forecast(seen).at(200), forecast(unit * seen).at(200)
    size = np.ptp(seen)
    assert math.isclose(scaled.middle / unit, plain.middle, rel_tol=0.02, abs_tol=0.02 * size)
    assert math.isclose(scaled.high / unit, plain.high, rel_tol=0.05, abs_tol=0.05 * size)


def test_more_confidence_and_more_distance_make_intervals_wider():
    made = forecast(curve("power law", 1)[1])
    width = {(c, s): (i := made.at(s, c)).high - i.low for c in (0.5, 0.9) for s in (700, 3000)}
    assert width[0.5, 700] < width[0.9, 700] < width[0.9, 3000]
    assert width[0.5, 700] < width[0.5, 3000]


def test_lower_targets_are_less_likely_and_later():
    made = forecast(curve("power law", 2)[1])
    now = made.history.level[-1]
    targets = [1.5 * now, 0.95 * now, 0.7 * now, 0.01 * now]
    chances = [made.probability(target, 1200) for target in targets]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] == pytest.approx(1)
    assert chances[-1] < 0.05
    arrivals = [made.arrival(target).steps.middle for target in targets]
    assert arrivals == sorted(arrivals)


def test_an_arrival_in_time_is_as_likely_as_the_target_is_reached():
    made = forecast(curve("exponential", 3)[1][:200])
    target = 0.9 * made.history.level[-1]
    by = made.arrival(target, 0.5).steps.low
    assert made.probability(target, by) == pytest.approx(0.25, abs=0.08)


def test_going_on_surely_gains_where_the_loss_falls_and_not_where_it_stands_still():
    still = forecast(curve("still", 4)[1]).gain(1200)
    assert still.fall.low < 0 < still.fall.high
    assert 0.2 < still.probability < 0.8
    falling = forecast(3 * np.arange(1.0, 601) ** -0.5).gain(1200)
    assert falling.fall.low > 0
    assert falling.probability > 0.95


def test_losses_that_are_not_finite_are_left_out():
    _, seen = curve("power law", 5)
    broken = seen.copy()
    broken[100] = math.nan
    broken[200] = math.inf
    assert forecast(broken).at(800).middle == pytest.approx(forecast(seen).at(800).middle, rel=0.05)


def test_a_single_wild_loss_moves_the_forecast_little():
    _, seen = curve("power law", 6)
    spiked = seen.copy()
    spiked[500] = 1000 * seen[500]
    assert forecast(spiked).at(800).middle == pytest.approx(forecast(seen).at(800).middle, rel=0.05)


@pytest.mark.parametrize("losses", [[], [1.0] * 19, [math.nan] * 100])
def test_too_few_losses_are_refused(losses):
    with pytest.raises(ForecastError, match="20 are needed"):
        forecast(losses)


@pytest.mark.parametrize("step", [0, 600, 7000])
def test_the_past_and_the_far_future_are_refused(step):
    with pytest.raises(ForecastError, match="cannot be forecast after 600 losses"):
        forecast(curve("still", 7)[1]).at(step)


def test_the_error_of_a_bin_is_that_of_its_mean():
    random = np.random.default_rng(8)
    off = []
    for _ in range(200):
        history = History.of(5 + random.standard_normal(400))
        off.append((history.level[-1] - 5) / history.error[-1])
    assert 0.8 < np.std(off) < 1.25


def test_quantiles_of_the_errors_are_those_of_student():
    probability = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(_student(probability), student.ppf(probability, 4), atol=1e-7)


def test_a_plateau_that_ends_is_not_foreseen():
    random = np.random.default_rng(9)
    plateau = 2.3 + 0.02 * random.standard_normal(300)
    assert forecast(plateau).at(600).low > 0.5  # what comes then
