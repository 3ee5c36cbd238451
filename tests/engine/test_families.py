"""Our own derivatives on models of the architectures in use, and on layers and losses: the gradients are PyTorch's."""

import inspect
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow
from tests.families import FAMILIES, LAYERS, LOSSES
from tests.families.layers import ELSEWHERE

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")

ALL = FAMILIES | LAYERS | LOSSES
KINDS = [(name, *kind) for name, family in ALL.items() for kind in family.kinds()]

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4}
"""Relative to the largest entry of a gradient; the models normalise over a few numbers, which magnifies rounding."""

NEGLIGIBLE = 1e-3
"""A gradient this much smaller than the largest is compared with that, as some are zero but for rounding."""

BORROWED = {
    "CrossMapLRN2d": {"CrossMapLRN2dBackward"},
    "Embedding": {"EmbeddingBackward0"},
    "Embedding, sparse gradients": {"EmbeddingBackward0"},
}
"""What is borrowed: a Python function of PyTorch's, sparse gradients, and those divided by how often a word came."""


def largest(tensor):
    return float((tensor.to_dense() if tensor.is_sparse else tensor).abs().max())


def narrowest(loss):
    """The least precise numbers that a forward pass used: some models compute in float32 whatever they are given."""
    spaces = (space for output in undertow.Graph.read(loss).spaces for space in output)
    return max((dtype for _, dtype in spaces if dtype.is_floating_point), key=lambda dtype: torch.finfo(dtype).eps)


@pytest.mark.parametrize(("name", "variant", "dtype"), KINDS, ids=lambda part: str(part).replace("torch.", ""))
def test_gradients_by_our_own_rules_are_pytorchs_and_none_is_borrowed_but_those_named(name, variant, dtype):
    member = ALL[name].member(variant, dtype)
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
    assert {*flow.borrowed} <= BORROWED.get(name, set())


def test_no_member_of_a_family_has_parameters_that_the_loss_does_not_reach():
    for name, family in ALL.items():
        member = family.member(next(iter(family.variants)), torch.float32)
        member.forward().backward()
        idle = [parameter for parameter, value in member.model.named_parameters() if value.grad is None]
        assert not idle, name


def modules():
    """The modules of torch.nn that stand for themselves: lazy ones become another when they are first called."""
    kinds = {name: kind for name, kind in vars(nn).items() if isinstance(kind, type) and issubclass(kind, nn.Module)}
    return {name for name in kinds if not name.startswith("Lazy")}


def test_every_layer_and_loss_of_pytorch_is_tried_or_said_not_to_be_one():
    tried = {re.match(r"\w+", name)[0] for name in LAYERS | LOSSES}
    named = {name for names in ELSEWHERE for name in names.split(", ")}
    assert tried | named == modules()
    assert not tried & named


def test_every_loss_that_is_a_function_is_one_that_a_module_calls():
    functions = [
        name for name, f in vars(F).items() if inspect.isfunction(f) and "reduction" in inspect.signature(f).parameters
    ]
    source = inspect.getsource(nn.modules.loss)
    assert len(functions) > 20
    assert not [name for name in functions if f"F.{name}(" not in source]
