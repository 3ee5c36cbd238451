"""`undertow landscape`."""

import sys

import pytest
import torch
from torch import nn

from undertow import cli

SCRIPT = """
import torch
from torch import nn

if __name__ == "__main__":
    raise SystemExit("this would train")


def problem():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    return model, nn.functional.cross_entropy, (torch.randn(12, 4), torch.randint(3, (12,)))


nothing = 3
"""


def call(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["undertow", "landscape", *words])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    return int(leaving.value.code or 0)


@pytest.fixture
def files(tmp_path):
    (tmp_path / "train.py").write_text(SCRIPT)
    for number in range(4):
        torch.manual_seed(number)
        state = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).state_dict()
        torch.save(state if number % 2 else {"model": state, "step": number}, tmp_path / f"{number}.pt")
    return tmp_path


def checkpoints(files, *numbers):
    return [word for number in numbers for word in ("--checkpoint", str(files / f"{number}.pt"))]


@pytest.mark.parametrize(
    ("numbers", "options", "printed"),
    [
        ((), (), "Slice(5 × 5 along random, random"),
        ((1,), ("--along", "gradient"), "Slice(5 along gradient"),
        ((0, 1, 2, 3), (), "Slice(5 × 5 along given, given"),
        ((0, 1), ("--path",), "Barrier("),
    ],
)
def test_what_is_asked_for_is_printed_and_drawn(files, monkeypatch, capsys, numbers, options, printed):
    page = files / "page.html"
    words = (f"{files}/train.py:problem", *checkpoints(files, *numbers), *options, "--points", "5", "--out", str(page))
    assert call(monkeypatch, *words) == 0
    assert printed in capsys.readouterr().out
    assert ("trajectory, projected" in page.read_text()) == (len(numbers) > 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.py:problem"], "names no function"),
        (["{files}/train.py:nothing"], "gives no (model, loss_fn, batch)"),
        (["{files}/train.py:problem", "--path"], "a path has two ends"),
        (["{files}/train.py:problem", "--checkpoint", "{files}/none.pt"], "cannot be read as a checkpoint"),
    ],
)
def test_what_cannot_be_is_refused_in_words(files, monkeypatch, capsys, words, told):
    assert call(monkeypatch, *(word.format(files=files) for word in words)) == 1
    assert told in capsys.readouterr().err
