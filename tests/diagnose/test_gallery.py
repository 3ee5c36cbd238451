import warnings

import pytest
import torch

from tests.gallery.judge import observed
from tests.gallery.table import load
from undertow.diagnose.labels import LABELS
from undertow.diagnose.table import DIAGNOSES

CASES = load()
SICK = {code: [c for c in CASES.values() if c.code == code and c.split == "build"] for code in DIAGNOSES}
HARD = {"lstm_long_gap", "state_detached_every_step"}
HEALTHY = [c for c in CASES.values() if c.code is None and c.split == "build"][::4]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def other_peoples_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_every_diagnosis_has_sick_runs_or_ones_that_survive_it():
    assert {code for code, cases in SICK.items() if not cases} == {c.remark for c in CASES.values() if c.remark}


@pytest.mark.parametrize(
    "case", [c for cases in SICK.values() for c in cases if c.name not in HARD][::2], ids=lambda c: f"{c.code}-{c.name}"
)
def test_names_the_cause_of_a_sick_run(case, tmp_path):
    review = observed(case, tmp_path / "run", every=1)
    assert review.verdict == "sick"
    assert review.cause.code == case.code
    assert {key for key in review.cause.evidence if not key.startswith("by_")} <= set(LABELS)


@pytest.mark.parametrize("case", HEALTHY, ids=lambda c: c.name)
def test_does_not_accuse_a_healthy_run(case, tmp_path):
    assert observed(case, tmp_path / "run", every=1).verdict != "sick"


@pytest.mark.parametrize("name", sorted(HARD))
def test_does_not_see_what_limitations_say_it_does_not(name, tmp_path):
    review = observed(CASES[name], tmp_path / "run", every=1)
    assert review.cause is None or review.cause.code != CASES[name].code
