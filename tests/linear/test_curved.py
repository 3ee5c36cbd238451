"""Hessians and Gauss–Newton matrices against `torch.func`, and SciPy's solvers on them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import cg, eigsh, svds
from torch import nn
from torch.func import functional_call
from torch.func import hessian as dense_hessian

import undertow
from undertow.errors import GraphError, GraphFreedError, SpaceError

LOSSES = {
    "cross-entropy": (F.cross_entropy, torch.tensor([0, 2, 1, 2, 0])),
    "squares": (F.mse_loss, torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(5, 3)),
    "logistic": (F.binary_cross_entropy_with_logits, torch.linspace(0, 1, 15, dtype=torch.float64).reshape(5, 3)),
    "smoothed": (lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1), torch.tensor([0, 2, 1, 2, 0])),
    "not convex": (lambda z, y: (z.sin() * y).sum(), torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(5, 3)),
}

# What torch.func does on its first forward derivative.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    return model, torch.randn(5, 4, dtype=torch.float64)


def flat(blocks, names):
    return torch.cat(
        [
            torch.cat(
                [blocks[a][b].reshape(blocks[a][a].shape[: blocks[a][a].ndim // 2].numel(), -1) for b in names], 1
            )
            for a in names
        ]
    )


def close(left, right):
    return left.shape == right.shape and float((left - right).abs().max()) <= 1e-12 * float(right.abs().max())


@pytest.mark.parametrize("name", LOSSES)
def test_the_hessian_is_that_of_torch_func(name):
    loss_of, y = LOSSES[name]
    model, x = network()
    weights = {n: p.detach() for n, p in model.named_parameters()}
    expected = flat(dense_hessian(lambda w: loss_of(functional_call(model, w, (x,)), y))(weights), [*weights])
    hessian = undertow.hessian(loss_of(model(x), y), model)
    assert close(hessian.matrix(), expected)
    assert hessian.adjoint() is hessian


@pytest.mark.parametrize("name", LOSSES)
def test_gauss_newton_is_the_jacobian_around_the_hessian_of_the_loss(name):
    loss_of, y = LOSSES[name]
    model, x = network()
    z = model(x)
    loss = loss_of(z, y)
    operator = undertow.gauss_newton(loss, z, model)
    jacobian = undertow.linearize(z, model).matrix()
    curvature = dense_hessian(lambda z: loss_of(z, y))(z.detach()).reshape(z.numel(), z.numel())
    expected = jacobian.T @ curvature @ jacobian
    assert close(operator.matrix(), expected)
    v = torch.randn(len(expected), dtype=torch.float64)
    pushed = operator.push(operator.source.point(operator.source.unflat(v)))
    assert close(operator.target.flat([*pushed.values()]), expected @ v)
    if name != "not convex":
        assert float(torch.linalg.eigvalsh(expected)[0]) > -1e-12


def test_gauss_newton_of_a_linear_network_with_squares_is_its_hessian():
    x, y = torch.randn(6, 3, dtype=torch.float64), torch.randn(6, 2, dtype=torch.float64)
    model = nn.Linear(3, 2).double()
    z = model(x)
    loss = F.mse_loss(z, y)
    assert close(undertow.gauss_newton(loss, z, model).matrix(), undertow.hessian(loss, model).matrix())


@pytest.mark.parametrize("make", [undertow.hessian, undertow.gauss_newton], ids=["hessian", "gauss_newton"])
def test_scipys_eigensolver_finds_the_eigenvalues(make):
    model, x = network()
    z = model(x)
    loss = F.cross_entropy(z, LOSSES["cross-entropy"][1])
    operator = make(loss, model) if make is undertow.hessian else make(loss, z, model)
    found = eigsh(operator.as_linear_operator(), 4, which="LA", return_eigenvectors=False, rng=0)
    expected = torch.linalg.eigvalsh(operator.matrix())[-4:]
    np.testing.assert_allclose(np.sort(found), expected.numpy(), rtol=1e-8)


def test_scipy_finds_singular_values_and_solves():
    model, x = network()
    z = model(x)
    jacobian = undertow.linearize(z, model).as_linear_operator()
    dense = undertow.linearize(z, model).matrix().numpy()
    np.testing.assert_allclose(
        np.sort(svds(jacobian, 3, return_singular_vectors=False, rng=0))[::-1], np.linalg.svd(dense)[1][:3], rtol=1e-8
    )
    b = np.arange(dense.shape[0], dtype=float)
    solved, failed = cg(jacobian @ jacobian.T, b, rtol=1e-12)
    assert not failed
    np.testing.assert_allclose(dense @ dense.T @ solved, b, atol=1e-8)


def test_scipys_products_are_ours_for_vectors_columns_and_matrices():
    model, x = network()
    operator = undertow.linearize(model(x), model)
    scipys, dense = operator.as_linear_operator(), operator.matrix().numpy()
    assert scipys.dtype == np.float64
    rng = np.random.default_rng(0)
    for shape in ((dense.shape[1],), (dense.shape[1], 1), (dense.shape[1], 3)):
        v = rng.normal(size=shape)
        np.testing.assert_allclose(scipys @ v, dense @ v, atol=1e-12)
    w = rng.normal(size=(dense.shape[0], 2))
    np.testing.assert_allclose(scipys.T @ w, dense.T @ w, atol=1e-12)
    narrow = nn.Linear(2, 2)
    assert undertow.linearize(narrow(torch.ones(1, 2)), narrow).as_linear_operator().dtype == np.float32


def test_what_is_no_loss_has_no_hessian():
    model, x = network()
    with pytest.raises(GraphError, match="one real number"):
        undertow.hessian(model(x), model)
    with pytest.raises(GraphError, match="does not require one"):
        undertow.hessian(torch.zeros(()), model)


def test_a_loss_that_was_not_computed_from_the_outputs_is_refused():
    model, x = network()
    with pytest.raises(GraphError, match="not computed from these outputs"):
        undertow.gauss_newton(model(x).sum(), model(x), model)


def test_a_hessian_through_fused_attention_says_what_to_do():
    q = torch.randn(1, 1, 4, 8, requires_grad=True)
    loss = F.scaled_dot_product_attention(q, q, q).square().sum()
    with pytest.raises(GraphError, match=r"SDPBackend\.MATH"):
        undertow.hessian(loss, q).push(torch.ones_like(q))


class Once(torch.autograd.Function):
    """A cube that may be differentiated only once."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 3 * ctx.saved_tensors[0] ** 2 * gradient


def test_a_function_that_is_differentiable_once_has_no_hessian_instead_of_a_zero_one():
    weight = torch.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match="marked as once differentiable"):
        undertow.hessian(Once.apply(weight).square().sum(), weight)


def test_a_hessian_of_a_graph_that_was_freed_is_refused():
    model, x = network()
    loss = model(x).square().sum()
    loss.backward()
    with pytest.raises(GraphFreedError):
        undertow.hessian(loss, model)


def test_directions_that_do_not_fit_are_refused():
    model, x = network()
    with pytest.raises(SpaceError):
        undertow.hessian(model(x).square().sum(), model).push(torch.ones(3))


def test_a_loss_that_is_linear_in_an_input_has_zero_curvature_there():
    a, b = (torch.randn(3, requires_grad=True, dtype=torch.float64) for _ in range(2))
    assert not undertow.hessian((a + b * 2).sum(), [a, b]).matrix().any()


def test_a_single_number_is_an_input_like_any_other():
    scale, weights = torch.tensor(2.0, requires_grad=True), torch.tensor([1.0, -3.0], requires_grad=True)
    hessian = undertow.hessian((scale * weights).square().sum(), (scale, weights))
    expected = np.array([[20, 8, -24], [8, 8, 0], [-24, 0, 8]])
    np.testing.assert_allclose(hessian.as_linear_operator() @ np.eye(3), expected)
    np.testing.assert_allclose(hessian.as_linear_operator() @ np.array([1.0, 0, 0]), expected[:, 0])
