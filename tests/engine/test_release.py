"""What operations saved is let go of while a sweep runs, unless the graph is to be kept."""

import weakref

import pytest
import torch
from torch import Tensor

import undertow
from undertow.engine.lifetimes import LARGE, SPARE

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


def held_at_the_end(backward) -> tuple[list[int], list[int], list[bool]]:
    """Of a deep net of small layers: bytes of each gradient, of each layer's output, and which of these are held."""
    state, weights, outputs = torch.ones(32, 16), [], []
    for _ in range(24):
        weights.append(torch.eye(16, requires_grad=True))
        state = (state @ weights[-1]).relu()
        outputs.append(weakref.ref(state))
    sizes, held = [state.nbytes] * len(outputs), []
    weights[-1].register_hook(lambda _: held.extend(output() is not None for output in outputs))
    loss = state.sum()
    del state
    backward(loss)
    return [weight.grad.nbytes for weight in weights], sizes, held


@CALCULI
def test_of_small_tensors_as_many_are_let_go_of_as_make_room_for_gradients(calculus):
    gradients, sizes, held = held_at_the_end(lambda loss: undertow.backward(loss, calculus=calculus))
    left = sum(size for size, is_held in zip(sizes, held, strict=True) if is_held)
    assert left + sum(gradients) <= sum(sizes) * (1 + SPARE) + max(sizes)
    assert any(held)


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
