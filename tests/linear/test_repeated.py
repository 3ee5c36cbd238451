"""Products that are repeated from notes against PyTorch's double backward pass and dense Hessians."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import undertow
from undertow.curvature import eigen
from undertow.curvature.twice import twice_differentiable
from undertow.errors import GraphError


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.norm = nn.Embedding(7, 6), nn.LayerNorm(6)
        self.three, self.out, self.head = nn.Linear(6, 18), nn.Linear(6, 6), nn.Linear(6, 7)

    def forward(self, x):
        x = self.token(x)
        q, k, v = (part.reshape(*x.shape[:2], 2, 3).transpose(1, 2) for part in self.three(self.norm(x)).chunk(3, -1))
        mixed = (q @ k.mT / 3**0.5).softmax(-1) @ v
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return self.head(F.gelu(x)).flatten(0, 1)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.end = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.end(F.silu(h + self.second(h).relu_()))


def convolutions():
    model = nn.Sequential(
        *(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    )
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(), module.running_var.uniform_(0.5, 2)
    return model.eval()


CASES = {
    "perceptron": lambda: (
        nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 3)),
        (torch.randn(9, 4), torch.randint(3, (9,))),
    ),
    "convolutions": lambda: (convolutions(), (torch.randn(6, 2, 8, 8), torch.randint(3, (6,)))),
    "residual": lambda: (Residual(), (torch.randn(9, 4), torch.randint(3, (9,)))),
    "attention": lambda: (Attention(), (torch.randint(7, (3, 4)), torch.randint(7, (12,)))),
}


def often(loss, model):
    return dataclasses.replace(undertow.hessian(loss, model), often=True)


def perceptron():
    model, (x, y) = CASES["perceptron"]()
    model.double()
    return model, F.cross_entropy(model(x.double()), y)


def drawn(operator):
    return [torch.randn_like(tensor) for tensor in operator.inputs]


def repeating(operator):
    """The same operator when its next product is the first that is repeated."""
    operator._push(drawn(operator))
    assert operator._repeated._notes is not None
    return operator


def gap(found, expected):
    found, expected = (torch.cat([t.flatten() for t in tensors]) for tensors in (found, expected))
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_repeated_products_are_those_of_the_double_backward_pass_and_of_the_dense_matrix(name, dtype):
    torch.manual_seed(0)
    model, (x, y) = CASES[name]()
    model.to(dtype)
    with twice_differentiable():
        loss = F.cross_entropy(model(x.to(dtype) if x.is_floating_point() else x), y)
    operator = repeating(often(loss, model))
    dense = operator.matrix()
    rounding = 100 * torch.finfo(dtype).eps
    for _ in range(3):
        v = drawn(operator)
        found = operator._push(v)
        assert operator._repeated._notes is not None
        assert gap(found, operator._swept(v)) < rounding
        assert gap(found, [dense @ operator.source.flat(v)]) < rounding


def test_products_of_large_matrices_are_repeated_of_their_own_accord_and_have_the_same_eigenvalue():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(256, 256), nn.Tanh(), nn.Linear(256, 10))
    x, y = torch.randn(128, 256), torch.randint(10, (128,))
    own = undertow.hessian(F.cross_entropy(model(x), y), model)
    plain = dataclasses.replace(own, often=False)
    assert own.often
    found, expected = (eigen(each).largest.value for each in (own, plain))
    assert own._repeated._notes is not None
    assert found == pytest.approx(expected, rel=1e-5)


def test_small_products_and_double_precision_are_left_to_pytorch():
    small, wide = nn.Linear(4, 4), nn.Linear(256, 256).double()
    assert not undertow.hessian(small(torch.randn(4, 4)).square().sum(), small).often
    assert not undertow.hessian(wide(torch.randn(256, 256).double()).square().sum(), wide).often


def test_batches_of_vectors_are_left_to_pytorch():
    operator = repeating(often(*reversed(perceptron())))
    np.testing.assert_allclose(operator.matrix(), operator.matrix().T, atol=1e-12)


def test_weights_changed_in_place_are_told_as_pytorch_tells_them():
    model, loss = perceptron()
    operator = repeating(often(loss, model))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)
    with pytest.raises(GraphError, match="changed"):
        operator._push(drawn(operator))


class Outside(torch.autograd.Function):
    """A cube whose second derivative is computed by NumPy, which PyTorch sees nothing of."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        return Slope.apply(ctx.saved_tensors[0], gradient)


class Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gradient):
        ctx.save_for_backward(x, gradient)
        return 3 * x**2 * gradient

    @staticmethod
    def backward(ctx, change):
        x, gradient = ctx.saved_tensors
        return torch.from_numpy(6 * x.numpy() * gradient.numpy() * change.numpy()), 3 * x**2 * change


class Reading(Outside):
    """The same, with a second derivative that reads a number out of a tensor."""

    @staticmethod
    def backward(ctx, gradient):
        return Read.apply(ctx.saved_tensors[0], gradient)


class Read(Slope):
    @staticmethod
    def backward(ctx, change):
        x, gradient = ctx.saved_tensors
        first = change.flatten()[0].item()
        return 6 * x * gradient * (change * 0 + change if first > 0 else change), 3 * x**2 * change


@pytest.mark.parametrize("cube", [Outside, Reading])
def test_what_pytorch_does_not_see_is_never_repeated_wrong(cube):
    torch.manual_seed(0)
    model, x = nn.Linear(4, 3).double(), torch.randn(9, 4, dtype=torch.float64)
    operator = often(cube.apply(model(x)).square().sum(), model)
    dense = undertow.hessian((model(x) ** 3).square().sum(), model).matrix()
    for _ in range(4):
        v = drawn(operator)
        assert gap(operator._push(v), [dense @ operator.source.flat(v)]) < 1e-12
    assert operator._repeated._notes is None


def test_python_functions_in_a_gradient_keep_it_from_being_noted():
    model, x = nn.Linear(256, 256), torch.randn(256, 256)
    assert undertow.hessian((model(x) ** 3).square().sum(), model).often
    assert not undertow.hessian(Outside.apply(model(x)).square().sum(), model).often


def test_an_answer_that_is_the_vector_itself_is_left_to_pytorch():
    weight = torch.randn(5, dtype=torch.float64, requires_grad=True)
    operator = often(weight.square().sum() / 2, weight)
    for _ in range(3):
        v = torch.randn(5, dtype=torch.float64)
        answer = operator.push(v)
        np.testing.assert_allclose(answer, v)
        assert answer is not v
