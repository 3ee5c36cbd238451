"""`assert_learns`, and what pytest makes of it."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import torch
from torch import nn

from undertow.testing import NotLearningError, assert_learns

torch.manual_seed(0)
BATCH = torch.randn(32, 8), torch.randint(4, (32,))
LOSS = nn.CrossEntropyLoss()


def network(*more):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4), *more)


def test_a_network_that_learns_passes_and_is_left_as_it_was():
    model = network()
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert assert_learns(model, LOSS, BATCH).cause is None
    assert all(torch.equal(tensor, kept[name]) for name, tensor in model.state_dict().items())


def test_a_cause_fails_by_its_name():
    with pytest.raises(NotLearningError, match="UT401 loss-activation-twice") as failed:
        assert_learns(network(nn.Softmax(-1)), LOSS, BATCH)
    assert failed.value.review.cause.code == "UT401"
    assert len(failed.value.losses) == 30


def test_a_loss_that_does_not_fall_fails():
    model = network()
    with pytest.raises(NotLearningError, match=r"does not fall|UT3"):
        assert_learns(model, LOSS, BATCH, optimizer=torch.optim.SGD(model.parameters(), lr=0.0))


@pytest.mark.parametrize("seed", range(6))
def test_a_loss_that_comes_down_through_chance_is_no_plateau(seed):
    torch.manual_seed(seed)
    batch = torch.randn(32, 8), torch.randint(4, (32,))
    review = assert_learns(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)), LOSS, batch)
    assert review.cause is None
    assert review.outcome.kind in {"falling", "learned"}


def test_a_loss_that_falls_too_slowly_to_tell_passes_though_the_review_calls_it_a_plateau():
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 4))
    review = assert_learns(model, LOSS, BATCH, optimizer=torch.optim.SGD(model.parameters(), lr=0.01))
    assert review.cause is not None
    assert review.cause.code == "UT701"
    assert review.outcome.drop > 3


def test_too_few_steps_are_refused():
    with pytest.raises(ValueError, match="steps=2"):
        assert_learns(network(), LOSS, BATCH, steps=2)


SUITE = """
import torch
from torch import nn
from undertow.testing import assert_learns

BATCH = torch.randn(32, 8), torch.randint(4, (32,))

def test_sound():
    assert_learns(nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4)), nn.CrossEntropyLoss(), BATCH)

def test_sick():
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4), nn.Softmax(-1))
    assert_learns(model, nn.CrossEntropyLoss(), BATCH)
"""

SICK = "    assert_learns(model, nn.CrossEntropyLoss(), BATCH)"


def test_pytest_tells_the_evidence_and_writes_sarif_and_junit(tmp_path):
    (tmp_path / "test_model.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:undertow", "-p", "undertow_pytest"]
    command += ["-p", "no:cacheprovider", "--undertow-sarif", "out.sarif", "--junitxml", "out.xml"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "1 failed, 1 passed" in ended.stdout
    assert "UT401 loss-activation-twice" in ended.stdout
    assert "losses: " in ended.stdout
    (result,) = json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"]
    assert result["ruleId"] == "UT401"
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 1 + SUITE.splitlines().index(SICK)
    properties = ElementTree.parse(tmp_path / "out.xml").iter("property")
    assert [p.get("value") for p in properties if p.get("name") == "undertow"] == ["UT401 loss-activation-twice"]
