"""Our rules on samples that PyTorch made for tests of its own."""

import pytest
import torch

from tests.engine.opinfo import ROUNDED, of_layers, of_operations
from undertow.engine.calculus import CALCULUS
from undertow.engine.calculus.node import output_shape
from undertow.engine.maps import Diagonal, Identity

pytestmark = pytest.mark.filterwarnings("ignore")

MOST = {torch.float64: 2, torch.complex128: 1}
"""Samples of an operation; `python -m benchmarks.proof` takes all."""


def differing(samples):
    return {sample.name: verdict for sample in samples if (verdict := sample.verdict()).kind == "differs"}


@pytest.mark.parametrize("dtype", MOST)
def test_nothing_differs_on_pytorchs_samples_of_its_operations(dtype):
    assert {*differing(of_operations(dtype, MOST[dtype]))} <= ROUNDED


def test_nothing_differs_on_pytorchs_samples_of_its_layers():
    assert not differing(of_layers(torch.float64, 3))


PLANTED = {
    "a slightly wrong value": ("exp", "ExpBackward0", lambda node: (Diagonal(node._saved_result * (1 + 1e-10)),)),
    "a wrong sign": ("neg", "NegBackward0", lambda node: (Identity(output_shape(node)),)),
    "a wrong shape": ("exp", "ExpBackward0", lambda node: (Diagonal(node._saved_result.reshape(-1)[:1]),)),
    "an input forgotten": ("mul", "MulBackward0", lambda node: (Diagonal(node._saved_other), None)),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_differs(fault, monkeypatch):
    operation, name, rule = PLANTED[fault]
    monkeypatch.setitem(CALCULUS, name, rule)
    found = differing(of_operations(torch.float64, 1, {operation}))
    assert found
    assert all(verdict.broken[name] for verdict in found.values())
