"""What a run survives is told as a remark, and is not told of runs that only look like it."""

import warnings

import pytest
import torch

import undertow
from tests.gallery.data import digits
from tests.gallery.judge import observed
from tests.gallery.own.remarked_layers import two_branches
from tests.gallery.own.remarked_steps import full_batches
from tests.gallery.table import load
from undertow.diagnose.table import DIAGNOSES

CASES = [case for case in load().values() if case.split == "build"]
REMARKED = [case for case in CASES if case.remark]
SOUND = [case for case in CASES if case.without]


@pytest.fixture(autouse=True)
def one_quiet_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    torch.set_num_threads(before)


def test_each_of_these_has_two_runs_that_show_it_and_two_that_do_not():
    for code in {case.remark for case in REMARKED}:
        assert code in DIAGNOSES
        assert sum(case.remark == code for case in REMARKED) >= 2, code
        assert sum(case.without == code for case in SOUND) >= 2, code


@pytest.mark.parametrize("case", REMARKED, ids=lambda case: f"{case.remark}-{case.name}")
def test_what_a_run_survives_is_a_remark(case, tmp_path):
    review = observed(case, tmp_path / "run", every=3)
    assert review.verdict == "healthy"
    assert case.remark in {remark.code for remark in review.remarks}


@pytest.mark.parametrize("case", SOUND, ids=lambda case: f"{case.without}-{case.name}")
def test_what_only_looks_like_it_is_not_remarked(case, tmp_path):
    review = observed(case, tmp_path / "run", every=3)
    assert review.verdict == "healthy"
    assert case.without not in {remark.code for remark in review.remarks}


def test_an_oscillation_that_is_not_most_of_the_gradient_is_not_seen(tmp_path):
    with undertow.observe(store=tmp_path / "run", every=3):
        full_batches(rate=1.2, steps=150)
    assert "UT706" not in {remark.code for remark in undertow.review(undertow.Run(tmp_path / "run")).remarks}


def test_a_layer_that_moves_thirty_times_less_is_not_told(tmp_path):
    with undertow.observe(store=tmp_path / "run", every=3):
        two_branches(factor=1 / 30, steps=100)
    assert "UT902" not in {remark.code for remark in undertow.review(undertow.Run(tmp_path / "run")).remarks}


@pytest.mark.parametrize("zeroed", [True, False])
def test_gradients_that_hold_the_batches_before_say_nothing_of_noise(zeroed, tmp_path):
    torch.manual_seed(0)
    inputs, labels = digits()
    net = torch.nn.Linear(64, 10)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with undertow.observe(store=tmp_path / "run", every=3):
        for _ in range(60):
            chosen = torch.randint(len(inputs), (4000,))
            if zeroed:
                optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(inputs[chosen]), labels[chosen]).backward()
            optimizer.step()
    review = undertow.review(undertow.Run(tmp_path / "run"))
    assert ("UT708" in {remark.code for remark in review.remarks}) == zeroed
