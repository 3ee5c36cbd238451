"""How much of a gradient is signal, against gradients that are made up, and against the noise of one batch."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow
from undertow.diagnose.signal import _observed, _of, signal, signals
from undertow.store import Updates


def updates(gradients):
    """What a run remembers of gradients of shape (steps, parameters, entries)."""
    norms = np.linalg.norm(gradients, axis=2)
    cosines = (gradients[1:] * gradients[:-1]).sum(2) / (norms[1:] * norms[:-1])
    turns = np.vstack([np.full(norms.shape[1], np.nan), np.arccos(cosines)])
    empty = np.full(norms.shape[1], np.nan)
    columns = dict.fromkeys(("weight", "update", "lost", "carried", "silent", "rate", "decay", "angle"), empty)
    pairs = enumerate(zip(norms, turns, strict=True))
    return [Updates(step=step, gradient=norm, turn=turn, **columns) for step, (norm, turn) in pairs]


def made(random, steps, share, parameters=3, entries=40):
    """Gradients with so much of their squared norm in common."""
    common = random.normal(size=(parameters, entries))
    noise = random.normal(size=(steps, parameters, entries))
    return common * math.sqrt(share) + noise * math.sqrt(1 - share) * np.linalg.norm(common) / math.sqrt(
        parameters * entries
    )


@pytest.mark.parametrize("share", [0.0, 0.2, 0.7])
@pytest.mark.parametrize("steps", [16, 60])
def test_the_truth_lies_in_the_interval_about_95_times_in_100(share, steps):
    random = np.random.default_rng(0)
    found = [_of(_observed(updates(made(random, steps, share))), None) for _ in range(200)]
    within = sum(f.interval[0] <= share <= f.interval[1] for f in found)
    assert within >= 180  # of 200: fewer has a probability of about 1 in 1000
    mean = sum(f.share for f in found) / len(found)
    assert mean == pytest.approx(share, abs=0.03)


def test_a_part_of_the_parameters_has_a_signal_of_its_own():
    random = np.random.default_rng(0)
    both = np.concatenate([made(random, 40, 0.9, 1), made(random, 40, 0.1, 1)], axis=1)
    seen = updates(both)
    first, second = (_of(_observed(seen), [number]) for number in (0, 1))
    assert first.share == pytest.approx(0.9, abs=0.05)
    assert second.share == pytest.approx(0.1, abs=0.1)


def test_batches_that_hold_as_much_signal_as_noise_lie_within_what_is_told():
    random = np.random.default_rng(1)
    within = 0
    for _ in range(60):
        low, high = _of(_observed(updates(made(random, 40, 0.2))), None).times
        within += low <= 4 <= high
    assert within >= 52


def test_steps_that_go_to_and_fro_are_told_from_noise():
    random = np.random.default_rng(0)
    for gaps in ([1] * 30, random.integers(1, 9, 30)):
        steps = np.cumsum(gaps)
        swinging = made(random, 30, 0.9) * (-1.0) ** steps[:, None, None]
        seen = [replace(u, step=int(step)) for u, step in zip(updates(swinging), steps, strict=True)]
        found = _of(_observed(seen), None)
        assert found.turns(0.5)
        assert found.interval[1] < 0.6
        assert not _of(_observed(updates(made(random, 30, 0.0))), None).turns(0.0)


def test_too_few_gradients_tell_nothing():
    assert _of(_observed(updates(made(np.random.default_rng(0), 7, 0.5))), None) is None
    nothing = [replace(update, gradient=np.zeros(3)) for update in updates(made(np.random.default_rng(0), 20, 0.5))]
    assert _of(_observed(nothing), None) is None


@pytest.fixture(scope="module")
def stands(tmp_path_factory):
    """A training that does not move, so that all its gradients are at the same weights."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    inputs, labels = torch.randn(2000, 8), torch.randint(3, (2000,))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    with undertow.observe(store=tmp_path_factory.mktemp("run") / "run", every=1) as run:
        for _ in range(120):
            chosen = torch.randint(2000, (64,))
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
    told = undertow.gradient_noise(F.cross_entropy(model(inputs), labels, reduction="none"), model)
    return run.stored(), told


def test_it_is_what_the_examples_of_one_batch_tell(stands):
    run, told = stands
    for name in ("", "0.weight", "2.bias", "2"):
        noise = told.of(name)
        numbers = [n for n, p in enumerate(run.parameters) if p.name.startswith(name)]
        found = signal(run, 0, numbers)
        ratio = noise.signal_to_noise.value * 64 / noise.examples
        assert abs(found.share - ratio / (1 + ratio)) < 3 * found.error


def test_along_a_run_it_is_told_in_parts(stands):
    run, _ = stands
    parts = signals(run)
    assert len(parts) == 12
    assert [part.step for part in parts] == sorted(part.step for part in parts)
    assert sum(part.pairs for part in parts) == len(run.updates) // 2
