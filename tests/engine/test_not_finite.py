"""What is not finite travels as far by our maps as it does in PyTorch, and no further."""

import math

import pytest
import torch

from tests.engine.laws import cotangents_of, entries, products
from tests.samples import SAMPLES
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.calculus import CALCULUS

FURTHER = {
    "CdistBackward0": "slopes of 0 between points that are the same",
    "CtcLossBackward0": "slopes of 0 beyond the end of a sequence",
    "CtcLossBackward1": "slopes of 0 beyond the end of a sequence",
    "CumprodBackward0": "slopes of 0 behind an entry that is 0",
    "IndexReduceBackward0": "slopes of 0 where another entry was chosen",
    "LogitBackward0": "slopes of 0 beyond the bounds of eps",
    "NormBackward0": "a slope of 0 for the number of entries that are not 0",
    "PdistBackward0": "slopes of 0 between points that are the same",
    "PowBackward0": "a slope of 0 for the power 0",
    "PowBackward1": "a slope of 0 at the base 0",
    "ProdBackward0": "a slope of 0 where two entries are 0",
    "RenormBackward0": "slopes of 0 of rows that are short enough",
    "ScatterReduceBackward0": "slopes of 0 where another entry was chosen",
    "SpecialXlog1PyBackward0": "a slope of 0 where a factor is 0",
    "SpecialXlog1PyBackward2": "a slope of 0 where a factor is 0",
    "StdBackward0": "a slope of 0 where all entries are the same",
    "XlogyBackward2": "a slope of 0 where a factor is 0",
}
"""Rules that multiply by a slope of 0 where PyTorch writes 0: what they bring is not a number."""

LESS = {
    "NanToNumBackward0": "held back where PyTorch multiplies by 0",
    "NativeDropoutBackward0": "held back where PyTorch multiplies by 0",
    "UpsampleBicubic2DBackward0": "no weight of 0 is multiplied by",
    "UpsampleBilinear2DBackward0": "no weight of 0 is multiplied by",
    "UpsampleLinear1DBackward0": "no weight of 0 is multiplied by",
    "UpsampleTrilinear3DBackward0": "no weight of 0 is multiplied by",
}
"""Rules by which it travels less far than in PyTorch."""


def reached(name):
    """Whether there are entries that only our maps, and that only PyTorch, make other than finite."""
    only_ours, only_theirs = False, False
    for sample in SAMPLES[name]:
        for node in sample.nodes(name):
            with torch.no_grad():
                maps = entries(CALCULUS[name](node))
                cotangents = [_with_an_infinite_entry(c) for c in cotangents_of(node, maps)]
                expected = vector_jacobian(node, cotangents)
                for _, ours, theirs in products(node, maps, cotangents, expected):
                    only_ours |= bool((theirs.isfinite() & ~ours.isfinite()).any())
                    only_theirs |= bool((ours.isfinite() & ~theirs.isfinite()).any())
    return only_ours, only_theirs


def _with_an_infinite_entry(cotangent):
    if cotangent is not None and cotangent.numel():
        cotangent.view(-1)[cotangent.numel() // 2] = math.inf
    return cotangent


@pytest.mark.parametrize("name", sorted(CALCULUS))
def test_what_is_not_finite_travels_as_far_as_in_pytorch(name):
    assert reached(name) == (name in FURTHER, name in LESS)
