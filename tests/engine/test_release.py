"""What large operations saved is let go of while a sweep runs, unless the graph is to be kept."""

import weakref

import pytest
import torch
from torch import Tensor

import undertow
from undertow.engine.schedule import LARGE

CALCULI = pytest.mark.parametrize("calculus", [{}, undertow.CALCULUS], ids=["borrowed", "ours"])
ENTRIES = LARGE // torch.float32.itemsize


def kept_until_the_leaf(backward) -> bool:
    """Whether the tensor that `sin` saved is still there when the pass arrives at the leaf."""
    leaf = torch.ones(ENTRIES, requires_grad=True)
    within, kept = leaf.exp(), []
    loss, saved = within.sin().sum(), weakref.ref(within)
    del within
    leaf.register_hook(lambda _: kept.append(saved() is not None))
    backward(loss)
    return kept.pop()


@CALCULI
def test_what_was_saved_is_let_go_of_as_the_pass_goes_on(calculus):
    assert not kept_until_the_leaf(lambda loss: undertow.backward(loss, calculus=calculus))
    assert not kept_until_the_leaf(Tensor.backward)


@CALCULI
def test_a_graph_to_be_kept_is_kept_in_full(calculus):
    assert kept_until_the_leaf(lambda loss: undertow.backward(loss, calculus=calculus, retain_graph=True))


@CALCULI
def test_pytorch_refuses_what_was_let_go_of(calculus):
    leaf = torch.ones(ENTRIES, requires_grad=True)
    within = leaf.exp()
    undertow.backward(within.sum(), calculus=calculus)
    with pytest.raises(RuntimeError, match=r"second time, after undertow\.backward freed it"):
        within.mean().backward()


def test_parts_of_the_graph_that_no_input_lies_behind_are_kept():
    left, right = (torch.ones(ENTRIES, requires_grad=True) for _ in range(2))
    beside = right.exp()
    undertow.backward((left.exp() * beside).sum(), inputs=[left])
    beside.sum().backward()
    assert torch.equal(right.grad, beside)


def test_what_the_user_packed_by_hooks_stays_packed():
    leaf = torch.ones(ENTRIES, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor.double(), lambda packed: packed.float()):
        loss = leaf.exp().sin().sum()
    undertow.backward(loss)
    assert torch.equal(leaf.grad, leaf.exp().cos() * leaf.exp())
