"""`undertow standstill`."""

import sys

import pytest
import torch
from torch import nn

from tests.show import runs
from undertow import cli

SCRIPT = """
import torch
from torch import nn


def stands():
    torch.manual_seed(0)
    model = nn.Linear(4, 3)
    inputs, labels = torch.randn(24, 4), torch.randint(3, (24,))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)
    return model, nn.functional.cross_entropy, [(inputs[:12], labels[:12]), (inputs[12:], labels[12:])], optimizer


def forgets():
    return stands()[:3]
"""


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["undertow", "standstill", *words])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    return int(leaving.value.code or 0)


@pytest.fixture
def script(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    return tmp_path / "train.py"


def test_why_it_stands_is_printed(script, monkeypatch, capsys):
    assert call(monkeypatch, f"{script}:stands", "--steps", "20") == 0
    assert capsys.readouterr().out.startswith("steps are too small")


def test_a_checkpoint_is_where_it_stands(script, monkeypatch, capsys):
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    file = script.with_name("last.pt")
    torch.save({"model": model.state_dict(), "optimizer_state_dict": optimizer.state_dict()}, file)
    assert call(monkeypatch, f"{script}:stands", "--checkpoint", str(file), "--steps", "20") == 0
    assert capsys.readouterr().out.startswith("it has not stopped")


def test_what_was_found_is_kept_with_a_run_and_shown_in_its_report(script, monkeypatch, capsys):
    run = runs.sigmoids(script.with_name("run"))
    assert call(monkeypatch, f"{script}:stands", "--steps", "20", "--run", str(run.folder)) == 0
    assert capsys.readouterr().out.startswith("steps are too small")
    assert {*run.results} == {"standstill", "density", "edge"}
    page = (run.folder / "report.html").read_text()
    assert "Steps are too small" in page
    assert "Spectral density" in page
    assert "The edge of stability: stable" in page


@pytest.mark.parametrize(
    ("asked", "told"), [("forgets", "gives no (model, loss_fn, batches, optimizer)"), ("nothing", "gives no")]
)
def test_a_function_that_gives_something_else_is_refused(script, monkeypatch, capsys, asked, told):
    assert call(monkeypatch, f"{script}:{asked}") == 1
    assert told in capsys.readouterr().err
