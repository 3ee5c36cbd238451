"""The pictures of signal and noise."""

import sqlite3
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow
from undertow.show.report import report
from undertow.show.signal import signal_and_noise


def observed(folder, rate, every=1):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    inputs, labels = torch.randn(2000, 8), torch.randint(3, (2000,))
    inputs[torch.arange(2000), labels] += 2
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    with undertow.observe(store=folder, every=every) as run:
        for _ in range(120):
            chosen = torch.randint(2000, (64,))
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
    return run.stored()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return observed(tmp_path_factory.mktemp("made") / "run", 0.1)


def test_signal_is_shown_over_the_run_and_by_module(run):
    whole, modules = signal_and_noise(run)
    low, high, middle = (trace["y"] for trace in whole.data)
    assert len(middle) == 12
    assert all(lo <= m <= hi for lo, m, hi in zip(low, middle, high, strict=True))
    assert middle[0] > middle[-1]  # what is learned first is what all batches agree on
    assert set(modules.data[0]["y"]) == {"0", "2"}
    assert "Batches had 64" in whole.note
    titles = [block.title for block in report(run, undertow.review(run))]
    assert {whole.title, modules.title} <= {*titles}


def of_few_looks(folder, every):
    """A run of observed steps alone: how many pairs of steps there are beside them is a matter of time."""
    observed(folder, 0.1, every=every)
    with sqlite3.connect(folder / "run.db") as stored:
        stored.execute("DELETE FROM pairs")
    return undertow.Run(folder)


def test_a_run_of_few_looks_shows_none(tmp_path):
    assert not [*signal_and_noise(of_few_looks(tmp_path / "run", 40))]


def test_one_number_for_a_whole_run_is_drawn_with_its_ends(tmp_path):
    (whole,) = signal_and_noise(of_few_looks(tmp_path / "run", 15))
    (dot,) = whole.data
    assert dot["y"] == ["the run"]
    assert dot["error_x"]["array"][0] > 0 < dot["error_x"]["arrayminus"][0]
    assert "at so few steps: 8" in whole.note


def test_losses_that_are_not_meant_to_fall_are_not_foretold(run):
    seen = undertow.review(run)
    adversarial = replace(seen, outcome=replace(seen.outcome, kind="unknown"))
    foretold = [{"The loss to come"} & {b.title for b in report(run, r)} for r in (seen, adversarial)]
    assert foretold == [{"The loss to come"}, set()]
