"""Signal and noise of a gradient: against the textbook, over known noise, and on nets."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import undertow
from tests.strategies import seeds, tensor
from undertow.errors import ExamplesMixError, NoiseError
from undertow.noise.gradient import noise_of


def told(gradients):
    """Of examples' own gradients, one a row."""
    parts = gradients / len(gradients)
    return noise_of(parts.square().sum(1), parts @ parts.sum(0))


def textbook(gradients):
    """tr S and |G|², without bias."""
    noise = float(torch.cov(gradients.T).reshape(gradients.shape[1], -1).trace())
    return noise, float(gradients.mean(0).square().sum()) - noise / len(gradients)


def jackknifed(gradients, statistic):
    count = len(gradients)
    without = torch.tensor([statistic(torch.cat([gradients[:i], gradients[i + 1 :]])) for i in range(count)])
    return math.sqrt(float((count - 1) / count * (without - without.mean()).square().sum()))


STATISTICS = {
    "signal": lambda g: textbook(g)[1],
    "noise": lambda g: textbook(g)[0],
    "scale": lambda g: textbook(g)[0] / textbook(g)[1],
    "signal_to_noise": lambda g: textbook(g)[1] / textbook(g)[0],
}


@given(st.integers(3, 9), st.integers(1, 5), seeds)
def test_they_are_those_of_the_textbook_and_their_errors_those_of_leaving_each_out(count, width, seed):
    gradients = tensor((count, width), seed) + 1
    found = told(gradients)
    for name, statistic in STATISTICS.items():
        estimate, unit = getattr(found, name), count if name == "signal_to_noise" else 1
        assert estimate.value == pytest.approx(unit * statistic(gradients), rel=1e-8, abs=1e-12)
        assert estimate.error == pytest.approx(unit * jackknifed(gradients, statistic), rel=1e-6, abs=1e-10)


def drawn(count, mean, spread, repetitions):
    """Batches of gradients with a known mean and known deviations of their entries."""
    generator = torch.Generator().manual_seed(count)
    for _ in range(repetitions):
        noise = torch.randn(count, len(mean), dtype=torch.float64, generator=generator)
        yield told(mean + spread * noise)


KNOWN = {
    "a few entries": (64, 10, 16),
    "many entries, of unlike noise": (128, 1000, 64),
    "noise as strong as the batch's signal": (128, 300, 128),
}


@pytest.mark.parametrize(("count", "width", "scale"), KNOWN.values(), ids=KNOWN)
def test_the_truth_lies_within_two_standard_errors_about_95_times_in_100(count, width, scale):
    mean = tensor((width,), 1)
    variance = 1 / torch.arange(1, width + 1, dtype=torch.float64)
    variance *= scale * mean.square().sum() / variance.sum()
    truth = {"signal": float(mean.square().sum()), "noise": float(variance.sum()), "scale": scale}
    truth["signal_to_noise"] = count / scale
    batches = [*drawn(count, mean, variance.sqrt(), 300)]
    for name, value in truth.items():
        estimates = [getattr(batch, name) for batch in batches]
        covered = sum(abs(e.value - value) <= 2 * e.error for e in estimates) / len(batches)
        assert 0.91 <= covered <= 1, name  # 0.95 less three standard errors of 300 draws
    inside = sum(low <= scale <= high for low, high in (batch.interval for batch in batches)) / len(batches)
    assert inside >= 0.91
    for name in ("signal", "noise"):  # without bias
        values = torch.tensor([getattr(batch, name).value for batch in batches])
        assert abs(float(values.mean()) - truth[name]) < 4 * float(values.std()) / math.sqrt(len(batches))


def test_without_any_signal_the_noise_scale_has_no_upper_end():
    batches = [*drawn(64, torch.zeros(50, dtype=torch.float64), torch.ones(50, dtype=torch.float64), 100)]
    assert sum(batch.interval[1] == math.inf for batch in batches) >= 90
    assert all(batch.interval[0] > 0 for batch in batches)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.first(x).relu())


def losses_of(model, count=12):
    torch.manual_seed(0)
    return F.cross_entropy(model(torch.randn(count, 6).double()), torch.arange(count) % 3, reduction="none")


def test_a_batchs_noise_is_that_of_its_examples_own_gradients():
    model = Net().double()
    losses = losses_of(model)
    gradients = [torch.autograd.grad(loss, list(model.parameters()), retain_graph=True) for loss in losses]
    rows = {
        name: torch.stack([g[i].flatten() for g in gradients]) for i, (name, _) in enumerate(model.named_parameters())
    }
    found = undertow.gradient_noise(losses, model)
    for prefix in ("", "first", "first.0", "head", "head.weight"):
        expected = told(torch.cat([g for name, g in rows.items() if name.startswith(prefix)], 1))
        for name in STATISTICS:
            ours, theirs = getattr(found.of(prefix), name), getattr(expected, name)
            assert (ours.value, ours.error) == pytest.approx((theirs.value, theirs.error), rel=1e-8)
    assert found.whole == found.of("")
    assert set(found.by_module()) == {"first.0", "first.2", "head"}


@pytest.mark.parametrize("reduce", [torch.mean, torch.sum])
def test_a_reduced_loss_has_the_same_noise_scale(reduce):
    model = Net().double()
    apart = undertow.gradient_noise(losses_of(model), model).whole
    reduced = undertow.gradient_noise(reduce(losses_of(model)), model, examples=12).whole
    for name in ("scale", "signal_to_noise"):
        assert getattr(reduced, name).value == pytest.approx(getattr(apart, name).value)
    assert reduced.interval == pytest.approx(apart.interval)


def test_the_signal_is_that_of_the_gradient_less_the_noise_in_it():
    model = Net().double()
    losses = losses_of(model)
    found = undertow.gradient_noise(losses, model).whole
    losses.mean().backward()
    size = sum(float(parameter.grad.square().sum()) for parameter in model.parameters())
    assert found.signal.value + found.noise.value / 12 == pytest.approx(size)


def test_an_estimate_prints_with_its_error():
    model = Net().double()
    assert " ± " in str(undertow.gradient_noise(losses_of(model), model).whole.scale)


def test_fewer_than_three_examples_are_refused():
    model = Net().double()
    with pytest.raises(NoiseError, match="needs at least 3"):
        undertow.gradient_noise(losses_of(model, 2), model)


def test_a_module_that_is_not_there_is_named():
    model = Net().double()
    with pytest.raises(KeyError, match="tail"):
        undertow.gradient_noise(losses_of(model), model).of("tail")


def test_batch_normalisation_in_training_mode_is_refused_here_too():
    model = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)).double()
    with pytest.raises(ExamplesMixError, match="NativeBatchNormBackward0 of 1"):
        undertow.gradient_noise(losses_of(model), model)
