"""Everything that autograd is used for in practice, one test a kind."""

import math
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

import undertow
from tests.engine.test_backward import dense
from tests.engine.twins import borrowed, expected, gradients, largest_error, ours, same_bits
from undertow.engine.algebras import Gradient, Magnitude
from undertow.engine.calculus import CALCULUS
from undertow.engine.graph import Graph
from undertow.engine.maps import Diagonal
from undertow.engine.sweep import sweep
from undertow.errors import SweptOnceError


def agree(build):
    """Borrowed to the last bit, ours to rounding; and that something was computed at all."""
    reference = expected(build)
    assert any(g is not None for g in reference)
    return same_bits(borrowed(build), reference) and largest_error(_dense(ours(build)), _dense(reference)) < 1e-5


def _dense(found):
    return [g.to_dense() if g is not None and g.layout is torch.sparse_coo else g for g in found]


def leaf(*shape):
    return torch.randn(shape, requires_grad=True)


def twice_used():
    a = leaf(3, 3)
    return (a @ a + a).sum(), [a]


def two_losses_on_one_trunk():
    a, b = leaf(3), leaf(3)
    trunk = (a * b).tanh()
    return trunk.exp().sum() + trunk.square().sum() + a.sum(), [a, b]


def leaves_that_are_no_parameters():
    a, b = leaf(3), torch.randn(3)
    return (a * b).sum() * leaf(), [a]


def outputs_unused():
    a = leaf(6)
    left, _, right = a.split(2)
    return (left * right).sum() + a.sort()[0][:2].sum(), [a]


def broadcast_sums():
    a, b, c = leaf(3, 1), leaf(4), leaf()
    return ((a + b) * c - b / (1 + a.square())).square().sum(), [a, b, c]


def written_in_place_through_views():
    a, b = leaf(4, 4), leaf(4)
    x = a * 2
    x[1] = b
    x[:, 2].mul_(3)
    x.view(-1)[3:7].add_(b)
    return x.square().sum(), [a, b]


def overwritten_entirely():
    a, b = leaf(4), leaf(4)
    x = a * 2
    x.copy_(b)
    return (x * a).sum(), [a, b]


def strided():
    a = leaf(12)
    return (a * 2).as_strided((3, 2), (4, 1), 1).square().sum(), [a]


def in_place_activations():
    a = leaf(5)
    return F.leaky_relu_(F.relu_(a * 2) - 1, 0.1).sum(), [a]


def double_precision_in_the_middle():
    a, b = leaf(4), leaf(4)
    return (a.double() * b).sum() + a.half().float().sum(), [a, b]


def complex_numbers():
    a = leaf(6)
    spectrum = torch.fft.rfft(a)
    return (spectrum * spectrum.conj()).abs().sum() + (a * torch.complex(a, a)).abs().sum(), [a]


def embeddings():
    w = leaf(7, 3)
    return F.embedding(torch.tensor([[1, 2, 2], [0, 1, 6]]), w, padding_idx=0).square().sum(), [w]


def sparse_embeddings():
    w = leaf(7, 3)
    return F.embedding(torch.tensor([1, 2, 2]), w, sparse=True).square().sum(), [w]


def a_sparse_and_a_dense_gradient_of_one_leaf():
    w = leaf(7, 3)
    return F.embedding(torch.tensor([1, 2, 2]), w, sparse=True).square().sum() + w.sum(), [w]


def no_path_to_some_leaves():
    a, b = leaf(3), leaf(3)
    return (a * 2 + b.detach()).sum(), [a, b]


def recurrence_in_python():
    w, x = leaf(3, 3), torch.randn(2, 3)
    h = torch.zeros(2, 3)
    for _ in range(6):
        h = torch.tanh(h @ w + x)
    return h.sum(), [w]


def attention_by_hand():
    q, k, v = leaf(2, 3, 4), leaf(2, 5, 4), leaf(2, 5, 4)
    mask = torch.ones(3, 5, dtype=torch.bool).tril()
    scores = (q @ k.mT / 2).masked_fill(~mask, float("-inf")).softmax(-1)
    return (F.dropout(scores, 0.3) @ v).square().sum(), [q, k, v]


KINDS = [
    twice_used,
    two_losses_on_one_trunk,
    leaves_that_are_no_parameters,
    outputs_unused,
    broadcast_sums,
    written_in_place_through_views,
    overwritten_entirely,
    strided,
    in_place_activations,
    double_precision_in_the_middle,
    complex_numbers,
    embeddings,
    sparse_embeddings,
    a_sparse_and_a_dense_gradient_of_one_leaf,
    no_path_to_some_leaves,
    recurrence_in_python,
    attention_by_hand,
]


@pytest.mark.parametrize("build", KINDS, ids=lambda build: build.__name__)
def test_gradients_are_pytorchs_for(build):
    assert agree(build)


def test_in_place_writes_into_views_record_the_nodes_that_they_are_known_for():
    names = {type(node).__name__ for node in Graph.read(written_in_place_through_views()[0]).nodes}
    assert "CopySlices" in names
    assert "AsStridedBackward0" in {type(node).__name__ for node in Graph.read(strided()[0]).nodes}


class Scaled(torch.autograd.Function):
    """Arguments that are no tensors, two outputs, and an input without a gradient."""

    @staticmethod
    def forward(ctx, factor, x, _name, index, w):
        ctx.save_for_backward(x, w)
        ctx.factor = factor
        return x * w * factor, x + index

    @staticmethod
    def backward(ctx, by_product, by_sum):
        x, w = ctx.saved_tensors
        return None, by_product * w * ctx.factor + by_sum, None, None, by_product * x * ctx.factor


class Nothing(torch.autograd.Function):
    @staticmethod
    def forward(_, x, y):
        return x * 1 + y * 1

    @staticmethod
    def backward(_, c):
        return None, c


class Nested(torch.autograd.Function):
    """Differentiates inside of its own backward pass."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, c):
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            inner = x.detach().requires_grad_()
            return torch.autograd.grad(inner.sin(), inner, c)[0]


class Unmaterialized(torch.autograd.Function):
    seen: ClassVar[list[bool]] = []

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 1, x * 2

    @staticmethod
    def backward(_, a, b):
        Unmaterialized.seen.append(b is None)
        return a


def custom_functions():
    x, w = leaf(4), leaf(4)
    product, total = Scaled.apply(2.0, x, "name", torch.tensor(1), w)
    return product.sum() + (total * total).sum(), [x, w]


def custom_function_with_an_output_unused():
    x, w = leaf(4), leaf(4)
    return Scaled.apply(2.0, x, "name", torch.tensor(1), w)[1].sum(), [x, w]


def custom_function_without_gradient():
    x, y = leaf(4), leaf(4)
    return Nothing.apply(x * 2, y).square().sum(), [x, y]


def custom_function_nested():
    x = leaf(4)
    return Nested.apply(Nested.apply(x) * 2).sum(), [x]


@pytest.mark.parametrize(
    "build",
    [custom_functions, custom_function_with_an_output_unused, custom_function_without_gradient, custom_function_nested],
    ids=lambda build: build.__name__,
)
def test_gradients_are_pytorchs_through_python_functions(build):
    assert agree(build)


def test_a_function_that_asks_for_none_instead_of_zeros_gets_zeros():
    # the limit: which of the two it asked for cannot be read from its node
    x = leaf(3)
    undertow.backward(Unmaterialized.apply(x)[0].sum())
    Unmaterialized.apply(x)[0].sum().backward()
    assert Unmaterialized.seen == [False, True]
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


# hooks


def test_hooks_on_leaves_run_once_and_may_change_the_gradient():
    def build():
        a = leaf(3)
        a.register_hook(lambda g: g * 2)
        a.register_hook(lambda g: g.clamp(max=3))
        a.register_hook(lambda _: None)
        return (a * torch.arange(3.0)).sum() + a.sum(), [a]

    assert agree(build)


def test_post_accumulate_hooks_run_once_with_the_gradient_in_place():
    a, seen = leaf(3), []
    a.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
    undertow.backward((a * 2).sum())
    assert seen == [[2.0, 2.0, 2.0]]


@pytest.mark.parametrize(("backward", "calls"), [(torch.autograd.backward, 1), (undertow.backward, 0)])
def test_hooks_on_tensors_within_the_graph_are_not_seen(backward, calls):
    a, seen = leaf(3), []
    middle = a * 2
    middle.register_hook(lambda g: seen.append(g))
    backward(middle.sum())
    assert len(seen) == calls


def test_retain_grad_is_not_seen():
    a = leaf(3)
    middle = a * 2
    middle.retain_grad()
    undertow.backward(middle.sum())
    assert middle.grad is None


@pytest.mark.parametrize(("backward", "calls"), [(torch.autograd.backward, 1), (undertow.backward, 0)])
def test_module_backward_hooks_run_only_as_far_as_functions_carry_them(backward, calls):
    layer, seen = nn.Linear(3, 3), []
    layer.register_full_backward_hook(lambda *_: seen.append(1))
    backward(layer(leaf(2, 3)).sum())
    assert len(seen) == calls


@pytest.mark.parametrize(("backward", "calls"), [(torch.autograd.backward, 1), (undertow.backward, 0)])
def test_hooks_on_the_node_of_a_leaf_are_not_seen_so_data_parallel_reducers_are_not_triggered(backward, calls):
    # DistributedDataParallel hangs its reducer on these nodes
    a, seen = leaf(3), []
    node = torch.autograd.graph.get_gradient_edge(a).node
    node.register_hook(lambda *_: seen.append(1))
    backward((a * 2).sum())
    assert len(seen) == calls


def test_saved_tensors_live_until_the_loss_is_dropped():
    a = leaf(3)
    loss = a.exp().sum()
    undertow.backward(loss)
    assert loss.grad_fn.next_functions[0][0]._saved_result.shape == (3,)
    loss.backward()
    with pytest.raises(RuntimeError, match="already been freed"):
        assert loss.grad_fn.next_functions[0][0]._saved_result is None


def test_second_derivatives_are_not_recorded():
    a = leaf(3)
    undertow.backward((a**3).sum())
    assert not a.grad.requires_grad


# checkpointing


def checkpointed(reentrant, calls=None):
    torch.manual_seed(0)
    first, last = nn.Linear(4, 4), nn.Linear(4, 4)

    def region(x):
        if calls is not None:
            calls.append(1)
        return F.gelu(first(x)).exp().tanh()

    x = leaf(2, 4)
    y = checkpoint(region, x * 2, use_reentrant=reentrant)
    y = checkpoint(region, y, use_reentrant=reentrant)
    return last(y).square().sum(), [x, *first.parameters(), *last.parameters()]


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradients_are_pytorchs_under_checkpointing(reentrant):
    assert agree(lambda: checkpointed(reentrant))


@pytest.mark.parametrize("calculus", [{}, CALCULUS], ids=["borrowed", "ours"])
def test_a_checkpointed_region_is_recomputed_once_a_pass(calculus):
    calls = []
    loss, _ = checkpointed(False, calls)
    assert len(calls) == 2
    undertow.backward(loss, calculus=calculus, retain_graph=True)
    assert len(calls) == 4
    undertow.backward(loss, calculus=calculus)
    assert len(calls) == 6


def test_a_reentrant_checkpoint_is_not_swept_a_second_time():
    loss, leaves = checkpointed(True)
    undertow.backward(loss, retain_graph=True)
    before = [p.grad.clone() for p in leaves[1:3]]
    with pytest.raises(
        SweptOnceError, match=r"CheckpointFunctionBackward\) cannot be swept a second time\n.*twice\.\n"
    ):
        undertow.backward(loss, retain_graph=True)
    assert same_bits([p.grad for p in leaves[1:3]], before)


def test_a_reentrant_checkpoint_refuses_inputs_before_anything_is_accumulated():
    loss, leaves = checkpointed(True)
    with pytest.raises(SweptOnceError, match=r"inputs= and calculus= cannot be honoured .*\n.*\n.*use_reentrant=False"):
        undertow.backward(loss, inputs=leaves[0])
    assert all(p.grad is None for p in leaves)


def test_a_reentrant_checkpoint_refuses_a_calculus_of_ones_own():
    loss, _ = checkpointed(True)
    with pytest.raises(SweptOnceError, match="cannot be honoured"):
        undertow.backward(loss, calculus={**CALCULUS, "ExpBackward0": CALCULUS["ReluBackward0"]})


MAGNITUDE, ONE = Magnitude(), torch.ones(())


def test_a_reentrant_checkpoint_refuses_another_algebra():
    loss, leaves = checkpointed(True)
    graph = Graph.read(loss)
    with torch.no_grad(), pytest.raises(SweptOnceError, match="the magnitude sweep met a region under reentrant"):
        sweep(
            graph,
            [Magnitude().seed(torch.ones(()))],
            Magnitude(),
            {index: lambda _: None for index, _ in graph.leaves()},
        )
    assert all(p.grad is None for p in leaves)


def test_a_rule_of_ones_own_serves_every_algebra():
    a = leaf(3)
    graph, arrived = Graph.read(-torch.special.i0(a).sum()), []
    own = {**CALCULUS, "I0Backward0": lambda node: (Diagonal(torch.special.i1(node._saved_self)),)}
    places = {index: arrived.append for index, _ in graph.leaves()}
    with torch.no_grad():
        for algebra in (Gradient(), Magnitude()):
            assert not sweep(graph, [algebra.seed(torch.ones(()))], algebra, places, calculus=own)
        gradient, bound = (cotangents[0] for cotangents in arrived)
        torch.testing.assert_close(gradient, -torch.special.i1(a))
        torch.testing.assert_close(bound.magnitude, torch.special.i1(a).abs())


def test_a_rule_may_decline_and_its_operation_is_borrowed():
    a = leaf(3)
    flow = undertow.backward(a.exp().sum(), calculus={**CALCULUS, "ExpBackward0": lambda _: None})
    assert flow.borrowed == {"ExpBackward0": 1}
    torch.testing.assert_close(a.grad, a.detach().exp())


@pytest.mark.parametrize("calculus", [{}, CALCULUS], ids=["borrowed", "ours"])
def test_what_is_not_finite_arrives_where_pytorch_lets_it_arrive(calculus):
    def build():
        a = torch.tensor([0.0, 4.0, -1.0], requires_grad=True)
        guarded = torch.where(a > 0, a.sqrt(), 0.0)
        held = F.relu(a) * torch.tensor([math.inf, 1.0, math.inf])
        return guarded.sum() + held.clamp(0, 3).nan_to_num().sum(), [a]

    (found,) = gradients(build, lambda loss: undertow.backward(loss, calculus=calculus))
    torch.testing.assert_close(found, expected(build)[0], equal_nan=True, rtol=1e-6, atol=0)
    assert found.isnan().any()
    assert not found.isnan().all()


# precision and compilation


def test_gradients_are_pytorchs_under_bfloat16_autocast():
    def build():
        model = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(torch.randn(4, 6)), torch.tensor([0, 1, 2, 0]))
        return loss, [*model.parameters()]

    reference = expected(build)
    assert same_bits(borrowed(build), reference)
    assert largest_error(ours(build), reference) < 2e-2  # bfloat16 has 8 bits


def test_gradients_are_pytorchs_for_bfloat16_weights():
    def build():
        model = dense(6, 8, 3).bfloat16()
        return model(torch.randn(4, 6).bfloat16()).square().sum(), [*model.parameters()]

    assert same_bits(borrowed(build), expected(build))


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_gradients_are_pytorchs_for_a_compiled_model():
    model = dense(6, 8, 3)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    inputs = torch.randn(4, 6)

    def build():
        model.zero_grad()
        return compiled(inputs).square().sum(), [*model.parameters()]

    reference = expected(build)
    assert "CompiledFunctionBackward" in {type(n).__name__ for n in Graph.read(build()[0]).nodes}
    assert same_bits(gradients(build, lambda loss: undertow.backward(loss, calculus={})), reference)
    assert largest_error(gradients(build, undertow.backward), reference) < 1e-6


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_sweeping_works_in_anomaly_mode():
    with torch.autograd.set_detect_anomaly(True):
        assert agree(two_losses_on_one_trunk)


def test_an_exception_in_a_users_backward_reaches_the_user():
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x * 1

        @staticmethod
        def backward(*_):
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        undertow.backward(Broken.apply(leaf(2)).sum())
