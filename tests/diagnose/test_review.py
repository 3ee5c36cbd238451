import json

import pytest
import torch
from torch import nn

import undertow
from undertow.diagnose import Finding, Outcome
from undertow.diagnose.causes import CERTAIN, decides
from undertow.diagnose.doubts import against
from undertow.diagnose.review import _causes
from undertow.diagnose.table import DIAGNOSES, diagnosis, explain
from undertow.errors import RegistryError, UndertowError


def found(code, onset="start", harm=1.0):
    return Finding(code, DIAGNOSES[code].name, DIAGNOSES[code].family, "", evidence={"onset": onset}, harm=harm)


def codes(findings):
    return [finding.code for finding in findings]


def test_a_symptom_is_told_under_its_cause():
    causes, explained = _causes([found("UT202"), found("UT101"), found("UT701", "later")])
    assert codes(causes) == ["UT202"]
    assert codes(explained) == ["UT101", "UT701"]


def test_what_was_there_before_any_update_is_not_the_updates_doing():
    causes, _ = _causes([found("UT301"), found("UT201", "start")])
    assert set(codes(causes)) == {"UT301", "UT201"}


def test_units_that_die_later_are_the_updates_doing():
    causes, explained = _causes([found("UT301"), found("UT201", "later")])
    assert codes(causes) == ["UT301"]
    assert codes(explained) == ["UT201"]


def test_two_independent_faults_are_two_causes():
    causes, _ = _causes([found("UT304"), found("UT404")])
    assert set(codes(causes)) == {"UT304", "UT404"}


def test_nobody_is_explained_away_by_going_round_in_a_circle():
    alarms = [found(code, onset) for code in DIAGNOSES for onset in ("start", "later")]
    causes, explained = _causes(alarms)
    assert causes
    assert len(causes) + len(explained) == len(alarms)


def train(folder, steps=40, faulty=False):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    inputs = torch.randn(64, 4)
    labels = (inputs[:, 0] > 0).long()
    with undertow.observe(store=folder, every=1) as run:
        for _ in range(steps):
            scores = net(inputs)
            loss = nn.functional.cross_entropy(scores.softmax(1) if faulty else scores, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return run.review()


def test_a_healthy_run_is_called_healthy(tmp_path):
    review = train(tmp_path / "run")
    assert review.verdict == "healthy"
    assert review.cause is None
    assert not review.findings


def test_a_review_is_written_as_json_with_the_documented_keys(tmp_path):
    review = json.loads(json.dumps(train(tmp_path / "run", faulty=True).to_dict()))
    assert review["verdict"] == "sick"
    assert {"code", "name", "family", "module", "operation", "source", "evidence"} <= set(review["cause"])
    assert review["findings"][0] == review["cause"]
    assert review["cause"]["source"].startswith("tests/diagnose/test_review.py:")


def outcome(kind):
    return Outcome(kind, 2.0, 1.0, float("nan"), 0.0, 100)


def test_a_second_cause_and_a_loss_that_falls_speak_against_the_first():
    told = [*against((found("UT304"), found("UT404")), outcome("learned"))]
    assert told == [
        "The loss fell all the same, from 2 to 1.",
        "It does not bring about UT404 target-broadcast, which was found as well.",
    ]


def test_a_fault_seen_later_is_no_reason_for_a_loss_that_never_fell():
    assert [*against((found("UT201", "later"),), outcome("stalled"))]
    assert not [*against((found("UT201"),), outcome("stalled"))]


@pytest.mark.parametrize("code", sorted(set(DIAGNOSES) - CERTAIN))
def test_what_is_measured_could_be_something_else_and_an_observation_would_decide(code):
    assert decides(code, "stalled")
    assert all(told.what and told.decides.endswith(".") for told in decides(code, "stalled"))


def test_labels_that_tell_nothing_leave_open_what_else_it_is(tmp_path):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with undertow.observe(store=tmp_path / "run", every=1) as run:
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(torch.randn(64, 4)), torch.randint(2, (64,))).backward()
            optimizer.step()
    review = run.review()
    assert review.cause.code == "UT701"
    assert any("labels" in told.what for told in review.possible)


def test_a_few_steps_are_too_few(tmp_path):
    assert train(tmp_path / "run", steps=4).verdict == "undecided"


def test_without_a_backward_pass_backpropagation_is_not_the_problem(tmp_path):
    with undertow.observe(store=tmp_path / "run") as run:
        torch.ones(3).sum()
    review = run.review()
    assert review.verdict == "not-applicable"
    assert "No backward pass ran" in review.summary


def test_steps_without_a_backward_pass_are_a_fault(tmp_path):
    weight = nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    with undertow.observe(store=tmp_path / "run") as run:
        for _ in range(20):
            weight.sum()
            optimizer.step()
    review = run.review()
    assert review.cause.code == "UT305"
    assert "UT308" not in codes(review.remarks), "without a gradient, no step is lost to rounding"


def test_backward_passes_without_a_step_are_a_fault(tmp_path):
    net = nn.Linear(4, 2)
    torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    inputs, labels = torch.randn(16, 4), torch.randint(2, (16,))
    with undertow.observe(store=tmp_path / "run") as run:
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(inputs), labels).backward()
    assert run.review().cause.code == "UT306"


def test_a_diagnosis_is_explained_by_code_or_by_name():
    assert explain("ut201") == explain("dead-units")
    title, page = explain("UT201")
    assert title == "UT201 dead-units"
    assert "## When it is harmless" in page


def test_an_unknown_diagnosis_is_refused_with_those_there_are():
    with pytest.raises(UndertowError, match="UT101  vanishing-gradient"):
        explain("UT999")


@pytest.mark.parametrize(("code", "name"), [("UT101", "something-new"), ("UT199", "dead-units"), ("X1", "what-else")])
def test_the_table_refuses_what_is_taken_or_ill_formed(code, name):
    with pytest.raises(RegistryError):
        diagnosis(code, name, message="", advice="", source="")(lambda _: iter(()))


def test_two_steps_are_said_to_be_too_few_and_a_loss_that_need_not_fall_to_tell_nothing():
    two, many = (Outcome("unknown", 2.0, 1.0, float("nan"), 0.0, steps) for steps in (2, 500))
    assert [*against([found("UT101")], two)] == ["2 steps are too few to tell by the loss whether it learns."]
    assert "no failure to be explained" in next(against([found("UT101")], many))
