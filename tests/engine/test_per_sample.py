"""Norms of single examples' gradients, against one backward pass of PyTorch's an example."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import undertow
from benchmarks.models import GPT
from tests.strategies import forked_values, seeds
from undertow.engine.per_sample import contributions
from undertow.errors import ExamplesMixError, GraphError, GraphFreedError

N = 6


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def numbers(*shape):
    return torch.randn(shape, dtype=torch.float64)


def words(*shape):
    return torch.randint(11, shape)


class Last(nn.Module):
    """A recurrent net and a head on its last output."""

    def __init__(self, kind, **options):
        super().__init__()
        self.recurrence = kind(3, 5, **options)
        self.head = nn.Linear(5, 4)
        self.first = options.get("batch_first", False)

    def forward(self, x):
        outputs = self.recurrence(x if self.first else x.transpose(0, 1))[0]
        return self.head(outputs[:, -1] if self.first else outputs[-1])


class Unrolled(nn.Module):
    """One cell over four steps, and its own weights again as the head."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(3, 5)

    def forward(self, x):
        state = x.new_zeros(len(x), 5)
        for step in x.unbind(1):
            state = self.cell(step, state)
        return state @ self.cell.weight_hh.T


class Twice(nn.Module):
    """One matrix and one bias, used in every way that comes to mind."""

    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(5, 5)), nn.Parameter(torch.randn(5))

    def forward(self, x):
        hidden = (x @ self.w + self.b).tanh()
        return hidden @ self.w.T @ (self.w * self.w) * self.b + self.w[0] + self.w.sum()


class Viewed(nn.Module):
    """Weights that are read through views, cuts, indices and a low-rank product."""

    def __init__(self):
        super().__init__()
        self.flat, self.pair = nn.Parameter(torch.randn(20)), nn.Parameter(torch.randn(8, 5))
        self.a, self.b = nn.Parameter(torch.randn(4, 2)), nn.Parameter(torch.randn(2, 5))
        self.scale, self.table = nn.Parameter(torch.randn(1, 1)), nn.Parameter(torch.randn(3, 4))

    def forward(self, x):
        left, right = self.pair.chunk(2)
        weight = self.flat.view(5, 4).T + self.scale.expand(4, 5) * left + right.flip(0) * 2 + self.a @ self.b
        return x @ weight.T + self.table[torch.tensor([0, 2, 2])].sum(0)


class Attention(nn.Module):
    """PyTorch's own encoder layer, over tokens that are pooled."""

    def __init__(self, batch_first=True):
        super().__init__()
        self.first = batch_first
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=batch_first)

    def forward(self, x):
        return self.layer(x).mean(1) if self.first else self.layer(x.transpose(0, 1)).mean(0)


class Tied(nn.Module):
    """A language model whose table of tokens is its head."""

    def __init__(self):
        super().__init__()
        self.gpt = GPT(vocabulary=11, width=8, tokens=5, layers=1, heads=2)
        self.gpt.head.weight = self.gpt.token.weight

    def forward(self, x):
        return self.gpt(x).view(len(x), -1)


class Picking(nn.Module):
    """The token that each example names, out of its sequence."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x):
        return self.layer(x)[torch.arange(len(x)), torch.arange(len(x)) % x.shape[1]]


def convolutional(*layers, channels=4, ndim=2):
    return nn.Sequential(*layers, nn.Flatten()), numbers(N, channels, *[7] * ndim)


def pooled():
    return nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(2)


weight_norm, spectral_norm = torch.nn.utils.parametrizations.weight_norm, torch.nn.utils.parametrizations.spectral_norm

NETS = {
    "mlp": lambda: (
        nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 7), nn.Tanh(), nn.Linear(7, 4)),
        numbers(N, 5),
    ),
    "layer norm": lambda: (nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 4)), numbers(N, 5)),
    "tokens": lambda: (nn.Sequential(nn.Linear(5, 6), nn.RMSNorm(6), nn.Linear(6, 4)), numbers(N, 3, 5)),
    "cnn": lambda: convolutional(nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), *pooled(), nn.Conv2d(6, 2, 2)),
    "groups": lambda: convolutional(
        nn.Conv2d(4, 6, 3, groups=2), nn.GroupNorm(3, 6), nn.SiLU(), nn.Conv2d(6, 6, 2, groups=6)
    ),
    "strided": lambda: convolutional(
        nn.Conv2d(4, 6, (3, 2), stride=(2, 3), dilation=(1, 2), padding=(0, 2), bias=False)
    ),
    "transposed": lambda: convolutional(
        nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2),
        nn.ELU(),
        nn.AvgPool2d(3),
    ),
    "conv1d": lambda: convolutional(nn.Conv1d(4, 5, 3, dilation=2), nn.Tanh(), nn.ConvTranspose1d(5, 3, 2), ndim=1),
    "conv3d": lambda: convolutional(nn.Conv3d(2, 3, 2, stride=2), nn.Tanh(), channels=2, ndim=3),
    "circular": lambda: convolutional(nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular")),
    "batch norm, eval": lambda: convolutional(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5).eval(), nn.ReLU()),
    "embedding": lambda: (nn.Sequential(nn.Embedding(11, 4, padding_idx=3), nn.Linear(4, 4)), words(N, 5)),
    "one word": lambda: (nn.Sequential(nn.Embedding(11, 4), nn.Linear(4, 4)), words(N)),
    "gpt": lambda: (nn.Sequential(GPT(11, 8, 5, 2, 2), nn.Unflatten(0, (N, 5))), words(N, 5)),
    "tied": lambda: (Tied(), words(N, 5)),
    "encoder": lambda: (Attention(), numbers(N, 4, 8)),
    "encoder, time first": lambda: (Attention(batch_first=False), numbers(N, 4, 8)),
    "rnn": lambda: (Last(nn.RNN, batch_first=True, num_layers=2), numbers(N, 4, 3)),
    "gru, time first": lambda: (Last(nn.GRU), numbers(N, 4, 3)),
    "lstm": lambda: (Last(nn.LSTM), numbers(N, 4, 3)),
    "unrolled": lambda: (Unrolled(), numbers(N, 4, 3)),
    "twice": lambda: (Twice(), numbers(N, 5)),
    "viewed": lambda: (Viewed(), numbers(N, 5)),
    "weight norm": lambda: (nn.Sequential(weight_norm(nn.Linear(5, 6)), nn.Tanh(), nn.Linear(6, 4)), numbers(N, 5)),
    "spectral norm": lambda: (nn.Sequential(spectral_norm(nn.Linear(5, 6)), nn.Tanh(), nn.Linear(6, 4)), numbers(N, 5)),
    "bilinear": lambda: (nn.Sequential(nn.Linear(5, 4), Twin(nn.Bilinear(4, 4, 3))), numbers(N, 5)),
    "picking": lambda: (Picking(), numbers(N, 4, 3)),
    "one example": lambda: (nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)), numbers(1, 5)),
}


class Twin(nn.Module):
    """A module of two inputs that are one."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x, x.flip(-1))


def made(name):
    torch.manual_seed(1)
    model, inputs = NETS[name]()
    return model.double(), inputs


def single_gradients(losses, parameters):
    """By PyTorch, one backward pass an example: for each parameter (examples, …)."""
    rows = []
    for loss in losses:
        gradients = torch.autograd.grad(loss.sum(), parameters, retain_graph=True, allow_unused=True)
        rows.append([torch.zeros_like(p) if g is None else g for p, g in zip(parameters, gradients, strict=True)])
    return [torch.stack(column) for column in zip(*rows, strict=True)]


def squares_of(losses, model):
    names, parameters = zip(*model.named_parameters(), strict=True)
    return {
        name: gradients.flatten(1).square().sum(1)
        for name, gradients in zip(names, single_gradients(losses, parameters), strict=True)
    }


def same(left, right, scale=1.0):
    assert set(left) == set(right)
    largest = max(float(squares.max()) for squares in right.values())
    for name in right:
        torch.testing.assert_close(left[name] / scale**2, right[name], rtol=1e-10, atol=1e-13 * largest)


@pytest.mark.parametrize("name", NETS)
def test_they_are_those_of_one_backward_pass_an_example(name):
    model, inputs = made(name)
    losses = model(inputs).square().flatten(1)
    norms = undertow.per_sample_norms(losses, model)
    expected = squares_of(losses, model)
    same(norms.squares, expected)
    torch.testing.assert_close(norms.total(), sum(expected.values()))
    torch.testing.assert_close(norms.norms() ** 2, norms.total())


@pytest.mark.parametrize("name", NETS)
def test_along_with_them_the_same_sweep_has_gradients_and_inner_products(name):
    model, inputs = made(name)
    losses = model(inputs).square().flatten(1)
    found, _ = contributions(losses, model, None, lambda parts: (parts.total(), parts.along(parts.total())))
    names, parameters = zip(*model.named_parameters(), strict=True)
    for at, gradients in zip(names, single_gradients(losses, parameters), strict=True):
        total, along = found[at]
        size = gradients.sum(0).square().sum()
        torch.testing.assert_close(total, gradients.sum(0), rtol=1e-9, atol=1e-9 * float(size.sqrt()))
        torch.testing.assert_close(
            along, gradients.flatten(1) @ gradients.sum(0).flatten(), rtol=1e-9, atol=1e-9 * float(size)
        )


REDUCED = {
    "cross entropy": (
        lambda y: F.cross_entropy(y, torch.arange(N) % 3),
        lambda y: F.cross_entropy(y, torch.arange(N) % 3, reduction="none"),
        N,
    ),
    "summed": (
        lambda y: F.cross_entropy(y, torch.arange(N) % 3, reduction="sum"),
        lambda y: F.cross_entropy(y, torch.arange(N) % 3, reduction="none"),
        1,
    ),
    "mse": (lambda y: F.mse_loss(y, torch.ones_like(y)), lambda y: (y - 1).square().mean(1), N),
    "smooth": (
        lambda y: F.smooth_l1_loss(y, torch.ones_like(y)),
        lambda y: F.smooth_l1_loss(y, torch.ones_like(y), reduction="none").mean(1),
        N,
    ),
    "logits": (
        lambda y: F.binary_cross_entropy_with_logits(y, (y > 0).double()),
        lambda y: F.binary_cross_entropy_with_logits(y, (y > 0).double(), reduction="none").mean(1),
        N,
    ),
    "own": (lambda y: (y.exp().mean(1).log() ** 2).mean() * 3, lambda y: 3 * y.exp().mean(1).log() ** 2, N),
    "two terms": (
        lambda y: y.square().mean() + 0.5 * y.abs().sum() / N,
        lambda y: y.square().mean(1) + 0.5 * y.abs().sum(1),
        N,
    ),
    "weighted": (
        lambda y: (torch.arange(N).double() * y.square().sum(1)).sum(),
        lambda y: torch.arange(N) * y.square().sum(1),
        1,
    ),
}


@pytest.mark.parametrize("name", REDUCED)
def test_a_reduced_loss_has_each_examples_share(name):
    reduced, apart, parts = REDUCED[name]
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4)).double()
    outputs = model(numbers(N, 5))
    norms = undertow.per_sample_norms(reduced(outputs), model, examples=N)
    same(norms.squares, squares_of(apart(outputs), model), scale=1 / parts)


@pytest.mark.parametrize("name", ["gpt", "tied", "rnn", "encoder, time first", "cnn", "weight norm", "unrolled"])
def test_a_reduced_loss_of_any_net_does_too(name):
    model, inputs = made(name)
    outputs = model(inputs)
    flat = outputs.flatten(0, -2)  # in a language model N·T × C, what belongs to one example together
    losses = F.cross_entropy(flat, torch.arange(len(flat)) % 2, reduction="none")
    norms = undertow.per_sample_norms(losses.mean(), model, examples=N)
    same(norms.squares, squares_of(losses.view(N, -1), model), scale=1 / len(losses))


@given(forked_values())
def test_weights_used_many_times_along_random_graphs(drawn):
    values, leaves = drawn
    losses = sum((value.square().sum(1) for value in values[-2:]), start=values[1].sum(1))
    model = nn.Module()
    for i, leaf in enumerate(leaves):
        model.register_parameter(str(i), nn.Parameter(leaf.detach().clone()))
    # The leaves are plain tensors: give the model those that the graph was made from.
    model._parameters = {str(i): leaf for i, leaf in enumerate(leaves)}
    expected = {name: s for name, s in squares_of(losses, model).items() if s.any()}
    norms = undertow.per_sample_norms(losses, model)
    found = {name: s for name, s in norms.squares.items() if s.any()}
    assert set(found) == set(expected)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-9, atol=1e-9 * float(expected[name].max()))
    assert not norms.borrowed


@settings(max_examples=25)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), seeds)
def test_of_any_shape(count, terms, width, heads, seed):
    torch.manual_seed(seed)
    model = GPT(7, width * heads, terms, 1, heads).double()
    outputs = model(torch.randint(7, (count, terms))).view(count, -1)
    same(undertow.per_sample_norms(outputs.tanh(), model).squares, squares_of(outputs.tanh(), model))


def test_an_operation_without_a_rule_costs_a_product_an_example_and_is_named():
    class Cubed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, cotangent):
            return 3 * ctx.saved_tensors[0] ** 2 * cotangent

    first, second = nn.Linear(5, 4).double(), nn.Linear(4, 3).double()
    model = nn.ModuleList([first, second])
    losses = second(Cubed.apply(first(numbers(N, 5)))).square().sum(1)
    norms = undertow.per_sample_norms(losses, model)
    assert norms.borrowed == {"CubedBackward": 1}
    same(norms.squares, squares_of(losses, model))


def test_a_fused_lstm_is_told_apart_too():
    model = Last(nn.LSTM, batch_first=True)
    losses = model(torch.randn(N, 4, 3)).square().sum(1)
    norms = undertow.per_sample_norms(losses, model)
    expected = squares_of(losses, model)
    assert all(torch.allclose(norms.squares[name], expected[name], rtol=1e-4) for name in expected)


def test_neither_gradients_nor_the_graph_are_touched():
    model, inputs = made("mlp")
    loss = model(inputs).square().mean()
    undertow.per_sample_norms(loss, model, examples=N)
    assert all(parameter.grad is None for parameter in model.parameters())
    loss.backward()


def test_parameters_that_the_losses_do_not_depend_on_are_left_out():
    model = nn.ModuleList([nn.Linear(5, 4), nn.Linear(5, 4)])
    norms = undertow.per_sample_norms(model[1](torch.randn(N, 5)).sum(1), model)
    assert set(norms.squares) == {"1.weight", "1.bias"}


def mixing(model, loss, *, examples=None):
    with pytest.raises(ExamplesMixError) as caught:
        undertow.per_sample_norms(loss, model, examples=examples)
    return str(caught.value)


@pytest.mark.parametrize("reduced", [False, True])
def test_batch_normalisation_in_training_mode_is_refused_by_name(reduced):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 2))
    losses = model(torch.randn(N, 3, 5, 5)).square().sum(1)
    told = mixing(model, losses.mean(), examples=N) if reduced else mixing(model, losses)
    assert "examples mix at NativeBatchNormBackward0 of 1" in told
    assert ".eval()" in told


def test_its_line_is_told_where_anomaly_mode_recorded_it():
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4))
    with torch.autograd.set_detect_anomaly(True):
        losses = model(torch.randn(N, 5)).sum(1)
    assert "test_per_sample.py:" in mixing(model, losses)


def test_a_softmax_over_examples_is_refused():
    model = nn.Linear(5, 4)
    assert "SoftmaxBackward0" in mixing(model, model(torch.randn(N, 5)).softmax(0).square().sum(1))


def test_a_loss_over_pairs_is_refused():
    model = nn.Linear(5, 4)
    z = model(torch.randn(N, 5))
    assert "by itself, and for all examples together" in mixing(
        model, F.cross_entropy(z @ z.T, torch.arange(N), reduction="none")
    )


def test_a_loss_over_pairs_of_two_towers_is_refused_once_it_is_reduced():
    model = nn.ModuleList([nn.Linear(5, 4), nn.Linear(3, 4)])
    pairs = model[0](torch.randn(N, 5)) @ model[1](torch.randn(N, 3)).T
    assert "computed from data" in mixing(model, F.cross_entropy(pairs, torch.arange(N)), examples=N)


def test_centring_over_examples_is_refused():
    model = nn.Linear(5, 4)
    y = model(torch.randn(N, 5))
    assert "together" in mixing(model, (y - y.mean(0)).square().sum(1))


@pytest.mark.parametrize("width", [N, 2 * N])
def test_a_loss_reduced_over_the_examples_first_is_refused(width):
    for model in (nn.Linear(5, width), nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, width))):
        assert mixing(model, model(torch.randn(N, 5)).square().mean(0).sum(), examples=N)


def test_time_before_examples_in_a_reduced_loss_is_refused():
    model = nn.RNN(3, 5)
    outputs = model(torch.randn(2 * N, N, 3))[0]
    assert "does not hold" in mixing(model, outputs.square().mean(), examples=N)
    assert mixing(model, outputs.flatten(0, 1).square().mean(), examples=N)


def test_a_penalty_on_the_weights_within_the_loss_is_refused():
    model = nn.Linear(5, N)
    loss = model(torch.randn(N, 5)).square().mean() + model.weight.square().sum()
    assert "made of this parameter alone" in mixing(model, loss, examples=N)


@pytest.mark.parametrize("examples", [5, 7, 4])
def test_a_number_of_examples_that_the_loss_does_not_have_is_refused(examples):
    model = nn.Linear(5, 3)
    y = model(torch.randn(N, 5))
    assert f"does not hold {examples} examples" in mixing(model, y.square().mean(), examples=examples)
    with pytest.raises(GraphError, match="whose loss is whose"):
        undertow.per_sample_norms(y.sum(1), model, examples=examples)


def test_a_reduced_loss_without_the_number_of_examples_is_refused():
    model = nn.Linear(5, 3)
    with pytest.raises(GraphError, match='reduction="none"'):
        undertow.per_sample_norms(model(torch.randn(N, 5)).mean(), model)


def test_a_freed_graph_is_refused():
    model, inputs = made("mlp")
    losses = model(inputs).square().sum(1)
    losses.sum().backward()
    with pytest.raises(GraphFreedError):
        undertow.per_sample_norms(losses, model)


def test_losses_that_need_no_gradient_or_are_complex_are_refused():
    with pytest.raises(GraphError, match="does not require a gradient"):
        undertow.per_sample_norms(torch.ones(3), nn.Linear(1, 1))
    with pytest.raises(GraphError, match="complex"):
        undertow.per_sample_norms(torch.ones(3, dtype=torch.complex64, requires_grad=True) * 2, nn.Linear(1, 1))
