"""Traces by sweeps against dense Hessians: exact where the law holds, and never said to be where it does not."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import undertow
from undertow.curvature import curvature
from undertow.curvature.controlled import controlled
from undertow.curvature.straight import DEPENDS
from undertow.noise import Estimate

SETTINGS = settings(max_examples=25, deadline=None)


class Skip(nn.Module):
    """A residual sum."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


class Functional(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, x):
        return self.call(x)


class Bilinear(nn.Module):
    """A product of two different layers of one input."""

    def __init__(self, width):
        super().__init__()
        self.left, self.right = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        return self.left(x) * self.right(x)


BENDS = {
    "relu": nn.ReLU,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "prelu": nn.PReLU,
    "relu6": nn.ReLU6,
    "hardtanh": nn.Hardtanh,
    "abs": lambda: Functional(torch.abs),
    "clamp": lambda: Functional(lambda x: x.clamp(-0.5, 1)),
    "hardshrink": nn.Hardshrink,
    "softshrink": lambda: nn.Softshrink(0.1),
    "threshold": lambda: nn.Threshold(0.1, 0.3),
    "dropout": nn.Dropout,
}
LAYERS = {
    "linear": lambda: nn.Linear(4, 4),
    "no bias": lambda: nn.Linear(4, 4, bias=False),
    "batch norm": lambda: nn.BatchNorm1d(4),
    "skip": lambda: Skip(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 4))),
}
LOSSES = {
    "cross entropy": (F.cross_entropy, lambda n: torch.randint(3, (n,))),
    "squares": (F.mse_loss, lambda n: torch.randn(n, 3, dtype=torch.float64)),
    "binary": (F.binary_cross_entropy_with_logits, lambda n: torch.rand(n, 3, dtype=torch.float64)),
    "cosine": (lambda out, to: -F.cosine_similarity(out, to).mean(), lambda n: torch.randn(n, 3, dtype=torch.float64)),
    "sum of quartics": (lambda out, to: (out - to).pow(4).sum() - out.square().sum(), lambda n: torch.randn(n, 3)),
}


def check(model, loss, data, *, of="hessian", exactly=()):
    """Against the dense matrix; `exactly` names what must be exact, and nothing else may be said to be."""
    curved = curvature(model, loss, data, of=of)
    diagonal, found, start = curved.operator.matrix().diagonal(), curved.trace(60), 0
    scale = float(diagonal.abs().sum())
    for name, parameter in model.named_parameters():
        block = float(diagonal[start : start + parameter.numel()].sum())
        start += parameter.numel()
        part = found.by_tensor[name]
        if name in exactly:
            assert part.error == 0
            assert part.value == pytest.approx(block, rel=1e-9, abs=1e-11 * scale + 1e-14)
        else:
            assert part.error > 0 or abs(part.value - block) <= 1e-9 * scale
    assert found.whole.value == pytest.approx(
        float(diagonal.sum()), rel=1e-9, abs=8 * found.whole.error + 1e-11 * scale
    )
    return found


def names(model):
    return [name for name, _ in model.named_parameters()]


@SETTINGS
@given(
    st.lists(st.sampled_from([*BENDS, *LAYERS]), min_size=1, max_size=5),
    st.sampled_from([*LOSSES]),
    st.sampled_from(["hessian", "gauss-newton"]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_of_piecewise_linear_networks_the_trace_is_exact(chain, loss, of, several, seed):
    torch.manual_seed(seed)
    inner = [(BENDS | LAYERS)[name]() for name in chain]
    model = nn.Sequential(nn.Linear(3, 4), *inner, nn.Linear(4, 3)).double().eval()
    call, targets = LOSSES[loss]
    data = [(torch.randn(n, 3, dtype=torch.float64), targets(n)) for n in ((5, 3) if several else (5,))]
    assert check(model, call, data, of=of, exactly=names(model)).how.startswith("exact")


@pytest.mark.parametrize("of", ["hessian", "gauss-newton"])
@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.AdaptiveMaxPool2d(3), nn.AvgPool2d(2), nn.Identity()], ids=str)
def test_of_convolutions_with_pooling_too(pool, of):
    torch.manual_seed(0)
    head = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), pool, nn.Conv2d(3, 4, 2), nn.ConvTranspose2d(4, 2, 2), head
    ).double()
    data = torch.randn(6, 2, 8, 8, dtype=torch.float64), torch.randint(3, (6,))
    model(data[0])
    assert check(model.eval(), F.cross_entropy, data, of=of, exactly=names(model)).how.startswith("exact")


class Tied(nn.Module):
    """One layer used twice in a row."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(F.relu(self.layer(x)))


class Gated(nn.Module):
    """A product of two things that one layer gave."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 8)

    def forward(self, x):
        left, right = self.layer(x).chunk(2, 1)
        return left * right


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(1, 3)

    def forward(self, x):
        q, k, v = self.qkv(x[..., None]).unbind(-1)
        return (q[:, :, None] * k[:, None, :]).softmax(-1) @ v[..., None] @ x.new_ones(1, 4) @ x.new_ones(4, 1)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNN(1, 4, nonlinearity="relu", batch_first=True)

    def forward(self, x):
        return self.cell(x[..., None])[0][:, -1]


class Squared(torch.autograd.Function):
    """A custom function of curved output."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, cotangent):
        return 2 * ctx.saved_tensors[0] * cotangent


CURVED = {
    "tanh": (nn.Tanh(), ()),
    "gelu": (nn.GELU(), ()),
    "softmax": (nn.Softmax(1), ()),
    "layer norm": (nn.LayerNorm(4), ()),
    "product": (Bilinear(4), ("1.left.weight", "1.left.bias", "1.right.weight", "1.right.bias")),
    "tied": (Tied(), ("0.weight", "0.bias", "1.layer.bias")),
    "gated": (Gated(), ()),
    "recurrent": (Recurrent(), ("0.weight", "0.bias", "1.cell.weight_ih_l0", "1.cell.bias_ih_l0", "1.cell.bias_hh_l0")),
}


@pytest.mark.parametrize("name", CURVED)
def test_what_bends_the_outputs_is_not_said_to_be_exact(name):
    torch.manual_seed(0)
    inner, straight = CURVED[name]
    model = nn.Sequential(nn.Linear(3, 4), inner, nn.Linear(4, 3)).double()
    data = torch.randn(6, 3, dtype=torch.float64), torch.randint(3, (6,))
    found = check(model, F.cross_entropy, data, exactly=(*straight, "2.weight", "2.bias"))
    assert not found.how.startswith("exact")
    assert check(model, F.cross_entropy, data, of="gauss-newton", exactly=names(model)).how.startswith("exact")


@pytest.mark.parametrize("of", ["hessian", "gauss-newton"])
def test_where_examples_meet_all_is_left_to_probes(of):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)).double()
    data = torch.randn(6, 3, dtype=torch.float64), torch.randint(3, (6,))
    assert "exact" not in check(model, F.cross_entropy, data, of=of).how
    paired = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)).double()

    def between(out, _):
        return (out @ out.T).square().sum()

    assert "exact" not in check(paired, between, data, of=of).how


def test_a_penalty_on_weights_is_left_to_probes():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    data = torch.randn(6, 3, dtype=torch.float64), torch.randint(3, (6,))

    def penalised(out, to):
        return F.cross_entropy(out, to) + model[0].weight.square().sum()

    check(model, penalised, data, exactly=("0.bias", "2.weight", "2.bias"))
    check(model, penalised, data, of="gauss-newton", exactly=names(model))


def test_a_function_of_ones_own_is_curved():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), Functional(Squared.apply), nn.Linear(4, 3)).double()
    data = torch.randn(6, 3, dtype=torch.float64), torch.randint(3, (6,))
    check(model, F.cross_entropy, data, exactly=("2.weight", "2.bias"))


def test_attention_is_curved():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), Attending(), nn.Flatten(), nn.Linear(4, 3)).double()
    data = torch.randn(6, 3, dtype=torch.float64), torch.randint(3, (6,))
    check(model, F.cross_entropy, data, exactly=("3.weight", "3.bias"))


@pytest.mark.parametrize("loss", ["squares", "cosine", "sum of quartics"])
def test_of_more_columns_than_products_random_sums_are_within_their_error(loss):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 12)).double()
    call, _ = LOSSES[loss]
    data = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 12, dtype=torch.float64)
    curved = curvature(model, call, data)
    whole, found = float(curved.operator.matrix().trace()), curved.trace(11)
    assert "random sums" in found.how
    assert found.whole.error > 0
    assert abs(found.whole.value - whole) < 4 * found.whole.error


def test_frozen_parameters_are_left_out():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    model[0].weight.requires_grad_(False)
    data = torch.randn(6, 3, dtype=torch.float64), torch.randint(3, (6,))
    found = curvature(model, F.cross_entropy, data).trace()
    assert list(found.by_tensor) == ["0.bias", "2.weight", "2.bias"]


def convolved(x, w, b):
    return F.conv2d(x, w, b)


def normalised(x, w, b):
    return F.batch_norm(x, x.new_zeros(3), x.new_ones(3), w, b, training=False)


IMAGE = (2, 3, 4, 4)
MADE = {
    "AdaptiveMaxPool2DBackwardBackward0": (lambda x: F.adaptive_max_pool2d(x, 2), IMAGE),
    "AdaptiveMaxPool3DBackwardBackward0": (lambda x: F.adaptive_max_pool3d(x, 2), (*IMAGE, 4)),
    "AvgPool2DBackwardBackward0": (lambda x: F.avg_pool2d(x, 2), IMAGE),
    "AvgPool3DBackwardBackward0": (lambda x: F.avg_pool3d(x, 2), (*IMAGE, 4)),
    "ConvolutionBackwardBackward0": (convolved, IMAGE, (2, 3, 2, 2), (2,)),
    "HardshrinkBackwardBackward0": (F.hardshrink, IMAGE),
    "HardtanhBackwardBackward0": (F.hardtanh, IMAGE),
    "LeakyReluBackwardBackward0": (F.leaky_relu, IMAGE),
    "MaxPool2DWithIndicesBackwardBackward0": (lambda x: F.max_pool2d(x, 2), IMAGE),
    "MaxPool3DWithIndicesBackwardBackward0": (lambda x: F.max_pool3d(x, 2), (*IMAGE, 4)),
    "NativeBatchNormBackwardBackward0": (normalised, IMAGE, (3,), (3,)),
    "PreluKernelBackwardBackward0": (F.prelu, IMAGE, (3,)),
    "SgnBackward0": (torch.abs, IMAGE),
    "SoftshrinkBackwardBackward0": (F.softshrink, IMAGE),
    "ThresholdBackwardBackward0": (F.relu, IMAGE),
}


def nodes(gradient):
    stack, seen = [gradient.grad_fn], set()
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node
            stack += [before for before, _ in node.next_functions]


@pytest.mark.parametrize("name", DEPENDS)
def test_inputs_that_the_table_leaves_out_have_derivative_zero(name):
    torch.manual_seed(0)
    call, *shapes = MADE[name]
    inputs = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    out = call(*inputs)
    gradients = torch.autograd.grad(out, inputs, torch.randn_like(out).requires_grad_(), create_graph=True)
    node = next(node for gradient in gradients for node in nodes(gradient) if node.name() == name)
    for slot, kept in DEPENDS[name].items():
        sent = [torch.randn(m.shape).double() * (n == slot) for n, m in enumerate(node._input_metadata)]
        back = node(*sent)
        for place, part in enumerate(back if isinstance(back, tuple) else (back,)):
            assert place in kept or part is None or not part.any()
            assert place not in kept or (part is not None and part.any())


def test_networks_that_are_sure_of_their_answers_are_exact_in_single_precision_too():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 3))
    inputs = torch.randn(40, 3)
    with torch.no_grad():
        model[2].weight.mul_(8)
    labels = model(inputs).argmax(1)
    found = curvature(model, F.cross_entropy, (inputs, labels)).trace()
    double = curvature(model.double(), F.cross_entropy, (inputs.double(), labels))
    assert found.how.startswith("exact")
    assert found.whole.value == pytest.approx(float(double.operator.matrix().trace()), rel=1e-3)


def quadratic(matrix):
    """The Hessian of a quadratic in two tensors, which is the matrix itself."""
    point = {"a": torch.zeros(30, dtype=torch.float64), "b": torch.zeros(30, dtype=torch.float64)}
    vector = torch.cat([tensor.requires_grad_() for tensor in point.values()])
    return undertow.hessian(vector @ matrix @ vector / 2, point)


def symmetric(generator):
    made = torch.randn(60, 60, generator=generator, dtype=torch.float64)
    return made + made.T


@pytest.mark.parametrize("near", [0.05, 3.0])
def test_a_matrix_of_known_trace_helps_where_it_is_near_and_is_left_alone_where_it_is_not(near):
    generator, off, told = torch.Generator().manual_seed(0), [], []
    for _ in range(40):
        left = symmetric(generator) * near
        other = symmetric(generator)
        matrix, diagonal = left + other, other.diagonal()
        known = {"a": Estimate(float(diagonal[:30].sum()), 0.0), "b": Estimate(float(diagonal[30:].sum()), 0.0)}
        found = controlled(quadratic(matrix), quadratic(other), known, 48)
        assert sum(part.value for part in found.by_tensor.values()) == pytest.approx(found.whole.value)
        off.append((found.whole.value - float(matrix.trace())) / found.whole.error)
        told.append("leaves" in found.how)
    assert all(told) if near < 1 else sum(told) <= 6
    assert sum(abs(o) < 2.3 for o in off) >= 34  # t with 10 degrees of freedom: 95 in 100
