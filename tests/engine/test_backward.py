"""`undertow.backward` against `loss.backward()`."""

import gc
import weakref
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from torch import nn

import undertow
from benchmarks.models import GPT
from tests.engine.twins import borrowed, expected, gradients, largest_error, ours, same_bits
from tests.strategies import forked_losses
from undertow.engine.graph import Graph
from undertow.errors import GraphError, GraphFreedError


def dense(*widths, dtype=torch.float32):
    layers = [layer for n, m in pairwise(widths) for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*layers[:-1]).to(dtype)


def classify(model, inputs, classes=10):
    targets = torch.randint(classes, (model(inputs).shape[0],))
    return F.cross_entropy(model(inputs), targets), [*model.parameters()]


def images(dtype):
    conv = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 3, stride=2), nn.GroupNorm(2, 8), nn.SiLU(), nn.AdaptiveAvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(32, 10)),
    )
    return classify(conv.to(dtype), torch.randn(4, 3, 12, 12, dtype=dtype))


def language(dtype):
    return classify(GPT(16, 8, 6, 2, 2).to(dtype), torch.randint(16, (3, 6)), 16)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.head = kind(5, 7, num_layers=2, batch_first=True), nn.Linear(7, 10)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


NETS = {
    "MLP": lambda dtype: classify(dense(12, 16, 16, 10, dtype=dtype), torch.randn(8, 12, dtype=dtype)),
    "30-layer MLP": lambda dtype: classify(dense(*[12] * 30, 10, dtype=dtype), torch.randn(8, 12, dtype=dtype)),
    "CNN": images,
    "GPT": language,
    "RNN": lambda dtype: classify(Recurrent(nn.RNN).to(dtype), torch.randn(4, 6, 5, dtype=dtype)),
    "LSTM": lambda dtype: classify(Recurrent(nn.LSTM).to(dtype), torch.randn(4, 6, 5, dtype=dtype)),
    "GRU": lambda dtype: classify(Recurrent(nn.GRU).to(dtype), torch.randn(4, 6, 5, dtype=dtype)),
}


@pytest.mark.parametrize("net", NETS)
def test_borrowed_gradients_are_pytorchs_to_the_last_bit(net):
    assert same_bits(borrowed(lambda: NETS[net](torch.float32)), expected(lambda: NETS[net](torch.float32)))


@pytest.mark.parametrize("net", NETS)
def test_our_rules_give_pytorchs_gradients_to_twelve_digits(net):
    assert largest_error(ours(lambda: NETS[net](torch.float64)), expected(lambda: NETS[net](torch.float64))) < 1e-12


@pytest.mark.parametrize("net", ["MLP", "30-layer MLP", "CNN", "GPT"])
def test_our_rules_cover_the_usual_nets_entirely(net):
    loss, _ = NETS[net](torch.float32)
    assert undertow.backward(loss, calculus=undertow.CALCULUS).borrowed == {}


def test_what_is_borrowed_is_counted_by_name():
    loss, _ = NETS["MLP"](torch.float32)
    flow = undertow.backward(loss, calculus={})
    assert flow.borrowed == {
        "NllLossBackward0": 1,
        "LogSoftmaxBackward0": 1,
        "AddmmBackward0": 3,
        "ReluBackward0": 2,
        "TBackward0": 3,
    }


@given(forked_losses())
def test_on_random_graphs_with_forks_gradients_agree(made):
    loss, leaves = made
    loss.backward(retain_graph=True)
    reference = [None if leaf.grad is None else leaf.grad.clone() for leaf in leaves]
    for calculus in ({}, undertow.engine.calculus.CALCULUS):
        for leaf in leaves:
            leaf.grad = None
        undertow.backward(loss, retain_graph=True, calculus=calculus)
        found = [leaf.grad for leaf in leaves]
        assert same_bits(found, reference) if not calculus else largest_error(found, reference) < 1e-12


def test_gradients_accumulate_in_place_as_pytorchs_do():
    w = torch.ones(3, requires_grad=True)
    undertow.backward((w * 2).sum())
    first = w.grad
    undertow.backward((w * 3).sum())
    assert w.grad is first
    assert first.tolist() == [5.0, 5.0, 5.0]


def test_no_weight_is_moved():
    model = dense(4, 4)
    before = [p.detach().clone() for p in model.parameters()]
    undertow.backward(model(torch.ones(2, 4)).sum())
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_gradient_is_taken_over_without_a_copy_and_shares_no_memory():
    model = dense(5, 4, 3)
    model(torch.randn(2, 5)).sum()
    for calculus in ({}, undertow.engine.calculus.CALCULUS):
        model.zero_grad()
        undertow.backward(model(torch.randn(2, 5)).sum(), calculus=calculus)
        places = {p.grad.untyped_storage().data_ptr() for p in model.parameters()}
        assert len(places) == 4
        assert all(p.grad.stride() == p.stride() for p in model.parameters())


def test_two_leaves_that_receive_one_tensor_do_not_share_it():
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    undertow.backward((a + b) * 1, gradient=torch.ones(3))
    a.grad.mul_(5)
    assert b.grad.tolist() == [1.0, 1.0, 1.0]


def test_the_given_cotangent_is_not_taken_over():
    a, seed = torch.ones(3, requires_grad=True), torch.ones(3)
    undertow.backward(a.view(3), gradient=seed)
    a.grad.mul_(5)
    assert seed.tolist() == [1.0, 1.0, 1.0]


def test_inputs_restricts_accumulation_to_some_leaves():
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    undertow.backward((a * b).sum(), inputs=a)
    assert a.grad.tolist() == [1.0, 1.0, 1.0]
    assert b.grad is None


@pytest.mark.parametrize("backward", [torch.autograd.backward, undertow.backward])
def test_inputs_may_be_tensors_in_the_middle_of_the_graph(backward):
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    middle = a * 3
    backward((middle**2).sum(), inputs=[middle])
    assert middle.grad.tolist() == [6.0, 12.0]
    assert a.grad is None


@pytest.mark.parametrize("backward", [torch.autograd.backward, undertow.backward])
def test_inputs_may_name_a_tensor_and_what_it_came_from(backward):
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    middle = a * 3
    backward((middle**2).sum(), inputs=[middle, a])
    assert middle.grad.tolist() == [6.0, 12.0]
    assert a.grad.tolist() == [18.0, 36.0]


def test_two_outputs_of_one_operation_may_both_be_inputs():
    a = torch.arange(4.0, requires_grad=True)
    left, right = a.split(2)
    undertow.backward((left * right).sum(), inputs=[left, right])
    assert left.grad.tolist() == [2.0, 3.0]
    assert right.grad.tolist() == [0.0, 1.0]


def test_empty_inputs_are_refused():
    with pytest.raises(GraphError, match="inputs= is empty"):
        undertow.backward(torch.ones((), requires_grad=True) * 2, inputs=[])


def test_a_cotangent_may_be_given_for_an_output_of_many_entries():
    a = torch.tensor([1.0, 2.0], requires_grad=True)
    undertow.backward(a**2, gradient=torch.tensor([1.0, 10.0]))
    assert a.grad.tolist() == [2.0, 40.0]


def test_several_outputs_take_several_seeds():
    def build():
        a, b = torch.randn(3, requires_grad=True), torch.randn(3, requires_grad=True)
        return (a * b, (a + b).sum(), a.exp().sum()), [a, b]

    seeds = [torch.tensor([1.0, 2.0, 3.0]), None, torch.tensor(0.5)]
    found = gradients(build, lambda outputs: undertow.backward(outputs, seeds, calculus={}))
    assert same_bits(found, gradients(build, lambda outputs: torch.autograd.backward(outputs, seeds)))


def test_one_output_given_twice_counts_twice():
    a = torch.ones(2, requires_grad=True)
    loss = a.sum()
    undertow.backward([loss, loss])
    assert a.grad.tolist() == [2.0, 2.0]


def test_a_leaf_may_itself_be_the_output():
    a = torch.ones((), requires_grad=True)
    undertow.backward(a)
    assert a.grad == 1


def test_a_leaf_that_is_the_output_may_be_swept_again():
    a = torch.ones((), requires_grad=True)
    kept = a * 2
    undertow.backward(a)
    undertow.backward(a)
    undertow.backward(kept)
    assert a.grad == 4


def test_two_outputs_of_one_operation_are_two_roots():
    a = torch.arange(4.0, requires_grad=True)
    left, right = a.split(2)
    undertow.backward([left, right], [torch.ones(2), torch.full((2,), 3.0)])
    assert a.grad.tolist() == [1.0, 1.0, 3.0, 3.0]


def test_retain_graph_allows_another_sweep_with_the_same_result():
    model = dense(4, 4)
    loss = model(torch.ones(2, 4)).sum()
    undertow.backward(loss, retain_graph=True)
    first = [p.grad.clone() for p in model.parameters()]
    undertow.backward(loss)
    assert all(torch.equal(p.grad, 2 * g) for p, g in zip(model.parameters(), first, strict=True))


def test_without_retain_graph_a_second_sweep_is_refused():
    a = torch.ones(2, requires_grad=True)
    loss = a.exp().sum()
    undertow.backward(loss)
    with pytest.raises(GraphFreedError, match="swept before without retain_graph=True"):
        undertow.backward(loss)


def test_another_output_of_several_swept_without_retain_graph_is_refused_too():
    a = torch.ones(2, requires_grad=True)
    losses = [a.exp().sum(), a.sin().sum()]
    undertow.backward(losses)
    for loss in losses:
        with pytest.raises(GraphFreedError, match="swept before"):
            undertow.backward(loss)


@pytest.mark.parametrize("calculus", [{}, undertow.engine.calculus.CALCULUS], ids=["borrowed", "ours"])
def test_a_graph_that_pytorch_freed_is_refused(calculus):
    a = torch.ones(2, requires_grad=True)
    loss = a.exp().sum()
    loss.backward()
    with pytest.raises(
        GraphFreedError, match=r"the tensors that ExpBackward0 saved have been freed\n.*\n.*retain_graph"
    ):
        undertow.backward(loss, calculus=calculus)


def test_an_output_that_needs_no_gradient_is_refused():
    with pytest.raises(GraphError, match=r"output 0, of shape \(2,\), does not require a gradient"):
        undertow.backward(torch.ones(2))


def test_an_output_of_many_entries_needs_a_cotangent():
    with pytest.raises(GraphError, match=r"output 0 has shape \(2,\)"):
        undertow.backward(torch.ones(2, requires_grad=True) * 2)


@pytest.mark.parametrize("seed", [torch.ones(3), torch.ones(1, 2), torch.ones(2, dtype=torch.complex64)])
def test_a_cotangent_of_another_shape_is_refused(seed):
    with pytest.raises(GraphError, match="the cotangent of output 0 has shape"):
        undertow.backward(torch.ones(2, requires_grad=True) * 2, seed)


@pytest.mark.parametrize("seed", [2.0, [2.0], torch.ones(()).numpy()], ids=["number", "numbers", "array"])
def test_a_cotangent_that_is_no_tensor_is_refused(seed):
    with pytest.raises(
        GraphError, match=r"cotangent of output 0 is of type \w+ and no tensor\n.*pass a tensor of shape"
    ):
        undertow.backward(torch.ones((), requires_grad=True) * 2, seed)


def test_a_cotangent_on_another_device_is_refused():
    with pytest.raises(GraphError, match=r"is on meta, the output on cpu\n.*\.to\(output.device\)"):
        undertow.backward(torch.ones(2, requires_grad=True) * 2, torch.ones(2, device="meta"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64, torch.bool], ids=str)
def test_a_real_cotangent_of_another_dtype_is_taken_in_that_of_the_output_as_pytorch_takes_it(dtype):
    seed = torch.tensor([1, 0, 1]).to(dtype)
    a, b = (torch.ones(3, requires_grad=True) for _ in range(2))
    undertow.backward(a * 2, seed)
    (b * 2).backward(seed)
    assert a.grad.dtype == b.grad.dtype
    assert torch.equal(a.grad, b.grad)


def test_a_complex_output_needs_a_cotangent_as_in_pytorch():
    x = torch.ones((), dtype=torch.complex64, requires_grad=True)
    with pytest.raises(RuntimeError, match="real"):
        (x * 2).backward()
    with pytest.raises(GraphError, match=r"output 0 is complex \(torch.complex64\).*\n.*pass gradient="):
        undertow.backward(x * 2)
    undertow.backward(x * 2, torch.ones((), dtype=torch.complex64))
    assert x.grad == 2


@pytest.mark.parametrize("output", [3.0, None, [3.0]], ids=str)
def test_an_output_that_is_no_tensor_is_refused(output):
    for use in (undertow.backward, Graph.read, lambda loss: undertow.sweep(loss, undertow.engine.algebras.Gradient())):
        with pytest.raises(GraphError, match=r"output 0 is of type \w+ and no tensor\n.*\n.*before \.item\(\)"):
            use(output)


def test_as_many_cotangents_as_outputs_are_needed():
    a = torch.ones((), requires_grad=True)
    with pytest.raises(GraphError, match="1 cotangents for 2 outputs"):
        undertow.backward([a * 2, a * 3], [torch.ones(())])


def test_no_outputs_are_refused():
    with pytest.raises(GraphError, match="no outputs"):
        undertow.backward([])


@pytest.mark.parametrize("calculus", [{}, undertow.engine.calculus.CALCULUS], ids=["borrowed", "ours"])
def test_nothing_of_the_graph_outlives_the_loss(calculus):
    class Token:
        pass

    model, token = dense(4, 4, 2), Token()
    loss = model(torch.ones(2, 4)).sum()
    loss.grad_fn.next_functions[0][0].metadata["token"] = token
    alive = weakref.ref(token)
    gc.disable()
    try:
        flow = undertow.backward(loss, calculus=calculus)
        del token, loss
        assert alive() is None
    finally:
        gc.enable()
    assert len(flow.topology) == 10


def test_parameters_get_the_models_names():
    model = dense(4, 4, 2)
    flow = undertow.backward(model(torch.ones(2, 4)).sum(), model=model)
    assert set(flow.topology.leaves()) == {name for name, _ in model.named_parameters()}


def test_a_graph_deeper_than_pythons_stack_is_swept():
    a = torch.ones((), dtype=torch.float64, requires_grad=True)
    x = a
    for _ in range(3000):
        x = x * 1.001
    assert len(Graph.read(x)) == 3001
    undertow.backward(x)
    assert a.grad.item() == pytest.approx(1.001**3000)
