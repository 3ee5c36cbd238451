"""Steps and examples to a target: against the law, and over runs whose law is known."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.errors import NoiseError
from undertow.noise import tradeoff

SIZES = (8, 32, 128, 512, 2048, 8192)
TRIALS = 400

positive = st.floats(0.1, 1e6)


@given(positive, positive)
def test_runs_that_keep_the_law_give_its_numbers(steps, examples):
    found = tradeoff(SIZES, [steps + examples / batch for batch in SIZES])
    assert found.least_steps.value == pytest.approx(steps, rel=1e-5)
    assert found.least_examples.value == pytest.approx(examples, rel=1e-5)
    assert found.critical == pytest.approx(examples / steps, rel=1e-5)
    for batch in (1, 100, 10_000):
        over = found.steps(batch).value / steps - 1, found.examples(batch).value / examples - 1
        assert math.prod(over) == pytest.approx(1, rel=1e-2)
    assert found.steps(found.critical).value == pytest.approx(2 * steps, rel=1e-4)


@given(st.floats(0.05, 0.45))
def test_doubling_the_batch_up_to_which_it_pays_saves_just_that(saving):
    found = tradeoff(SIZES, [50 + 6400 / batch for batch in SIZES])
    low, high = found.pays_until(saving)
    assert low == pytest.approx(high, rel=1e-3)
    assert 1 - found.steps(2 * low).value / found.steps(low).value == pytest.approx(saving, rel=1e-3)


def fits(steps, examples, scatter, sizes=SIZES):
    generator = np.random.default_rng(0)
    truth = steps + examples / np.array(sizes, float)
    for _ in range(TRIALS):
        yield tradeoff(sizes, truth * np.exp(scatter * generator.standard_normal(len(sizes))))


def covered(intervals, truth):
    return sum(low <= truth <= high for low, high in intervals) / TRIALS


@pytest.mark.parametrize("scatter", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("sizes", [SIZES, SIZES * 2, SIZES[:4]], ids=["six", "twelve", "four, mostly small"])
def test_the_truth_lies_in_the_intervals_about_95_times_in_100(scatter, sizes):
    found = [*fits(100.0, 20_000.0, scatter, sizes)]
    least = 0.95 - 3 * math.sqrt(0.95 * 0.05 / TRIALS)
    assert covered([f.interval() for f in found], 200) >= least
    for batch in (8, 256, 16_384):
        truth = 100 + 20_000 / batch
        assert covered([f.steps(batch).interval() for f in found], truth) >= least - 0.02 * (scatter > 0.2)
        assert covered([f.examples(batch).interval() for f in found], truth * batch) >= least - 0.02 * (scatter > 0.2)


def test_the_intervals_are_not_wider_than_they_must_be():
    found = [*fits(100.0, 20_000.0, 0.05)]
    assert covered([f.interval() for f in found], 200) <= 0.99
    widths = [high / low for low, high in (f.interval() for f in found)]
    assert 1.05 < np.median(widths) < 1.6


def test_where_larger_batches_always_pay_there_is_no_upper_end():
    found = [*fits(0.0, 20_000.0, 0.1)]
    assert sum(f.interval()[1] == math.inf for f in found) / TRIALS > 0.9
    assert all(f.interval()[0] > 0 for f in found)


@pytest.mark.parametrize(
    ("batches", "steps"), [((8, 16), (10, 5)), ((8, 8, 8), (10, 9, 11)), ((8, 16, 32), (10, 5, 0)), ((), ())]
)
def test_what_tells_no_tradeoff_is_refused(batches, steps):
    with pytest.raises(NoiseError, match="tell no trade-off"):
        tradeoff(batches, steps)


@pytest.mark.parametrize("saving", [0.0, 0.5, -1.0, 2.0])
def test_a_share_that_doubling_cannot_save_is_refused(saving):
    with pytest.raises(ValueError, match="cannot save"):
        tradeoff(SIZES, [1 + 8 / batch for batch in SIZES]).pays_until(saving)
