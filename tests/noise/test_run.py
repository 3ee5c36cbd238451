"""Gradient noise over a run: pooled over batches, and on a quadratic where signal and noise are known."""

import math

import pytest
import torch

from tests.noise.test_gradient_noise import told
from undertow.errors import NoiseError
from undertow.noise import NoiseOfRun, noise_of_gradients, pooled
from undertow.noise.gradient import NoiseOfBatch

WIDTH, OWN, PACE = 50, 32, 0.05
VARIANCE = 0.1 / WIDTH
"""Of each entry of an example's gradient: the noise scale is 0.1 over the signal."""


def batch_at(mean, count, generator):
    """The gradients of some examples, one a row."""
    noise = torch.randn(count, len(mean), dtype=torch.float64, generator=generator)
    return mean + math.sqrt(VARIANCE) * noise


def measured(gradients):
    """As `gradient_noise` would tell of them, in two parameters."""
    parts = gradients / len(gradients)
    halves = {"first.weight": parts[:, : WIDTH // 2], "second.weight": parts[:, WIDTH // 2 :]}
    return NoiseOfBatch(
        {name: half.square().sum(1) for name, half in halves.items()},
        {name: half @ half.sum(0) for name, half in halves.items()},
        {},
    )


def step_size(signal, batch):
    """A part of the step that is best where curvature is 1 in all directions."""
    return PACE / (1 + WIDTH * VARIANCE / signal / batch)


def expected_steps(batch, target, limit=100_000):
    """How many steps gradient descent takes from a squared distance of 1 to `target`, in expectation."""
    signal = 1.0
    for step in range(limit):
        if signal <= target:
            return step
        size = step_size(signal, batch)
        signal = (1 - size) ** 2 * signal + size**2 * WIDTH * VARIANCE / batch
    raise AssertionError("not reached")


def run(seed, target):
    """Gradient descent on half the squared distance: the noise of each step's batch, and the true noise scales."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.full((WIDTH,), 1 / math.sqrt(WIDTH), dtype=torch.float64)
    batches, scales = [], []
    while (signal := float(place.square().sum())) > target:
        gradients = batch_at(place, OWN, generator)
        batches.append(measured(gradients))
        scales.append(WIDTH * VARIANCE / signal)
        place = place - step_size(signal, OWN) * gradients.mean(0)
    return NoiseOfRun(range(len(batches)), batches, len(batches)), torch.tensor(scales)


TARGET = 0.002


@pytest.fixture(scope="module")
def runs():
    return [run(seed, TARGET) for seed in range(60)]


@pytest.mark.parametrize("batch", [4, 16, 128, 1024])
def test_steps_with_another_batch_are_foretold(batch, runs):
    truth = expected_steps(batch, TARGET)
    for found, _ in runs[:5]:
        assert found.steps(batch).value == pytest.approx(truth, rel=0.15)
        assert found.examples(batch).value == pytest.approx(batch * found.steps(batch).value)


@pytest.mark.parametrize("batch", [4, 16, 128, 1024])
def test_what_the_noise_scales_make_of_the_steps_lies_in_the_interval_about_95_times_in_100(batch, runs):
    inside = 0
    for found, scales in runs:
        truth = float(((1 + scales / batch) / (1 + scales / OWN)).sum())
        low, high = found.steps(batch).interval()
        inside += low <= truth <= high
    assert inside / len(runs) >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / len(runs))


def test_a_run_without_any_signal_is_told_without_bias_and_with_its_error():
    generator = torch.Generator().manual_seed(3)
    nothing = torch.zeros(WIDTH, dtype=torch.float64)
    found = []
    for _ in range(100):
        batches = [measured(batch_at(nothing, OWN, generator)) for _ in range(24)]
        found.append(NoiseOfRun(range(24), batches, 24).steps(4 * OWN))
    inside = sum(low <= 6 <= high for low, high in (steps.interval() for steps in found))
    values = torch.tensor([steps.value for steps in found])
    assert inside >= 88
    assert float(values.mean()) == pytest.approx(6, abs=4 * float(values.std()) / 10)


def test_with_its_own_batch_a_run_takes_the_steps_it_took(runs):
    found, scales = runs[0]
    assert found.steps(OWN).value == pytest.approx(len(scales))
    assert found.steps(OWN).error == pytest.approx(0, abs=1e-9)


def test_the_noise_scale_is_followed_along_the_run(runs):
    inside = total = 0
    for found, scales in runs[:20]:
        windows = found.windows()
        assert [first for first, _ in windows] == list(range(0, len(scales) - 7, 8))
        for (first, noise), after in zip(windows, [*[at for at, _ in windows[1:]], len(scales)], strict=True):
            low, high = noise.interval
            signals = WIDTH * VARIANCE / scales[first:after]
            inside += low <= WIDTH * VARIANCE / float(signals.mean()) <= high
            total += 1
    assert inside / total >= 0.92


def test_modules_are_told_apart_and_make_up_the_whole(runs):
    found, _ = runs[0]
    by_module = found.by_module()
    assert set(by_module) == {"first", "second"}
    for (_, whole), (_, first), (_, second) in zip(found.windows(), *by_module.values(), strict=True):
        assert whole.signal.value == pytest.approx(first.signal.value + second.signal.value)
        assert whole.noise.value == pytest.approx(first.noise.value + second.noise.value)


def test_pooling_makes_the_error_smaller_and_keeps_the_truth_within_it():
    generator = torch.Generator().manual_seed(1)
    mean = torch.full((WIDTH,), 0.05, dtype=torch.float64)
    truth = WIDTH * VARIANCE / float(mean.square().sum())
    inside, narrower = 0, 0
    for _ in range(200):
        batches = [told(batch_at(mean, OWN, generator)) for _ in range(6)]
        low, high = pooled(batches).interval
        inside += low <= truth <= high
        narrower += high - low < min(b.interval[1] - b.interval[0] for b in batches)
    assert inside / 200 >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / 200)
    assert narrower > 100


def test_micro_batches_tell_what_examples_tell():
    generator = torch.Generator().manual_seed(2)
    mean = torch.full((WIDTH,), 0.05, dtype=torch.float64)
    gradients = batch_at(mean, 4096, generator)
    of_examples, of_batches = told(gradients), noise_of_gradients(gradients.view(256, 16, WIDTH).mean(1), 16)
    assert of_batches.examples == 4096
    for name in ("signal", "noise", "scale", "signal_to_noise"):
        left, right = getattr(of_examples, name), getattr(of_batches, name)
        assert abs(left.value - right.value) <= 4 * right.error


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_are_refused(count):
    gradients = torch.ones(count, 3)
    with pytest.raises(NoiseError, match="at least 3"):
        noise_of_gradients(gradients, 2)
    batches = [measured(torch.ones(4, WIDTH))] * count
    with pytest.raises(NoiseError, match="too few"):
        NoiseOfRun(range(count), batches, 10).windows()
    with pytest.raises(NoiseError, match="too few"):
        pooled([batch.whole for batch in batches])
