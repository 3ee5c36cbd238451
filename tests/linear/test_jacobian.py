"""Jacobians against PyTorch's own transforms, and the laws of operators."""

import gc
import weakref

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.func import functional_call, jacrev, jvp
from torch.nn.attention import SDPBackend, sdpa_kernel

import undertow
from tests.samples import SAMPLES
from tests.strategies import forked_losses, seeds
from undertow.errors import GraphError, GraphFreedError, MissingRuleError, SpaceError

# What torch.func does on its first forward derivative.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def attentive():
    block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0, batch_first=True, norm_first=True, activation="gelu")
    return nn.Sequential(nn.Embedding(5, 8), block, nn.LayerNorm(8), nn.Linear(8, 3)), torch.randint(5, (2, 4))


def convolved():
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4, track_running_stats=False), nn.SiLU(), nn.MaxPool2d(2)
    )
    return nn.Sequential(model, nn.Conv2d(4, 3, 2, stride=2), nn.Flatten(), nn.Linear(3, 5)), torch.randn(3, 2, 4, 4)


def recurrent():
    return Last(nn.GRU(3, 4, batch_first=True)), torch.randn(2, 5, 3)


class Last(nn.Module):
    def __init__(self, recurrence):
        super().__init__()
        self.recurrence = recurrence

    def forward(self, x):
        return self.recurrence(x)[0][:, -1]


MODELS = {
    "dense": lambda: (nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3), nn.ReLU()), torch.randn(5, 4)),
    "convolved": convolved,
    "attentive": attentive,
    "recurrent": recurrent,
}


def built(name):
    torch.manual_seed(0)
    model, x = MODELS[name]()
    model = model.double()
    return model, x.double() if x.is_floating_point() else x


def tangents(model, *batch):
    return {n: torch.randn(*batch, *p.shape, dtype=p.dtype) for n, p in model.named_parameters()}


def close(left, right):
    scale = max(float(right.abs().max()), 1e-300)
    return left.shape == right.shape and float((left - right).abs().max()) <= 1e-12 * scale


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("calculus", [undertow.CALCULUS, {}], ids=["ours", "borrowed"])
def test_push_is_pytorchs_jacobian_vector_product_and_pull_its_gradient(name, calculus):
    model, x = built(name)
    with sdpa_kernel(SDPBackend.MATH):
        outputs = model(x)
        v, w = tangents(model), torch.randn_like(outputs)
        at = {n: p.detach() for n, p in model.named_parameters()}
        expected = jvp(lambda weights: functional_call(model, weights, (x,)), (at,), (v,))[1]
    jacobian = undertow.linearize(outputs, model, calculus=calculus)
    assert bool(jacobian.borrowed) == (not calculus)
    assert close(jacobian.push(v), expected)
    gradients = torch.autograd.grad(outputs, [*model.parameters()], w, retain_graph=True)
    largest = max(float(g.abs().max()) for g in gradients)
    for pulled, gradient in zip(jacobian.pull(w).values(), gradients, strict=True):
        assert float((pulled - gradient).abs().max()) <= 1e-12 * largest


@pytest.mark.parametrize("name", MODELS)
def test_push_is_the_slope_of_a_finite_difference(name):
    model, x = built(name)
    v, step = tangents(model), 1e-6
    pushed = undertow.linearize(model(x), model).push(v)
    ahead, behind = (
        functional_call(model, {n: p.detach() + s * v[n] for n, p in model.named_parameters()}, (x,))
        for s in (step, -step)
    )
    torch.testing.assert_close(pushed, (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_the_matrix_is_the_jacobian_of_torch_func_from_either_side(name):
    model, x = built(name)
    with sdpa_kernel(SDPBackend.MATH):
        columns = jacrev(lambda weights: functional_call(model, weights, (x,)))(dict(model.named_parameters()))
        outputs = model(x)
    jacobian = undertow.linearize(outputs, model)
    expected = torch.cat([part.detach().flatten(outputs.ndim).flatten(0, -2) for part in columns.values()], 1)
    assert close(jacobian.matrix(), expected)
    assert close(jacobian.adjoint().matrix(), expected.T)


@given(forked_losses(), seeds)
def test_push_and_pull_are_adjoint_on_any_graph(built, seed):
    loss, leaves = built
    torch.manual_seed(seed)
    middle = torch.stack([leaf.tanh() @ leaves[0] for leaf in leaves]) * loss
    jacobian = undertow.linearize((loss, middle), leaves)
    v, w = [torch.randn_like(leaf) for leaf in leaves], (torch.randn_like(loss), torch.randn_like(middle))
    pushed, pulled = jacobian.push(v), jacobian.pull(w)
    left = sum((a * b).sum() for a, b in zip(pushed, w, strict=True))
    right = sum((a * b).sum() for a, b in zip(v, pulled, strict=True))
    size = sum(a.norm() * b.norm() for a, b in zip((*pushed, *v), (*w, *pulled), strict=True))
    assert abs(float(left - right)) <= 1e-12 * float(size)


@given(forked_losses(), st.integers(0, 3))
def test_a_batch_is_a_loop(built, count):
    loss, leaves = built
    outputs = [loss, leaves[1].sin() * loss]
    jacobian = undertow.linearize(outputs, leaves)
    for run, space in ((jacobian.push, leaves), (jacobian.pull, outputs)):
        batch = [torch.randn(count, *tensor.shape, dtype=tensor.dtype) for tensor in space]
        together = run(batch)
        assert all(len(part) == count for part in together)
        for number in range(count):
            alone = run([part[number] for part in batch])
            for part, single in zip(together, alone, strict=True):
                torch.testing.assert_close(part[number], single, rtol=1e-11, atol=1e-11 * float(single.abs().max()))


IN_FLOAT32 = {"GroupedMmBackward0", "MkldnnRnnLayerBackward0"}
"""Whose samples compute in float32, in which a batch may be summed in another order."""


def transposed(jacobian, v):
    """What PyTorch gives, or nothing where its own backward function cannot be differentiated."""
    try:
        return jacobian.push(v)
    except MissingRuleError:
        return None


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_rule_pushes_as_pytorchs_derivative_transposed_and_takes_batches(name):
    for number, sample in enumerate(SAMPLES[name]):
        inputs, outputs = sample.ran()
        if any(output.is_complex() for output in outputs):
            continue
        ours, theirs = (undertow.linearize(outputs, inputs, calculus=c) for c in (undertow.CALCULUS, {}))
        generator = torch.Generator().manual_seed(number)
        v, w = (
            [torch.randn(2, *t.shape, dtype=t.dtype, generator=generator) for t in tensors]
            for tensors in (inputs, outputs)
        )
        within = 1e-4 if name in IN_FLOAT32 else 1e-9
        expected = transposed(theirs, [part[0] for part in v])
        agree(ours.push([part[0] for part in v]), expected, within)
        agree([part[1] for part in ours.push(v)], ours.push([part[1] for part in v]), within)
        agree([part[1] for part in ours.pull(w)], ours.pull([part[1] for part in w]), within)
        agree(ours.pull([part[0] for part in w]), theirs.pull([part[0] for part in w]), within)


def agree(found, expected, within):
    for ours, theirs in zip(found, expected or found, strict=True):
        finite = theirs.isfinite()
        torch.testing.assert_close(ours[finite], theirs[finite], rtol=within, atol=within)


def test_products_repeat_after_the_graph_was_freed():
    model, x = built("convolved")
    outputs = model(x)
    jacobian, v, w = undertow.linearize(outputs, model), tangents(model), torch.randn_like(outputs)
    before = jacobian.push(v), jacobian.pull(w)
    outputs.sum().backward()
    assert torch.equal(jacobian.push(v), before[0])
    assert all(torch.equal(a, b) for a, b in zip(jacobian.pull(w).values(), before[1].values(), strict=True))


def test_an_operator_that_is_dropped_leaves_nothing_behind():
    model, x = built("attentive")
    jacobian = undertow.linearize(model(x), model)
    jacobian.push(tangents(model))
    tape = weakref.ref(jacobian.tape)
    gc.disable()
    try:
        del jacobian
        assert tape() is None
    finally:
        gc.enable()


def test_tensors_within_the_graph_can_be_inputs_and_what_comes_before_them_reaches_through_them():
    x = torch.tensor([1.0, 2.0], requires_grad=True, dtype=torch.float64)
    h = x.square()
    y = h.exp()
    jacobian = undertow.linearize(y, (h, x))
    by_h, by_x = jacobian.pull(torch.ones_like(y))
    assert close(by_h, y.detach())
    assert close(by_x, (2 * x * y).detach())
    assert close(jacobian.push((torch.ones_like(h), torch.ones_like(x))), (y + 2 * x * y).detach())


def test_what_comes_out_is_arranged_as_what_went_in():
    a, b = (torch.randn(3, requires_grad=True) for _ in range(2))
    v = torch.ones(3)
    assert isinstance(undertow.linearize(a * b, a).pull(v), torch.Tensor)
    assert isinstance(undertow.linearize(a * b, [a, b]).pull(v), tuple)
    assert [*undertow.linearize(a * b, {"b": b, "a": a}).pull(v)] == ["b", "a"]
    assert [*undertow.linearize({"sum": a + b, "product": a * b}, a).push(v)] == ["sum", "product"]


def test_an_input_without_influence_has_zero_derivatives():
    a, b = (torch.randn(3, requires_grad=True) for _ in range(2))
    jacobian = undertow.linearize(a * 2, [a, b])
    assert torch.equal(jacobian.pull(torch.ones(3))[1], torch.zeros(3))
    assert torch.equal(jacobian.push([torch.zeros(3), torch.ones(3)]), torch.zeros(3))
    assert torch.equal(jacobian.pull(torch.ones(2, 3))[1], torch.zeros(2, 3))


def test_complex_numbers_within_the_graph_keep_push_and_pull_adjoint():
    x = torch.randn(6, dtype=torch.float64, requires_grad=True)
    y = torch.view_as_real(torch.fft.fft(x) * (2 - 3j)).square().sum(1)
    jacobian = undertow.linearize(y, x)
    v, w = torch.randn(2, 6, dtype=torch.float64)
    assert close((jacobian.push(v) * w).sum(), (v * jacobian.pull(w)).sum())


def test_mixed_precision_keeps_the_dtypes_of_the_two_ends():
    model = nn.Sequential(nn.Linear(4, 6), nn.GELU(), nn.LayerNorm(6), nn.Linear(6, 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = model(torch.randn(5, 4))
    jacobian = undertow.linearize(outputs, model)
    v = tangents(model)
    assert jacobian.push(v).dtype is torch.bfloat16
    assert {g.dtype for g in jacobian.pull(torch.ones_like(outputs)).values()} == {torch.float32}


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, cotangent):
        return cotangent * 2


def test_a_function_of_ones_own_is_borrowed_and_named_and_pushed_if_it_can_be_transposed():
    x = torch.randn(3, requires_grad=True)
    jacobian = undertow.linearize(Once.apply(x), x)
    assert jacobian.borrowed == {"OnceBackward": 1}
    assert torch.equal(jacobian.pull(torch.ones(3)), 2 * torch.ones(3))
    with pytest.raises(MissingRuleError, match="no forward derivative of OnceBackward"):
        jacobian.push(torch.ones(3))


def dense():
    model, x = built("dense")
    return model, model(x)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda v: {n: t[..., :1] for n, t in v.items()}, r"has shape \(6, 1\).*0.weight: \(6, 4\) float64"),
        (lambda v: {n: t.float() for n, t in v.items()}, "has dtype float32"),
        (lambda v: [*v.values()], "arranged in another way: 4 in order"),
        (lambda v: {"0.weight": v["0.weight"]}, "arranged in another way: by the names 0.weight"),
        (
            lambda v: {n: t if n == "0.bias" else t.expand(2, *t.shape) for n, t in v.items()},
            "some tangents are batches",
        ),
    ],
)
def test_tangents_that_do_not_fit_are_refused(wrong, message):
    model, outputs = dense()
    with pytest.raises(SpaceError, match="(?s)" + message):
        undertow.linearize(outputs, model).push(wrong(tangents(model)))


def test_cotangents_that_do_not_fit_are_refused():
    model, outputs = dense()
    with pytest.raises(SpaceError, match=r"cotangents has shape \(7,\)"):
        undertow.linearize(outputs, model).pull(torch.ones(7, dtype=torch.float64))


def test_operators_that_do_not_fit_end_to_end_are_refused():
    model, outputs = dense()
    jacobian = undertow.linearize(outputs, model)
    with pytest.raises(SpaceError, match="do not fit end to end"):
        jacobian @ jacobian


def test_outputs_and_inputs_without_gradients_are_refused():
    model, outputs = dense()
    with pytest.raises(GraphError, match=r"output 0, .* does not require a gradient"):
        undertow.linearize(outputs.detach(), model)
    with pytest.raises(GraphError, match=r"input 0, .* requires no gradient"):
        undertow.linearize(outputs, [torch.ones(2)])
    with pytest.raises(GraphError, match="nothing to differentiate by"):
        undertow.linearize(outputs, nn.ReLU())


def test_a_graph_that_was_freed_is_refused():
    model, outputs = dense()
    outputs.sum().backward()
    with pytest.raises(GraphFreedError, match="have been freed"):
        undertow.linearize(outputs, model)


def test_a_step_of_the_optimizer_makes_it_stale():
    model, outputs = dense()
    jacobian = undertow.linearize(outputs, model)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    with pytest.raises(GraphError, match="changed in place after it was linearized"):
        jacobian.push(tangents(model))


def test_operators_between_complex_tensors_have_no_matrix():
    x = torch.randn(3, dtype=torch.complex128, requires_grad=True)
    jacobian = undertow.linearize(x * 2j, x)
    assert close(jacobian.push(torch.ones_like(x)), torch.full((3,), 2j, dtype=torch.complex128))
    for refused in (jacobian.matrix, jacobian.as_linear_operator):
        with pytest.raises(SpaceError, match="complex"):
            refused()


def test_half_precision_and_losses_without_inputs_of_ours_need_nothing_special():
    x = torch.randn(4, 3, dtype=torch.float16, requires_grad=True)
    loss = F.mse_loss(x, torch.zeros_like(x))
    assert undertow.linearize(loss, x).pull(torch.ones_like(loss)).dtype is torch.float16
