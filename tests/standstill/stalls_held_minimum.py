"""Held out: trainings that stand at a minimum, which no change of rate, noise or place brings below."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .problems import (
    Beside,
    Difference,
    Factored,
    Graph,
    collocated,
    doubted,
    events,
    games,
    heavy_tailed,
    marked,
    nadam,
    nesterov,
    poisson,
    ratings,
    squared_hinge,
)
from .proofs import made_sure, minimum
from .stalls import adam, cancer, cut, dense, flipped, regression, rmsprop, settled, sgd, stall, trained


@stall("minimum", nesterov=(nesterov(1e-3),), adam=(adam(1e-4),))
@made_sure(minimum)
def events_counted(optimizer):
    data = events(10)
    model = settled(nn.Linear(10, 1), poisson, data)
    return trained(model, poisson, cut(data, 256), optimizer(model.parameters()), 50)


@stall("minimum", nadam=(nadam(1e-5),))
@made_sure(minimum)
def line_through_heavy_tails(optimizer):
    data, loss_fn = heavy_tailed(8), nn.HuberLoss()
    model = settled(nn.Linear(8, 1), loss_fn, data)
    return trained(model, loss_fn, cut(data, 128), optimizer(model.parameters()), 50)


@stall("minimum", nesterov=(nesterov(1e-4),))
@made_sure(minimum)
def margins_of_doubted_signs(optimizer):
    inputs, labels = cancer()
    data = inputs, doubted(labels, 0.2)
    model = settled(nn.Linear(30, 1), squared_hinge, data)
    return trained(model, squared_hinge, cut(data, 256), optimizer(model.parameters()), 50)


@stall("minimum", sgd=(sgd(0.05),), rmsprop=(rmsprop(1e-5),))
@made_sure(minimum)
def strengths_of_players(optimizer):
    data, loss_fn = games(20, 1024), F.binary_cross_entropy_with_logits
    model = settled(Difference(20), loss_fn, data)
    return trained(model, loss_fn, cut(data, 256), optimizer(model.parameters()), 50)


@stall("minimum", sgd=(sgd(0.01),))
@made_sure(minimum)
def filter_recovered(optimizer):
    inputs = torch.randn(64, 2, 40)
    asked = nn.Conv1d(2, 3, 7)(inputs).detach() + 0.3 * torch.randn(64, 3, 34)
    model = settled(nn.Conv1d(2, 3, 7), F.mse_loss, (inputs, asked))
    return trained(model, F.mse_loss, cut((inputs, asked), 32), optimizer(model.parameters()), 50)


@stall("minimum", sgd=(sgd(0.1),))
@made_sure(minimum)
def ratings_factored_as_well_as_can_be(optimizer):
    pairs, table = ratings(24, 18, 3, 0.5)
    model = Factored(24, 18, 3)
    model.bias.requires_grad_(False)
    left, values, right = torch.linalg.svd(table.view(24, 18))
    with torch.no_grad():  # Eckart and Young: no other three factors come nearer
        model.users.weight.copy_(left[:, :3] * values[:3].sqrt())
        model.items.weight.copy_(right[:3].T * values[:3].sqrt())
        torch.testing.assert_close(F.mse_loss(model(pairs), table), values[3:].square().sum() / len(table))
    return trained(model, F.mse_loss, [(pairs, table)], optimizer(model.users.parameters()), 50)


@stall("minimum", adam=(adam(1e-5),))
@made_sure(minimum)
def differential_equation_solved(optimizer):
    places, asked = collocated(12)
    model = nn.Linear(12, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.linalg.lstsq(places.double(), asked.double()).solution.T)
    return trained(model, F.mse_loss, [(places, asked)], optimizer(model.parameters()), 50)


@stall("minimum", momentum=(sgd(1e-3, 0.9),))
@made_sure(minimum)
def states_read_out(optimizer):
    sequences, asked = marked(256, 12, 0.3)
    states = nn.GRU(2, 24, batch_first=True).requires_grad_(False)
    data = states(sequences)[0][:, -1], asked
    model = settled(nn.Linear(24, 1), F.mse_loss, data)
    return trained(model, F.mse_loss, cut(data, 256), optimizer(model.parameters()), 50)


@stall("minimum", sgd=(sgd(0.05),))
@made_sure(minimum)
def neighbours_averaged(optimizer):
    model = Graph(200, (6, 4, 3), nn.Identity())
    model.first.requires_grad_(False)
    nodes, labels = model.labelled(0.3)
    data = nodes, flipped(labels, 3, 0.3)
    settled(model, F.cross_entropy, data)
    return trained(model, F.cross_entropy, cut(data, 100), optimizer(model.second.parameters()), 50)


@stall("minimum", sgd=(sgd(0.01),))
@made_sure(minimum)
def residual_net_at_rest(optimizer):
    data = regression(3, 400, 1.0)
    model = settled(Beside(nn.Linear(3, 1), dense(nn.Tanh, 3, 2, 1)), F.mse_loss, data, 10000)
    return trained(model, F.mse_loss, [data], optimizer(model.parameters()), 50)


@stall("minimum", sgd=(sgd(0.01),))
@made_sure(minimum)
def batch_normalised_line(optimizer):
    inputs, asked = regression(6, 300, 1.0)
    data = inputs * torch.logspace(-1, 1, 6) + 3, asked
    model = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 1))
    model[0].requires_grad_(False)
    settled(model, F.mse_loss, data)
    return trained(model, F.mse_loss, [data], optimizer(model[1].parameters()), 50)


@stall("minimum", adam=(adam(1e-5),), rmsprop=(rmsprop(1e-5),))
def inputs_left_out(optimizer):
    """Dropout of inputs is ridge regression in the mean, so the minimum has a formula."""
    inputs, asked = regression(10, 300, 0.7)
    model = nn.Sequential(nn.Dropout(0.2), nn.Linear(10, 1, bias=False))
    products = inputs.T @ inputs
    best = torch.linalg.solve(products + 0.25 * products.diagonal().diag(), inputs.T @ asked)

    def expected(answer: Tensor) -> float:
        return float(F.mse_loss(inputs @ answer, asked) + 0.25 * (inputs**2 @ answer**2).mean())

    with torch.no_grad():
        model[1].weight.copy_(best.T)
    stood = trained(model, F.mse_loss, [(inputs, asked)], optimizer(model.parameters()), 400)
    assert expected(model[1].weight.detach().T) < 1.005 * expected(best)
    return stood
