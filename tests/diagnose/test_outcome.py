import numpy as np
import pytest

from undertow.diagnose.outcome import SHORTEST, chance_loss, judge_outcome
from undertow.store import Losses, OptimizerState, Run, Target


def target(**facts):
    plain = {"operation": 0, "shape": (8,), "broadcast": False, "counts": (), "mean": 0.0, "variance": 0.0}
    return Target(**plain | {"normalised": 0.0, "whole": True} | facts)


class FakeRun:
    """Losses by site, as a run has them, and nothing else."""

    def __init__(self, *courses, optimizers=1):
        self.losses = {
            site: Losses(np.arange(len(values)), np.array(values, dtype=float), np.arange(len(values), dtype=float))
            for site, values in enumerate(courses)
            if len(values)
        }
        self.passes = []
        self.optimizers = [OptimizerState("SGD", {"lr": 0.1})] * optimizers
        self.steps = max(map(len, courses), default=0)


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


def test_chance_is_the_variance_of_a_target_of_numbers():
    assert chance_loss([target(mean=3.0, variance=2.0)], "MseLossBackward0") == 2.0


def test_chance_of_a_binary_target_is_its_entropy():
    expected = -0.25 * np.log(0.25) - 0.75 * np.log(0.75)
    assert chance_loss([target(mean=0.25)], "BinaryCrossEntropyBackward0") == pytest.approx(expected)


def test_chance_is_not_known_where_the_loss_is_more_than_one_mean():
    assert np.isnan(chance_loss([target(counts=(4, 4), whole=False)], "NllLossBackward0"))


def test_runs_are_read_as_the_store_has_them():
    assert {"losses", "passes", "optimizers", "steps"} <= set(dir(Run))
