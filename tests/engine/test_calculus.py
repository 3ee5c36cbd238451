"""Every rule against PyTorch's own derivative, and against the laws of linear maps."""

import pytest
import torch

from tests.engine.laws import broken_laws
from tests.samples import FILES, SAMPLES
from undertow.engine.calculus import CALCULUS, derivative
from undertow.engine.calculus.table import elementwise
from undertow.engine.maps import Diagonal, LeftMultiply, RightMultiply, Rounding, Scale
from undertow.errors import RegistryError

BOUNDED = {
    "MkldnnRnnLayerBackward0",
    "NativeBatchNormBackward0",
    "NativeBatchNormLegitBackward0",
    "NativeGroupNormBackward0",
    "NativeLayerNormBackward0",
    "RenormBackward0",
    "ScaledDotProductFlashAttentionForCpuBackward0",
    "WeightNormInterfaceBackward0",
}
"""Where the modulus is an upper bound: maps made of maps that overlap."""


def test_every_rule_has_samples_and_every_sample_a_rule():
    assert set(SAMPLES) == set(CALCULUS)


def test_no_node_type_has_samples_in_two_files():
    assert len(SAMPLES) == sum(len(file.SAMPLES) for file in FILES)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_each_node_type_has_at_least_three_samples_that_record_it(name):
    assert len(SAMPLES[name]) >= 3
    assert all(sample.nodes(name) for sample in SAMPLES[name])


@pytest.mark.parametrize("name", sorted(CALCULUS))
def test_the_rule_obeys_every_law_on_every_sample(name):
    for number, sample in enumerate(SAMPLES[name]):
        for node in sample.nodes(name):
            with torch.no_grad():
                broken = broken_laws(node, CALCULUS[name], bounded=name in BOUNDED)
            assert not broken, f"sample {number} breaks {broken}: {CALCULUS[name](node)}"


def _node(name):
    return SAMPLES[name][0].nodes(name)[0]


PLANTED = {
    "a wrong value": ("TanhBackward0", lambda node: (Diagonal(1 - node._saved_result),), "values"),
    "a slightly wrong value": ("ExpBackward0", lambda node: (Diagonal(node._saved_result * (1 + 1e-10)),), "values"),
    "a wrong sign": ("NegBackward0", lambda _: (Scale(1, (3, 4)),), "values"),
    "a wrong shape that broadcasts": (
        "MulBackward0",
        lambda node: (Diagonal(node._saved_other[:1]), Diagonal(node._saved_self)),
        "source",
    ),
    "a wrong declared target": ("NegBackward0", lambda _: (Scale(-1, (12,)),), "source"),
    "the transpose of the right matrix": (
        "BmmBackward0",
        lambda node: (
            RightMultiply(node._saved_mat2.mT, 3),
            LeftMultiply(node._saved_self, 4),
        ),
        "values",
    ),
    "an input forgotten": ("MmBackward0", lambda node: (RightMultiply(node._saved_mat2, 3), None), "values"),
    "a map too few": ("MmBackward0", lambda node: (RightMultiply(node._saved_mat2, 3),), "length"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_breaks_the_law_that_should_catch_it(fault):
    name, rule, law = PLANTED[fault]
    node = _square_product() if fault.startswith("the transpose") else _node(name)
    with torch.no_grad():
        assert law in broken_laws(node, rule)


def _square_product():
    a, b = (torch.randn(2, n, m, dtype=torch.float64, requires_grad=True) for n, m in ((3, 4), (4, 4)))
    return torch.bmm(a, b).grad_fn


def test_a_map_whose_two_directions_disagree_breaks_the_adjoint_law():
    node = _node("MmBackward0")

    class Lopsided(type(CALCULUS["MmBackward0"](node)[0])):
        def push(self, tangent):
            return 2 * super().push(tangent)

    with torch.no_grad():
        right, left = CALCULUS["MmBackward0"](node)
        assert broken_laws(node, lambda _: (Lopsided(right.b, right.rows), left)) >= {"adjoint"}


def test_a_modulus_that_keeps_a_sign_breaks_the_modulus_law():
    neg, sin = _node("NegBackward0"), _node("SinBackward0")

    class Signed(Diagonal):
        def modulus(self):
            return self

    with torch.no_grad():
        assert "modulus" in broken_laws(neg, lambda _: (Signed(-torch.ones(3, 4)),))
        assert "modulus" in broken_laws(sin, lambda n: (Signed(n._saved_self.cos()),))


def test_a_strongest_path_that_adds_up_what_it_should_compare_breaks_its_law():
    node = _node("MmBackward0")

    class Adding(type(CALCULUS["MmBackward0"](node)[0])):
        def strongest(self, cotangent):
            return cotangent @ self.b.abs().mT

    with torch.no_grad():
        right, left = CALCULUS["MmBackward0"](node)
        assert broken_laws(node, lambda _: (Adding(right.b, right.rows), left)) == {"strongest"}


def test_a_map_that_counts_too_few_roundings_breaks_its_law():
    a, b = (torch.randn(40, 40, dtype=torch.float64, requires_grad=True) for _ in range(2))

    class Exact(RightMultiply):
        def rounding(self):
            return Rounding(self.modulus(), 0, 0)

    node = (a @ b).grad_fn
    with torch.no_grad():
        right, left = CALCULUS["MmBackward0"](node)
        assert broken_laws(node, lambda _: (Exact(right.b, right.rows), left)) == {"rounding"}


def test_the_table_refuses_a_second_rule():
    with pytest.raises(RegistryError, match="MmBackward0 has a derivative rule already"):
        derivative("MmBackward0")(lambda _: ())


@pytest.mark.parametrize("name", ["aten.mul", "mm", 3])
def test_the_table_refuses_what_is_no_node_type(name):
    with pytest.raises(RegistryError, match="not the name of a node type"):
        elementwise(name, lambda _: None)
    assert name not in CALCULUS
