from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.stats import t

from undertow.diagnose.chance import chance_error, chance_loss
from undertow.diagnose.heading import heading
from undertow.diagnose.outcome import SHORTEST, judge_outcome
from undertow.store import Losses, OptimizerState, Run, Target


def target(**facts):
    plain = {"operation": 0, "shape": (8,), "broadcast": False, "counts": (), "mean": 0.0, "variance": 0.0}
    return Target(**plain | {"normalised": 0.0, "times": 1.0} | facts)


class FakeRun:
    """Losses by site, as a run has them, and nothing else."""

    def __init__(self, *courses, optimizers=1, leaders=1):
        self.losses = {
            site: Losses(np.arange(len(values)), np.array(values, dtype=float), np.arange(len(values), dtype=float))
            for site, values in enumerate(courses)
            if len(values)
        }
        self.passes = []
        self.optimizers = [OptimizerState("SGD", {"lr": 0.1})] * optimizers
        self.steps = max(map(len, courses), default=0)
        self.meta = {"leaders": leaders}


def noisy(values, noise=0.01, seed=0):
    return np.asarray(values) + np.random.default_rng(seed).normal(0, noise, len(values))


@pytest.mark.parametrize(
    ("course", "kind"),
    [
        (noisy(np.linspace(2.3, 0.1, 100)), "learned"),
        (noisy(np.full(100, 2.3)), "stalled"),
        (noisy(np.geomspace(1, 100, 100)), "diverged"),
        ([*np.linspace(2, 1, 20), *[np.nan] * 80], "non-finite"),
        (np.linspace(2, 1, SHORTEST - 1), "unknown"),
        (noisy([-0.01] * 100), "unknown"),
        ([], "unknown"),
    ],
)
def test_the_course_of_a_loss_says_how_it_went(course, kind):
    assert judge_outcome(FakeRun(course)).kind == kind


def towards_chance(course, classes=4):
    """A run whose targets say that the loss of chance is the entropy of so many classes."""
    run = FakeRun(course)
    operations = [SimpleNamespace(name="NllLossBackward0")]
    flow = SimpleNamespace(topology=SimpleNamespace(operations=operations))
    run.passes = [SimpleNamespace(site=0, target=target(counts=(8,) * classes), flow=flow)] * 4
    return run


CHANCE = np.log(4)


@pytest.mark.parametrize("steps", [30, 100, 1000])
def test_a_loss_that_comes_down_to_chance_and_still_falls_does_not_stand_there(steps):
    falls = noisy(np.linspace(1.5 * CHANCE, CHANCE, steps), noise=0.03)
    assert judge_outcome(towards_chance(falls)).kind == "falling"
    assert judge_outcome(towards_chance([*falls, *noisy(np.full(steps, CHANCE), noise=0.03, seed=1)])).kind == "stalled"


@given(st.floats(1.1, 5), st.floats(0.01, 0.08), st.integers(50, 2000))
def test_a_loss_that_relaxes_to_chance_stands_there(above, time, steps):
    course = CHANCE * (1 + (above - 1) * np.exp(-np.arange(steps) / (time * steps)))
    assert judge_outcome(towards_chance(course)).kind == "stalled"


@pytest.mark.parametrize("steps", [30, 100, 1000])
def test_noise_about_chance_is_seldom_taken_for_a_fall(steps):
    kinds = [judge_outcome(towards_chance(noisy(np.full(steps, CHANCE), 0.03, seed))).kind for seed in range(100)]
    assert kinds.count("stalled") >= 95


@pytest.mark.parametrize(("steps", "memory"), [(30, 0.0), (300, 0.0), (300, 0.5), (1000, 0.8)])
def test_the_error_of_where_a_loss_is_heading_covers_it(steps, memory):
    random, covered = np.random.default_rng(0), 0
    for _ in range(400):
        noise = lfilter([1], [1, -memory], random.normal(size=steps + 50))[50:]
        there, error = heading(np.linspace(1, 0, steps) + 0.1 * noise)
        covered += abs(there + 1) < t.ppf(0.975, 4) * error
    assert covered >= 400 * 0.9


def test_a_loss_that_may_be_below_chance_as_badly_as_chance_is_known_does_not_stand_there():
    course = noisy(np.full(100, 0.6), noise=0.001)
    course[:10] += 0.3
    run = towards_chance(course)
    seen = [target(counts=counts) for counts in ((3, 0), (2, 1), (3, 0), (3, 0), (1, 2), (3, 0))]
    run.passes = [SimpleNamespace(**vars(run.passes[0]) | {"target": told}) for told in seen]
    told = judge_outcome(run)
    assert told.chance < told.last < told.chance + told.chance_error
    assert told.kind == "falling"


def test_too_few_losses_head_nowhere():
    assert np.isnan(heading(np.ones(5))).all()


def test_two_losses_of_two_optimizers_need_not_fall():
    flat = noisy(np.full(100, 0.7))
    assert judge_outcome(FakeRun(flat, flat, optimizers=2)).kind == "unknown"


def test_what_is_trained_in_the_end_is_judged():
    run = FakeRun(noisy(np.linspace(2.3, 0.1, 100)), noisy(np.full(60, 2.3)))
    run.losses[1] = Losses(np.arange(100, 160), run.losses[1].values, run.losses[1].seconds)
    assert judge_outcome(run).kind == "stalled"


def test_chance_is_the_entropy_of_the_classes():
    assert chance_loss([target(counts=(4, 4))], "NllLossBackward0") == pytest.approx(np.log(2))
    assert chance_loss([target(counts=(1, 0)), target(counts=(0, 1))], "NllLossBackward0") == pytest.approx(np.log(2))


def test_the_error_of_chance_is_none_where_every_batch_is_the_same():
    assert chance_error([target(counts=(4, 4))] * 5, "NllLossBackward0") == 0
    assert np.isnan(chance_error([target(counts=(4, 4))], "NllLossBackward0"))


@pytest.mark.parametrize(("loss", "kind"), [("NllLossBackward0", "classes"), ("MseLossBackward0", "numbers")])
def test_chance_is_within_two_standard_errors_about_as_often_as_it_should(loss, kind):
    random = np.random.default_rng(0)
    errors = [off_by_standard_errors(random, loss, kind) for _ in range(300)]
    assert 0.88 < np.mean(np.abs(errors) < 2) < 0.99


def off_by_standard_errors(random, loss, kind, batches=40, rows=32):
    if kind == "classes":
        shares = np.array([0.6, 0.3, 0.1])
        seen = [target(counts=tuple(random.multinomial(rows, shares))) for _ in range(batches)]
        truth = -(shares * np.log(shares)).sum()
    else:
        drawn = random.normal(0, 2, (batches, rows))
        seen = [of_numbers(values) for values in drawn]
        truth = 4.0
    return (chance_loss(seen, loss) - truth) / chance_error(seen, loss)


def of_numbers(values):
    spread = values.var(ddof=1) if len(values) > 1 else 0.0
    ends = {"low": values.min(), "high": values.max()}
    return target(shape=values.shape, mean=values.mean(), variance=spread, alone=values.var(), **ends)


@pytest.mark.parametrize("rows", [1, 2, 8, 60])
def test_chance_is_what_the_best_constant_answer_loses_over_an_epoch_whatever_the_batches(rows):
    numbers = np.random.default_rng(0).normal(3, 2, 120)
    for order in numbers, np.sort(numbers):
        epoch = [of_numbers(part) for part in np.split(order, 120 // rows)]
        assert chance_loss(epoch * 20, "MseLossBackward0") == pytest.approx(numbers.var(), rel=0.03)


def test_chance_of_all_examples_at_each_step_is_their_variance_about_their_own_mean():
    four = np.array([0.0, 1.0, 1.0, 0.0])
    for loss in "MseLossBackward0", "PowBackward0":
        assert chance_loss([of_numbers(four), of_numbers(four[[1, 0, 2, 3]])], loss) == pytest.approx(0.25)
    wide = [of_numbers(four) for _ in range(3)]
    assert chance_loss([replace(t, shape=(4, 3)) for t in wide], "MseLossBackward0") == pytest.approx(0.25)


def test_chance_of_one_example_a_step_is_by_how_much_they_differ():
    seen = [of_numbers(np.array([value])) for value in (0.0, 1.0, 1.0, 0.0)]
    assert chance_loss(seen, "AbsBackward0") == pytest.approx(0.5)
    assert chance_loss(seen * 9, "MseLossBackward0") == pytest.approx(0.25, rel=0.03)


def test_chance_of_numbers_is_without_bias():
    random = np.random.default_rng(1)
    for rows, width in (4, 1), (32, 1), (8, 5):
        told = [
            chance_loss([wide(random.normal(0, 2, (rows, width))) for _ in range(12)], "MseLossBackward0")
            for _ in range(400)
        ]
        assert np.mean(told) == pytest.approx(4.0, abs=4 * np.std(told) / 20)


def wide(values):
    lost, mean = values.var(0).mean(), values.mean()
    return target(shape=values.shape, mean=mean, variance=values.var(0, ddof=1).mean(), alone=lost)


def test_chance_of_a_binary_target_is_its_entropy():
    expected = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    assert chance_loss([target(mean=0.25)], "BinaryCrossEntropyBackward0") == pytest.approx(expected)


def test_chance_is_not_known_where_the_loss_is_more_than_one_mean():
    assert np.isnan(chance_loss([target(counts=(4, 4), times=np.nan)], "NllLossBackward0"))


def test_runs_are_read_as_the_store_has_them():
    assert {"losses", "passes", "optimizers", "steps"} <= set(dir(Run))


@pytest.mark.parametrize(("leaders", "kind"), [(1, "stalled"), (5, "stalled"), (20, "unknown")])
def test_networks_made_anew_every_few_steps_have_no_course_and_folds_have(leaders, kind):
    assert judge_outcome(FakeRun(noisy(np.full(100, 2.3)), leaders=leaders)).kind == kind
