import warnings

import pytest
import torch

from tests.gallery.judge import observed
from tests.gallery.table import load

CASES = {name: case for name, case in load().items() if case.train.__module__.endswith("sick_spelled")}


@pytest.fixture(autouse=True)
def one_thread_and_other_peoples_warnings():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", [c for c in CASES.values() if c.code], ids=lambda c: f"{c.code}-{c.name}")
def test_what_is_spelled_out_is_read_as_what_it_is(case, tmp_path):
    assert observed(case, tmp_path / "run").cause.code == case.code


@pytest.mark.parametrize("case", [c for c in CASES.values() if not c.code], ids=lambda c: c.name)
def test_a_twin_that_does_it_right_is_not_accused(case, tmp_path):
    assert observed(case, tmp_path / "run", every=5).verdict != "sick"


def test_a_likelihood_that_the_optimizer_maximises_needs_no_minus(tmp_path):
    assert observed(load()["likelihood_maximised"], tmp_path / "run", every=5).verdict == "healthy"
