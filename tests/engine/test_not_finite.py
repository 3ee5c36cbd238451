"""What is not finite travels as far by our maps as it does in PyTorch, and no further."""

import math

import pytest
import torch

from tests.engine.laws import cotangents_of, entries, products
from tests.samples import SAMPLES
from undertow.engine.borrowed import vector_jacobian
from undertow.engine.calculus import CALCULUS

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
    assert reached(name) == (False, name in LESS)
