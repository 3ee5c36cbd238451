"""Our own derivatives on models of the architectures in use: all of them stated, and the gradients PyTorch's."""

import pytest
import torch

import undertow
from tests.families import FAMILIES

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")

KINDS = [(name, *kind) for name, family in FAMILIES.items() for kind in family.kinds()]

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4}
"""Relative to the largest entry of a gradient; the models normalise over a few numbers, which magnifies rounding."""

NEGLIGIBLE = 1e-3
"""A gradient this much smaller than the largest is compared with that, as some are zero but for rounding."""


def largest(tensor):
    return float(tensor.abs().max())


def narrowest(loss):
    """The least precise numbers that a forward pass used: some models compute in float32 whatever they are given."""
    spaces = (space for output in undertow.Graph.read(loss).spaces for space in output)
    return max((dtype for _, dtype in spaces if dtype.is_floating_point), key=lambda dtype: torch.finfo(dtype).eps)


@pytest.mark.parametrize(("name", "variant", "dtype"), KINDS, ids=lambda part: str(part).replace("torch.", ""))
def test_gradients_by_our_own_rules_are_pytorchs_and_none_is_borrowed(name, variant, dtype):
    member = FAMILIES[name].member(variant, dtype)
    named = dict(member.model.named_parameters())
    loss = member.forward()
    tolerance = TOLERANCE[narrowest(loss)]
    theirs = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    flow = undertow.backward(member.forward(), calculus=undertow.CALCULUS)
    scale = max(largest(gradient) for gradient in theirs if gradient is not None)
    for (parameter_name, parameter), gradient in zip(named.items(), theirs, strict=True):
        assert (parameter.grad is None) == (gradient is None), parameter_name
        if gradient is not None:
            error = largest(parameter.grad - gradient) / max(largest(gradient), NEGLIGIBLE * scale)
            assert error <= tolerance, parameter_name
    assert not flow.borrowed


def test_no_member_of_a_family_has_parameters_that_the_loss_does_not_reach():
    for name, family in FAMILIES.items():
        member = family.member(next(iter(family.variants)), torch.float32)
        member.forward().backward()
        idle = [parameter for parameter, value in member.model.named_parameters() if value.grad is None]
        assert not idle, name
