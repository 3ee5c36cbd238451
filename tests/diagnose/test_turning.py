"""When a held-out loss is said to have turned up."""

import numpy as np
import pytest

import undertow
from tests.gallery.judge import observed
from tests.gallery.table import load
from undertow.diagnose.turning import turned

CURVES = {
    "flat": lambda count: np.ones(count),
    "falling": lambda count: 1 + 2 * np.exp(-8 * np.arange(count) / count),
}


def wandering(rng, count, kept):
    """Noise of deviation 1 of which each number keeps so much of the one before."""
    noise = rng.normal(size=count)
    for place in range(1, count):
        noise[place] = kept * noise[place - 1] + np.sqrt(1 - kept**2) * noise[place]
    return noise


@pytest.mark.parametrize(
    ("curve", "kept", "share"),
    [("falling", 0.0, 0.01), ("falling", 0.5, 0.01), ("falling", 0.9, 0.02), ("flat", 0.0, 0.02), ("flat", 0.5, 0.05)],
)
@pytest.mark.parametrize("count", [10, 20, 50, 200])
def test_noise_alone_is_seldom_taken_for_a_turn(curve, kept, share, count):
    rng = np.random.default_rng(count)
    found = [turned(CURVES[curve](count) + 0.1 * wandering(rng, count, kept)) for _ in range(400)]
    assert sum(turn is not None for turn in found) <= share * len(found)


@pytest.mark.parametrize("count", [20, 50, 200])
def test_a_rise_of_a_third_of_what_was_gained_is_seen_through_noise_nine_times_in_ten(count):
    rng = np.random.default_rng(count)
    place = np.arange(count) / count
    curve = 1 + np.exp(-12 * place) + 0.6 * np.maximum(place - 0.4, 0)
    found = [turned(curve + 0.02 * rng.normal(size=count)) for _ in range(200)]
    assert sum(turn is not None for turn in found) >= 180
    assert np.median([turn.place / count for turn in found if turn is not None]) == pytest.approx(0.4, abs=0.15)


def test_a_curve_that_falls_to_its_end_or_has_few_points_has_not_turned():
    assert turned(np.linspace(2, 1, 30)) is None
    assert turned(np.array([2.0, 1, 0.5, 1, 2, 4])) is None


def test_a_loss_that_rises_a_little_is_told_as_a_remark_with_the_step_to_keep(tmp_path):
    review = observed(load()["held_out_a_little_too_sure"], tmp_path / "run", every=50)
    (told,) = [remark for remark in review.remarks if remark.code == "UT705"]
    seen = next(iter(undertow.Run(tmp_path / "run").evaluations.values()))
    assert review.verdict == "healthy"
    assert told.evidence["undone"] < 0.5
    assert abs(int(seen.steps[seen.values.argmin()]) - told.evidence["step"]) <= 200
    assert all(f"step {told.evidence['step']}" in words for words in (told.message, told.advice))
