"""The laws of what travels backward, and each algebra against another way to the same numbers."""

import itertools
import math
import re

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import undertow
from tests.engine.laws import cast, paths
from tests.engine.test_backward import NETS
from tests.strategies import STEPS, chains, forked_losses, seeds, tensor
from undertow.engine.algebras import Algebra, Extended, Gradient, Magnitude, MaxProduct, Rounded, Scaled
from undertow.engine.algebras.base import fitted
from undertow.engine.calculus import CALCULUS
from undertow.engine.graph import Graph
from undertow.engine.maps import Compose
from undertow.errors import GraphError, GraphFreedError, MissingRuleError, SweptOnceError

ALGEBRAS = {
    "gradient": Gradient(),
    "scaled": Scaled(),
    "magnitude": Magnitude(),
    "max-product": MaxProduct(),
    "scaled max-product": Scaled(MaxProduct()),
    "rounded": Rounded(torch.float64, 8.0),
}


def plain(carried):
    """The tensors that an algebra carries, as they would be without its means of carrying them."""
    if isinstance(carried, torch.Tensor):
        return [carried]
    if isinstance(carried, Extended):
        return [carried.plain()]
    return [getattr(carried, name) for name in carried.__slots__ if isinstance(getattr(carried, name), torch.Tensor)]


def assert_same(left, right, **tolerance):
    for a, b in zip(plain(left), plain(right), strict=True):
        torch.testing.assert_close(a, b, **tolerance)


# Laws


@pytest.mark.parametrize("name", sorted(set(ALGEBRAS) - {"magnitude"}))
@given(a=chains(), seed=seeds)
def test_pulling_goes_through_joining(name, a, seed):
    algebra = ALGEBRAS[name]
    left, right = (algebra.seed(tensor(a.target, seed + n)) for n in (0, 1))
    joined = algebra.pull(a, algebra.add(left, right))
    assert_same(joined, algebra.add(algebra.pull(a, left), algebra.pull(a, right)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", sorted(ALGEBRAS))
@given(seed=seeds)
def test_joining_does_not_depend_on_the_order(name, seed):
    algebra = ALGEBRAS[name]
    x, y, z = (algebra.seed(tensor((3, 2), seed + n)) for n in range(3))
    assert_same(algebra.add(x, y), algebra.add(y, x), rtol=0, atol=0)
    first, last = algebra.add(algebra.add(x, y), z), algebra.add(x, algebra.add(y, z))
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(plain(first)[:2], plain(last)[:2], strict=True))


@pytest.mark.parametrize("name", sorted(ALGEBRAS))
@given(a=chains(), seed=seeds)
def test_pulling_through_two_maps_is_pulling_through_one_after_the_other(name, a, seed):
    assume(isinstance(a, Compose))
    algebra = ALGEBRAS[name]
    cotangent = algebra.seed(tensor(a.target, seed))
    together, apart = algebra.pull(a, cotangent), algebra.pull(a.inner, algebra.pull(a.outer, cotangent))
    for x, y in [*zip(plain(together), plain(apart), strict=True)][:2]:  # bounds on errors may differ
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-9)


@given(chains(), seeds)
def test_the_strongest_path_is_no_stronger_than_all_paths_together(a, seed):
    cotangent = tensor(a.target, seed)
    bounds = Magnitude().pull(a, Magnitude().seed(cotangent))
    assert (a.strongest(cotangent.abs()) <= bounds.magnitude * (1 + 1e-9) + 1e-12).all()
    assert (bounds.gradient.abs() <= bounds.magnitude * (1 + 1e-9) + 1e-12).all()


@given(forked_losses())
def test_the_strongest_path_of_a_graph_is_no_stronger_than_its_magnitude(made):
    loss, _ = made
    strongest, bounds = undertow.sweep(loss, MaxProduct()), undertow.sweep(loss, Magnitude())
    assert set(strongest) == set(bounds)
    assert all((strongest[name] <= bounds[name].magnitude * (1 + 1e-9) + 1e-12).all() for name in bounds)


# Scaled


@given(forked_losses())
def test_scaled_gives_the_bits_of_the_gradient_where_nothing_underflows(made):
    loss, _ = made
    gradient, scaled = undertow.sweep(loss, Gradient()), undertow.sweep(loss, Scaled())
    assert set(gradient) == set(scaled)
    for name, found in scaled.items():
        torch.testing.assert_close(found.plain(), gradient[name], rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("net", ["MLP", "CNN", "GPT"])
def test_scaled_gives_the_bits_of_the_gradient_of_usual_nets(net, dtype):
    loss, _ = NETS[net](dtype)
    gradient, scaled = undertow.sweep(loss, Gradient()), undertow.sweep(loss, Scaled())
    assert all(torch.equal(found.plain(), gradient[name]) for name, found in scaled.items())


@pytest.mark.parametrize(("factor", "times"), [(1e-10, 8), (1e-10, 450), (1e10, 20), (3.0, 0)])
def test_scaled_reaches_beyond_every_dtype(factor, times):
    x = torch.tensor([0.5, -2.0], requires_grad=True)
    y = x * 1.0
    for _ in range(times):
        y = Shrink.apply(y, factor)
    found = undertow.sweep(y.sum(), Scaled())["leaf 0"]
    assert found.log10_norm() == pytest.approx(math.log10(math.sqrt(2)) + times * math.log10(factor), abs=1e-4)
    assert found.log10().tolist() == pytest.approx([times * math.log10(factor)] * 2, abs=1e-4)
    assert not found.is_zero


class Shrink(torch.autograd.Function):
    """The same value, with a slope that is something else; no rule states it, so it is borrowed."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent * ctx.factor, None


def test_scaled_tells_a_tiny_gradient_from_an_exact_zero():
    tiny, cut = (torch.ones(3, requires_grad=True) for _ in range(2))
    faint = tiny * 1e-30 * 1e-30 * 1e-20
    loss, named = (faint + (cut - 2).relu()).sum(), {"tiny": tiny, "cut": cut}
    gradients, found = (undertow.sweep(loss, algebra, inputs=named) for algebra in (Gradient(), Scaled()))
    assert not gradients["tiny"].any()
    assert not gradients["cut"].any()
    assert found["tiny"].log10().tolist() == pytest.approx([-80] * 3, abs=1e-4)
    assert not found["tiny"].is_zero
    assert found["cut"].is_zero
    assert found["cut"].log10_norm() == -math.inf


@pytest.mark.parametrize("depth", [4, 60])
def test_scaled_in_float32_agrees_with_the_gradient_in_float64_however_deep(depth):
    torch.manual_seed(0)
    wide = nn.Sequential(*itertools.chain(*((nn.Linear(8, 8), nn.Sigmoid()) for _ in range(depth)))).double()
    x = torch.randn(4, 8, dtype=torch.float64)
    truth = undertow.sweep(wide(x).sum(), Gradient(), model=wide)
    found = undertow.sweep(wide.float()(x.float()).sum(), Scaled(), model=wide)
    for name, gradient in truth.items():
        assert found[name].log10_norm() == pytest.approx(float(gradient.norm().log10()), abs=1e-3)
    assert depth == 4 or float(truth["0.weight"].norm()) < 1e-45


def test_two_cotangents_of_very_different_size_are_added_as_far_as_the_digits_go():
    x = torch.ones(2, requires_grad=True)
    found = undertow.sweep((x * 1e-20 * 1e-30).sum() + x[0] * 2, Scaled())["leaf 0"]
    assert found.log10().tolist() == pytest.approx([math.log10(2), -50 if found.mantissa[1] else -math.inf], abs=1e-4)


# Rounded


@pytest.mark.parametrize("net", ["MLP", "CNN", "GPT"])
def test_rounding_to_the_dtype_that_there_is_changes_no_bit(net):
    loss, _ = NETS[net](torch.float64)
    gradient, found = undertow.sweep(loss, Gradient()), undertow.sweep(loss, Rounded(torch.float64, 1024.0))
    for name, narrowed in found.items():
        assert torch.equal(narrowed.exact, gradient[name])
        assert torch.equal(narrowed.rounded / 1024, gradient[name])
        assert (narrowed.lost, narrowed.overflowed, narrowed.error) == (0, 0, 0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e5m2])
def test_rounding_at_every_edge_is_what_hooks_on_pytorchs_own_pass_do(dtype):
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3), nn.Tanh())
    loss = model(torch.randn(7, 6)).square().mean()
    found = undertow.sweep(loss, Rounded(dtype, 64.0), model=model)

    def narrow(parts, _):
        return tuple(part if part is None else part.to(dtype).float() for part in parts)

    for node in Graph.read(loss).nodes:
        if node.next_functions:
            node.register_hook(narrow)
    (loss * 64).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name].rounded, parameter.grad, rtol=1e-6, atol=1e-9)


def test_what_rounding_loses_and_what_overflows_is_told():
    x = torch.ones(4, requires_grad=True)
    loss = (x * torch.tensor([1e-9, 1.0, 1e6, 0.0])).sum()
    found = undertow.sweep(loss, Rounded(torch.float16))["leaf 0"]
    assert (found.lost, found.overflowed) == (1 / 3, 1 / 4)
    assert found.error == math.inf
    assert undertow.sweep(loss, Rounded(torch.float8_e4m3fn))["leaf 0"].overflowed == 1 / 4


@pytest.mark.parametrize(("size", "scale"), [(1.0, 1.0), (1e-6, None), (1e6, 2**-4)])
def test_the_smallest_loss_scale_works_and_half_of_it_does_not(size, scale):
    model = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 1))
    loss = model(torch.randn(7, 6)).square().mean() * size
    found = undertow.precision(loss, torch.float16, model=model)
    assert found.works
    assert set(found.gradients) == {name for name, _ in model.named_parameters()}
    assert scale is None or found.loss_scale == scale or size > 1
    other = undertow.sweep(loss, Rounded(torch.float16, found.loss_scale * (2 if size > 1 else 0.5)), model=model)
    bad = [g.overflowed > 0 or not g.error <= found.tolerance for g in other.values()]
    assert any(bad) or size == 1


def test_no_loss_scale_works_where_gradients_of_one_pass_lie_too_far_apart():
    model = nn.ParameterDict({"large": nn.Parameter(torch.ones(2)), "small": nn.Parameter(torch.ones(2))})
    loss = (model["large"] * 1e4).sum() + (model["small"] * 1e-9).sum()
    found = undertow.precision(loss, torch.float16, model=model)
    assert not found.works
    assert "no loss scale lets gradients survive in float16" in str(found)
    assert found.worst == "small"
    assert undertow.precision(loss, torch.bfloat16, model=model).loss_scale == 1


def test_a_gradient_that_is_rounding_alone_is_not_judged():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    found = undertow.precision(model(torch.randn(32, 4)).square().mean(), torch.bfloat16, model=model)
    assert found.noise == {"0.bias"}
    assert found.works


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float16, 0.0), (torch.float16, math.inf), (torch.int8, 1.0)])
def test_a_rounded_sweep_refuses_what_it_cannot_do(dtype, scale):
    with pytest.raises(GraphError, match="a rounded sweep cannot use"):
        Rounded(dtype, scale)


# Magnitude


class Wide(Algebra):
    """The gradient in float64, through the local derivatives that a narrower forward pass left behind."""

    name, takes_complex = "wide", False

    def seed(self, cotangent):
        return cotangent.double()

    def pull(self, jacobian, cotangent):
        return cast(jacobian, torch.float64).pull(cotangent)

    def add(self, left, right):
        return left + right

    def fit(self, contribution, shape, dtype):
        return fitted(contribution, shape, torch.float64)

    def borrow(self, node, cotangents):
        return None


def assert_bounded(loss):
    found, truth = undertow.sweep(loss, Magnitude()), undertow.sweep(loss, Wide())
    assert set(found) == set(truth)
    for name, bounds in found.items():
        error = (bounds.gradient.double() - truth[name]).abs()
        assert (error <= bounds.error.double() * (1 + 1e-3) + 1e-37).all(), name
    return found, truth


@given(forked_losses(torch.float32))
def test_the_true_rounding_error_is_within_the_bound_on_random_graphs(made):
    assert_bounded(made[0])


@pytest.mark.parametrize("net", ["MLP", "CNN", "GPT"])
def test_the_true_rounding_error_is_within_the_bound_on_usual_nets(net):
    loss, _ = NETS[net](torch.float32)
    found, _ = assert_bounded(loss)
    assert all(0 <= bounds.cancellation <= 1 + 1e-6 for bounds in found.values())
    assert any(bounds.error.any() for bounds in found.values())


def test_the_bound_is_wide_where_a_gradient_is_a_small_difference():
    w = torch.ones(1, requires_grad=True)
    loss = ((w * 1e6) - (w * 0.999999e6)).sum()
    bounds = undertow.sweep(loss, Magnitude())["leaf 0"]
    assert bounds.cancellation == pytest.approx(5e-7, rel=0.1)
    assert 1e-3 < bounds.relative_error < 1


# Max-product


@st.composite
def tiny_losses(draw):
    """A loss of so few entries that all its paths can be walked."""
    seed = draw(seeds)
    leaves = [tensor((2, 2), seed + i).requires_grad_() for i in range(2)]
    values = [tensor((2, 2), seed + 9) @ leaves[0], leaves[1] * 0.5]
    for _ in range(draw(st.integers(1, 3))):
        step = STEPS[draw(st.sampled_from(sorted(set(STEPS) - {"normalized"})))]
        made = step(draw(st.sampled_from(values)), draw(st.sampled_from(leaves)))
        values.append(made + draw(st.sampled_from(values)) if draw(st.booleans()) else made)
    return values[-1].square().mean() + values[0].sum() * 0.1


def every_path(loss, limit=20_000):
    """Each path from the loss to an entry of a leaf, `(leaf, entry, product)`, or None if there are too many."""
    graph, steps = Graph.read(loss), {}
    for index, edges in enumerate(graph.edges):
        for position, edge in enumerate(edges):
            if edge is not None:
                with torch.no_grad():
                    reach = paths(CALCULUS[type(graph.nodes[index]).__name__](graph.nodes[index])[position])
                for t, s in reach.nonzero().tolist():
                    steps.setdefault((index, t), []).append((edge[0], s, float(reach[t, s])))
    leaves = dict(graph.leaves())
    found, stack = [], [(graph.roots[0][0], 0, 1.0)]
    while stack:
        index, entry, product = stack.pop()
        if index in leaves:
            found.append((index, entry, product))
        stack += [(after, s, product * factor) for after, s, factor in steps.get((index, entry), ())]
        if len(found) + len(stack) > limit:
            return None
    return found


@settings(max_examples=40)
@given(tiny_losses())
def test_the_max_product_is_the_largest_of_all_paths(loss):
    walked = every_path(loss)
    assume(walked is not None)
    graph = Graph.read(loss)
    found = undertow.sweep(loss, MaxProduct())
    for n, (index, leaf) in enumerate(graph.leaves()):
        best = torch.zeros(leaf.numel(), dtype=torch.float64)
        for at, entry, product in walked:
            best[entry] = max(best[entry], product) if at == index else best[entry]
        torch.testing.assert_close(found[f"leaf {n}"].reshape(-1), best, rtol=1e-9, atol=0)


@settings(max_examples=40)
@given(tiny_losses())
def test_the_factors_along_the_path_that_is_named_multiply_to_what_it_brings(loss):
    found = undertow.sweep(loss, MaxProduct())
    name = max(found, key=lambda leaf: float(found[leaf].max()))
    assume(float(found[name].max()) > 0)
    path = undertow.strongest_path(loss, name)
    assert 10**path.log10 == pytest.approx(float(found[name].max()), rel=1e-9)
    assert path.steps[0].entry == ()
    assert path.steps[0].log10 == pytest.approx(0)
    assert path.steps[-1].operation == "AccumulateGrad"
    walked = every_path(loss)
    if walked is not None:
        products = [product for _, _, product in walked]
        assert any(product == pytest.approx(10**path.log10, rel=1e-9) for product in products)


def test_the_strongest_path_goes_through_the_entries_that_it_must():
    model = nn.Sequential(nn.Linear(3, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0.1, 0.1], [0.1, 0.1, 5.0]]))
        model[1].weight.copy_(torch.tensor([[3.0, 0.2]]))
    loss = model(torch.tensor([[0.1, 0.2, 4.0], [0.3, 7.0, 0.1]])).sum()
    path = undertow.strongest_path(loss, "0.weight", model=model)
    assert path.steps[-1].entry == (0, 1)
    assert path.log10 == pytest.approx(math.log10(3 * 7))
    assert [step.entry for step in path.steps if step.operation == "MmBackward0"] == [(1, 0), (1, 0)]
    assert undertow.strongest_path(loss, "0.weight", (1, 2), model=model).log10 == pytest.approx(math.log10(0.2 * 4))
    assert str(path).count("\n") == len(path.steps) - 1


def test_the_strongest_path_of_a_net_so_deep_that_products_underflow():
    x = torch.ones(2, requires_grad=True)
    y = x
    for _ in range(10):
        y = y * 1e-9
    assert undertow.strongest_path(y.sum(), "leaf 0").log10 == pytest.approx(-90, abs=1e-3)


@pytest.mark.parametrize("net", ["MLP", "CNN", "GPT"])
def test_the_strongest_path_of_usual_nets_brings_what_the_sweep_says(net):
    loss, _ = NETS[net](torch.float32)
    found = undertow.sweep(loss, Scaled(MaxProduct()))
    for name in [*found][:2]:
        path = undertow.strongest_path(loss, name)
        assert path.log10 == pytest.approx(float(found[name].log10().max()), abs=1e-6)
        factors = [a.log10 - b.log10 for a, b in itertools.pairwise(path.steps)]
        assert all(math.isfinite(factor) for factor in factors)


# What is refused


NEEDY = {
    name: algebra for name, algebra in ALGEBRAS.items() if name in {"magnitude", "max-product", "scaled max-product"}
}


@pytest.mark.parametrize("name", NEEDY)
def test_a_missing_rule_is_told_with_its_place(name):
    model = nn.Linear(3, 3)
    with pytest.warns(UserWarning, match="Anomaly Detection"), torch.autograd.detect_anomaly(check_nan=False):
        y = Shrink.apply(model(torch.randn(2, 3)), 0.5)
    with pytest.raises(MissingRuleError) as caught:
        undertow.sweep(y.sum(), NEEDY[name], model=model)
    first, *rest = str(caught.value).splitlines()
    assert re.match(r"no derivative rule for ShrinkBackward behind the model \(.*test_algebras.py:\d+\)$", first)
    assert f"the {name} sweep behind it" in rest[0]
    assert rest[1] == '  Declare one with @undertow.derivative("ShrinkBackward"), or use the gradient algebra,'
    assert rest[-1].startswith("  Nearest operations that have a rule: ")


@pytest.mark.parametrize("name", sorted({*NEEDY, "rounded"}))
def test_complex_numbers_are_refused_where_nothing_true_would_be_said_of_them(name):
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(GraphError, match=f"the {name} sweep met complex numbers"):
        undertow.sweep(torch.fft.fft(x).abs().sum(), ALGEBRAS[name])
    assert "leaf 0" in undertow.sweep(torch.fft.fft(x).abs().sum(), Scaled())


@pytest.mark.parametrize("name", sorted(ALGEBRAS))
def test_a_sweep_leaves_the_graph_whole_and_grad_alone(name):
    model = nn.Linear(3, 2)
    loss = model(torch.randn(4, 3)).square().sum()
    first, again = (undertow.sweep(loss, ALGEBRAS[name], model=model) for _ in range(2))
    assert list(first) == list(again) == ["bias", "weight"] or set(first) == {"weight", "bias"}
    assert all(p.grad is None for p in model.parameters())
    undertow.backward(loss)
    with pytest.raises(GraphFreedError):
        undertow.sweep(loss, ALGEBRAS[name])


def test_values_within_the_graph_can_be_asked_for_by_name():
    x = torch.ones(3, requires_grad=True)
    hidden = x * 2
    loss = (hidden * hidden).sum()
    found = undertow.sweep(loss, Gradient(), inputs={"hidden": hidden, "x": x})
    assert found["hidden"].tolist() == [4.0] * 3
    assert found["x"].tolist() == [8.0] * 3
    assert undertow.strongest_path(loss, "hidden", inputs={"hidden": hidden}).steps[-1].operation == "MulBackward0"
    for outside in (torch.ones(2), torch.ones(2, requires_grad=True) * 2):
        with pytest.raises(GraphError, match=r"'other', of shape .* is not in the graph"):
            undertow.sweep(loss, Gradient(), inputs={"other": outside})


def test_a_path_to_nowhere_is_refused():
    x = torch.ones(3, requires_grad=True)
    loss = (x * torch.tensor([1.0, 0.0, 1.0])).sum()
    with pytest.raises(GraphError, match="no leaf called 'w'\n  These there are: leaf 0"):
        undertow.strongest_path(loss, "w")
    for entry in ((1,), (5,), (0, 0)):
        with pytest.raises(GraphError, match="no path brings anything to entry"):
            undertow.strongest_path(loss, "leaf 0", entry)
    with pytest.raises(GraphError, match="no path brings anything to 'leaf 0'"):
        undertow.strongest_path((x * 0).sum(), "leaf 0")


@pytest.mark.parametrize("name", sorted(ALGEBRAS))
def test_a_reentrant_checkpoint_is_refused(name):
    x = torch.ones(3, requires_grad=True)
    loss = torch.utils.checkpoint.checkpoint(torch.sin, x, use_reentrant=True).sum()
    with pytest.raises(SweptOnceError, match=r"use_reentrant=False"):
        undertow.sweep(loss, ALGEBRAS[name])
    assert x.grad is None


@pytest.mark.parametrize("name", sorted(ALGEBRAS))
@pytest.mark.parametrize("settings", [{}, {"weight": torch.ones(3)}, {"label_smoothing": 0.1}])
def test_a_mean_over_no_target_is_not_a_number_and_its_gradient_is_zero(name, settings):
    model = nn.Linear(4, 3)
    loss = torch.nn.functional.cross_entropy(model(torch.randn(5, 4)), torch.full((5,), -100), **settings)
    assert loss.isnan()
    arrived = undertow.sweep(loss, ALGEBRAS[name], model=model)
    assert len(arrived) == 2
    assert all(part.eq(0).all() for carried in arrived.values() for part in plain(carried))
