"""Stalls on a saddle: points where the gradient is zero for reasons of symmetry, or by algebra."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.standstill.stalls import (
    Stall,
    adam,
    constant,
    cut,
    dense,
    digits,
    flipped,
    regression,
    rmsprop,
    settled,
    sgd,
    stall,
    wine,
)


def zeroed(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


@stall("saddle", sgd=(sgd(0.05),), momentum=(sgd(0.01, 0.9),), adam=(adam(1e-3),))
def two_linear_layers_of_zeros(optimizer):
    inputs, targets = regression(10)
    model = zeroed(dense(nn.Identity, 10, 6, 1))
    data = inputs, targets - targets.mean()
    return Stall(model, F.mse_loss, cut(data, len(inputs)), optimizer(model.parameters()))


@stall("saddle", sgd=(sgd(0.1),), rmsprop=(rmsprop(1e-3),))
def hidden_units_of_zeros(optimizer):
    inputs, labels = digits()
    model = zeroed(dense(nn.Tanh, 64, 16, 10))
    constant(model[-1], labels)
    return Stall(model, F.cross_entropy, cut((inputs, labels), len(inputs)), optimizer(model.parameters()))


@stall("saddle", sgd=(sgd(0.02), 1), momentum=(sgd(0.005, 0.9), 2))
def components_left_out(optimizer, start):
    inputs, _ = wine()
    inputs = inputs - inputs.mean(0)
    directions = torch.linalg.svd(inputs, full_matrices=False).Vh[start : start + 3]
    model = nn.Sequential(nn.Linear(13, 3, bias=False), nn.Linear(3, 13, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(directions)
        model[1].weight.copy_(directions.T)
    return Stall(model, F.mse_loss, cut((inputs, inputs), len(inputs)), optimizer(model.parameters()))


class Factors(nn.Module):
    """A matrix as a product of two: what it is asked for is ignored."""

    def __init__(self, left, right):
        super().__init__()
        self.left, self.right = nn.Parameter(left), nn.Parameter(right)

    def forward(self, rows):
        return self.left[rows] @ self.right.T


@stall("saddle", sgd=(sgd(0.05), 1), adam=(adam(1e-4), 2))
def factors_of_lower_rank(optimizer, rank):
    matrix = torch.randn(12, 3) @ torch.randn(3, 9)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = torch.zeros(12, 3), torch.zeros(9, 3)
    for n in range(rank):
        kept[0][:, n], kept[1][:, n] = left[:, n] * values[n].sqrt(), right[n] * values[n].sqrt()
    model = Factors(*kept)
    return Stall(model, F.mse_loss, [(torch.arange(12), matrix)], optimizer(model.parameters()))


class Well(nn.Module):
    """Two wells with a saddle between them."""

    def __init__(self, width):
        super().__init__()
        self.place = nn.Parameter(torch.zeros(width))

    def forward(self, inputs):
        return (self.place[0] ** 2 - 1) ** 2 + (self.place[1:] ** 2).sum() + 0.0 * inputs.sum()


@stall("saddle", sgd=(sgd(0.01), 2), wide=(sgd(0.05), 20))
def between_two_wells(optimizer, width):
    model = Well(width)
    batch = torch.ones(1), torch.ones(1)
    return Stall(model, lambda output, _: output, [batch], optimizer(model.parameters()))


class Lookup(nn.Module):
    """One head of attention that has to find the token like the query; queries and keys begin at nothing."""

    def __init__(self, width):
        super().__init__()
        self.query, self.key = (nn.Linear(width, width, bias=False) for _ in range(2))

    def forward(self, tokens):
        scores = self.query(tokens[:, :1]) @ self.key(tokens[:, 1:]).mT
        return (scores.softmax(-1) @ tokens[:, 1:]).squeeze(1)


@stall("saddle", sgd=(sgd(0.5),))
def attention_of_zeros(optimizer):
    keys = torch.randn(128, 6, 8)
    asked = torch.randint(6, (128,))
    wanted = keys[torch.arange(128), asked]
    model = zeroed(Lookup(8))
    inputs = torch.cat([wanted[:, None], keys], 1)
    return Stall(model, F.mse_loss, [(inputs, wanted)], optimizer(model.parameters()))


@stall("saddle", sgd=(sgd(0.1),), momentum=(sgd(0.02, 0.9),))
def units_all_alike(optimizer):
    """Settled within the nets whose hidden units are copies of one, which cannot tell what two could."""
    inputs = torch.randn(400, 2)
    labels = flipped((inputs.prod(1) > 0).long(), 2, 0.2)
    single = settled(dense(nn.Tanh, 2, 1, 2), F.cross_entropy, (inputs, labels))
    model = dense(nn.Tanh, 2, 4, 2)
    with torch.no_grad():
        model[0].weight.copy_(single[0].weight.expand(4, 2))
        model[0].bias.copy_(single[0].bias.expand(4))
        model[2].weight.copy_(single[2].weight.expand(2, 4) / 4)
        model[2].bias.copy_(single[2].bias)
    return Stall(model, F.cross_entropy, [(inputs, labels)], optimizer(model.parameters()))
