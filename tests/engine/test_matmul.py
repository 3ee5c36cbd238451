"""Products of matrices are the same whichever library computes them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

import undertow
from undertow.engine.maps import matmul
from undertow.engine.maps.matmul import one_by_one, times
from undertow.engine.maps.parts import Outer
from undertow.linear import linearize

LAYOUTS = {
    "as it is": lambda x: x,
    "by columns": lambda x: x.mT.contiguous().mT,
    "with gaps": lambda x: torch.stack([x, x], -1)[..., 0],
    "one row again and again": lambda x: x[..., :1, :].expand_as(x),
    "a part": lambda x: torch.nn.functional.pad(x, (3, 2, 1, 4))[..., 1:-4, 3:-2],
}

needs_onednn = pytest.mark.skipif(matmul.onednn is None, reason="this PyTorch has no oneDNN")


def matrices(*sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*sizes, generator=generator)


@settings(max_examples=40)
@given(
    st.integers(128, 160),
    st.integers(128, 160),
    st.integers(128, 160),
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from(sorted(LAYOUTS)),
    st.booleans(),
)
def test_a_large_product_is_that_of_float64_to_rounding_however_its_factors_lie(m, k, n, left, right, stacked):
    stack = (2,) if stacked else ()
    a, b = LAYOUTS[left](matrices(*stack, m, k)), LAYOUTS[right](matrices(*stack, k, n, seed=1))
    with torch.no_grad():
        product = times(a, b)
    exact = a.double() @ b.double()
    bound = k * torch.finfo(torch.float32).eps * (a.double().abs() @ b.double().abs())
    assert product.shape == exact.shape
    assert product.dtype is torch.float32
    assert bool(((product - exact).abs() <= bound).all())


@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_what_is_not_finite_reaches_the_same_entries(bad):
    a, b = matrices(130, 140), matrices(140, 150, seed=1)
    a[3, 5] = bad
    b[5, 7] = 0
    with torch.no_grad():
        assert torch.equal(times(a, b).isnan(), (a @ b).isnan())
        assert torch.equal(times(a, b).isinf(), (a @ b).isinf())


@needs_onednn
def test_large_products_are_computed_by_onednn_and_others_are_not(monkeypatch):
    a, b = matrices(128, 128), matrices(128, 128, seed=1)

    def by_onednn(left, right):
        with torch.profiler.profile() as seen:
            times(left, right)
        return any("mkldnn" in event.key for event in seen.key_averages())

    with torch.no_grad():
        assert by_onednn(a, b)
        assert not by_onednn(a[:64], b)
        assert not by_onednn(a.double(), b.double())
        assert not by_onednn(a.repeat(100, 1)[:, :8], b[:8])
    assert not by_onednn(a, b), "it is not differentiated by PyTorch"
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    with torch.no_grad():
        assert not by_onednn(a, b)


def test_what_is_differentiated_batched_counted_or_noted_down_is_left_to_pytorch():
    a, b = matrices(128, 128).requires_grad_(), matrices(128, 128, seed=1)
    times(a, b).sum().backward()
    torch.testing.assert_close(a.grad, b.sum(1).expand(128, 128), rtol=1e-4, atol=1e-4)
    with torch.no_grad():
        stack = torch.stack([b, 2 * b])
        torch.testing.assert_close(torch.vmap(lambda each: times(a, each))(stack), a @ stack)
        with FlopCounterMode(display=False) as counter:
            times(a, b)
        assert counter.get_total_flops() == 2 * 128**3
        with Noting() as noted:
            times(a, b)
        assert torch.matmul in noted.functions or torch.Tensor.matmul in noted.functions


class Noting(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.functions = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.functions.append(func)
        return func(*args, **(kwargs or {}))


def wide():
    """A network all of whose products are large."""
    torch.manual_seed(0)
    layers = torch.nn.Linear(160, 192), torch.nn.Tanh(), torch.nn.Linear(192, 144, bias=False)
    return torch.nn.Sequential(*layers), torch.randn(128, 160)


def test_gradients_of_wide_layers_are_pytorchs_to_rounding():
    model, x = wide()
    expected = torch.autograd.grad(model(x).square().mean(), [*model.parameters()])
    undertow.backward(model(x).square().mean(), calculus=undertow.CALCULUS)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-7)
        assert parameter.grad.stride() == parameter.stride()


def test_both_directions_of_a_wide_jacobian_agree():
    model, x = wide()
    jacobian = linearize(model(x), model)
    tangent = {name: torch.randn_like(parameter) for name, parameter in model.named_parameters()}
    cotangent = torch.randn(128, 144)
    pushed, pulled = jacobian.push(tangent), jacobian.pull(cotangent)
    inner = sum((pulled[name] * tangent[name]).sum() for name in tangent)
    torch.testing.assert_close((pushed * cotangent).sum(), inner, rtol=1e-4, atol=1e-2)


def test_norms_of_examples_of_long_sequences_are_those_of_their_gradients():
    torch.manual_seed(0)
    model, x = torch.nn.Linear(128, 136), torch.randn(3, 130, 128)
    found = undertow.per_sample_norms(model(x).square().mean((1, 2)), model)
    for example in range(3):
        gradient = torch.autograd.grad(model(x[example]).square().mean(), model.weight)[0]
        torch.testing.assert_close(found.squares["weight"][example], gradient.square().sum(), rtol=1e-4, atol=0)


@pytest.mark.parametrize(("m", "n"), [(160, 128), (128, 160)])
@pytest.mark.parametrize("groups", [1, 2])
def test_sums_of_outer_products_have_the_norms_of_what_they_are_written_out(m, n, groups):
    left, right = matrices(3, groups, 130, m), matrices(3, groups, 130, n, seed=1)
    with torch.no_grad():
        assert one_by_one(left.mT, right) or matmul.onednn is None
        found = Outer(left, right, (groups, m, n)).squares()
    exact = (left.double().mT @ right.double()).square().sum((1, 2, 3))
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0)
