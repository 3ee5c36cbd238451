"""`undertow forecast`, and the fan of the report."""

import math
import sys

import pytest

from tests.forecast.test_outlook import stored
from undertow import cli
from undertow.forecast import Interval
from undertow.show.outlook import _arrival, fan
from undertow.show.words import number
from undertow.store import Run
from undertow.store.writer import Writer

LOSSES = [0.2 + 3 * n**-0.5 for n in range(1, 401)]


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["undertow", "forecast", *words])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    return int(leaving.value.code or 0)


@pytest.fixture
def run(tmp_path):
    return str(stored(tmp_path / "run", LOSSES).folder)


def test_the_loss_to_come_and_what_going_on_brings_are_told(run, monkeypatch, capsys):
    assert call(monkeypatch, run, "--until", "250") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "at step 250" in told
    assert "By step 250 the loss would be" in told


def test_a_target_is_told_in_steps_time_and_money_and_held_against_a_deadline(run, monkeypatch, capsys):
    assert call(monkeypatch, run, "--target", "0.3", "--price", "10", "--by", "0.2") == 0
    told = " ".join(capsys.readouterr().out.split())
    for words in ("a loss of 0.3", "at step", "after", "at a cost of", "by 12 min 0 s", "probability of"):
        assert words in told


@pytest.mark.parametrize("words", [("--price", "3"), ("--by", "1")])
def test_a_price_or_deadline_without_a_target_is_refused(words, run, monkeypatch, capsys):
    assert call(monkeypatch, run, *words) == 2
    assert "--target" in capsys.readouterr().err


def test_what_cannot_be_forecast_is_refused_with_what_can(run, monkeypatch, capsys):
    assert call(monkeypatch, run, "--until", "5000") == 1
    assert "from now to step 1,000" in capsys.readouterr().err


@pytest.mark.parametrize("before", [200, 5], ids=["from its middle", "from before there is enough to tell"])
def test_a_run_is_followed_until_it_ends(before, tmp_path, monkeypatch, capsys):
    writer = Writer(tmp_path / "run")
    writer.sites(["train.py:1"])
    writer.losses([(i, 0, loss, 0.1 * i) for i, loss in enumerate(LOSSES[:before])])
    writer.meta(state="running")

    def end(seconds):
        writer.losses([(i, 0, LOSSES[i], 0.1 * i) for i in range(before, 400)])
        writer.meta(state="finished")

    monkeypatch.setattr("undertow.cli.forecast.time.sleep", end)
    assert call(monkeypatch, str(tmp_path / "run"), "--follow") == 0
    writer.close()
    assert "at step 400" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ((10.0, 20.0, 30.0), "20 (10 to 30)"),
        ((10.0, 20.0, math.inf), "20 (10 at the earliest, perhaps never)"),
        ((10.0, math.inf, math.inf), "hardly before 10, and probably never"),
        ((math.inf, math.inf, math.inf), "probably never"),
    ],
)
def test_an_arrival_that_may_never_come_is_told_in_words(ends, told):
    assert _arrival(Interval(*ends), number) == told


def test_the_fan_of_the_report_goes_on_where_the_loss_stands(run):
    (figure,) = fan(Run(run))
    *_, behind, ahead = figure.data
    assert ahead["x"][0] == pytest.approx(behind["x"][-1], rel=0.05)
    assert ahead["y"][0] == pytest.approx(behind["y"][-1], rel=0.05)


def test_a_run_too_short_to_forecast_has_no_fan(tmp_path):
    assert not list(fan(stored(tmp_path / "short", [1.0] * 10)))
