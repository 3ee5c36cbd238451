"""`undertow compare`, on the terminal and as a page."""

import sys

import pytest

from tests.compare.test_compare import trained
from undertow import cli


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["undertow", "compare", *words])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    return int(leaving.value.code or 0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    below = tmp_path_factory.mktemp("runs")
    trained(below / "good")
    trained(below / "slow", rate=0.0005)
    return str(below)


def test_what_differs_is_told(runs, monkeypatch, capsys):
    assert call(monkeypatch, "good", "slow", "--in", runs) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "slow, compared with good" in told
    assert "optimizer lr 0.05 → 0.0005" in told
    assert "size of updates of" in told


def test_several_runs_are_compared_with_the_first(runs, monkeypatch, capsys):
    assert call(monkeypatch, "good", "slow", "good", "--in", runs) == 0
    told = capsys.readouterr().out
    assert "slow, compared with good" in told
    assert "good, compared with good" in told
    assert "are the same to the last digit" in told


def test_a_page_holds_both_losses(runs, monkeypatch, tmp_path):
    page = tmp_path / "page.html"
    assert call(monkeypatch, "good", "slow", "--in", runs, "--html", str(page)) == 0
    text = page.read_text()
    assert "Both losses" in text
    assert "optimizer lr" in text


def test_a_page_of_three_runs_is_refused(runs, monkeypatch, capsys):
    assert call(monkeypatch, "good", "slow", "good", "--in", runs, "--html", "x.html") == 2
    assert "name two runs" in " ".join(capsys.readouterr().err.split())


def test_a_run_that_is_not_there_is_refused_and_those_that_are_named(runs, monkeypatch, capsys):
    assert call(monkeypatch, "good", "bad", "--in", runs) == 1
    assert "Runs there: good, slow" in capsys.readouterr().err
