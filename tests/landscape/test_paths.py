import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

import undertow
from undertow.errors import LandscapeError
from undertow.landscape import Evaluation

from .test_slices import cnn, everything, mlp, points, same


class Product(nn.Module):
    """Two numbers and their product: (1, 1) and (-1, -1) are both solutions of product = 1."""

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(b))

    def forward(self, x):
        return self.a * self.b * x


def test_between_two_solutions_of_a_product_the_barrier_is_one_high_in_the_middle():
    batch = (torch.ones(4), torch.ones(4))
    ends = (Product(1.0, 1.0).state_dict(), Product(-1.0, -1.0).state_dict())
    found = undertow.barrier(Product(5.0, 5.0), mse_loss, batch, ends, points=21)
    np.testing.assert_allclose(found.losses, ((1 - 2 * found.positions) ** 2 - 1) ** 2, atol=1e-6)
    assert (found.height, found.top) == (pytest.approx(1), pytest.approx(0.5))


def test_on_a_convex_loss_there_is_no_barrier():
    torch.manual_seed(0)
    ends = tuple(nn.Linear(6, 3).state_dict() for _ in range(2))
    found = undertow.barrier(nn.Linear(6, 3), cross_entropy, points(), ends)
    assert found.height == 0


@pytest.mark.parametrize("statistics", ["stored", "batch", "recomputed"])
def test_the_ends_are_the_two_networks_and_the_model_is_as_before(statistics):
    first, second, model = cnn(1), cnn(2), cnn(3)
    inputs, targets = points(shape=(1, 6, 6))
    for one in (first, second):
        for _ in range(3):
            one.train()(inputs + 1)
    before = everything(model)
    how = Evaluation(statistics=statistics)
    found = undertow.barrier(model, cross_entropy, (inputs, targets), (first.state_dict(), second.state_dict()), 5, how)
    assert same(before, everything(model))
    for one, loss in ((first, found.losses[0]), (second, found.losses[-1])):
        expected = copy.deepcopy(one).eval()
        if statistics != "stored":
            expected[1].train().momentum = 1.0
            with torch.no_grad():
                expected(inputs)
            if statistics == "recomputed":
                expected[1].eval()
        with torch.no_grad():
            np.testing.assert_allclose(loss, cross_entropy(expected(inputs), targets), rtol=1e-5)


def test_tied_weights_move_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x))

    torch.manual_seed(0)
    one, two, batch = Tied(), Tied(), (torch.randn(5, 3), torch.randn(5, 3))
    found = undertow.barrier(Tied(), mse_loss, batch, (one.state_dict(), two.state_dict()), 3)
    middle = (one.first.weight + two.first.weight) / 2
    with torch.no_grad():
        expected = [mse_loss(batch[0] @ w.T @ w.T, batch[1]) for w in (one.first.weight, middle, two.first.weight)]
    np.testing.assert_allclose(found.losses, expected, rtol=1e-5)


def test_solutions_of_another_architecture_are_refused():
    with pytest.raises(LandscapeError, match="not of one model"):
        undertow.barrier(mlp(), cross_entropy, points(), (mlp().state_dict(), nn.Linear(6, 8).state_dict()))
