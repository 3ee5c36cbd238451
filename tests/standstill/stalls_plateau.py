"""Stalls on a plateau: the way down is there, but nothing of it reaches the weights that would have to move."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.standstill.stalls import Stall, adam, constant, cut, dense, digits, regression, sgd, stall, trained, wine


@stall("plateau", sgd=(sgd(0.1), 8), momentum=(sgd(0.02, 0.9), 10), deeper=(sgd(0.3), 12))
def deep_sigmoids(optimizer, depth):
    inputs, labels = digits()
    model = dense(nn.Sigmoid, 64, *[32] * depth, 10)
    constant(model[-1], labels)
    nn.init.normal_(model[-1].weight, std=0.01)
    batches = cut((inputs, labels), 64)
    stood = trained(model, F.cross_entropy, batches, optimizer(model.parameters()), 300)
    constant(model[-1], labels)
    nn.init.normal_(model[-1].weight, std=1e-3)
    return Stall(model, F.cross_entropy, batches, stood.optimizer)


@stall("plateau", sgd=(sgd(0.1),), adam=(adam(1e-3),), momentum=(sgd(0.01, 0.9),))
def every_unit_dead(optimizer):
    inputs, labels = digits()
    model = dense(nn.ReLU, 64, 32, 32, 10)
    constant(model[-1], labels)
    with torch.no_grad():
        model[0].bias.fill_(-50.0)
        model[2].bias.fill_(-1.0)
    return Stall(model, F.cross_entropy, cut((inputs, labels), 64), optimizer(model.parameters()))


@stall("plateau", tanh=(nn.Tanh, 20.0), sigmoid=(nn.Sigmoid, -30.0))
def output_saturated(activation, bias):
    inputs, labels = wine()
    targets = F.one_hot(labels, 3).float()
    model = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3), activation())
    nn.init.constant_(model[2].bias, bias)
    return Stall(model, F.mse_loss, cut((inputs, targets), 22), sgd(0.1)(model.parameters()))


@stall("plateau", sgd=(sgd(0.1),), adam=(adam(1e-3),))
def three_linear_layers_of_zeros(optimizer):
    inputs, targets = regression(10)
    model = dense(nn.Identity, 10, 6, 6, 1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return Stall(model, F.mse_loss, cut((inputs, targets - targets.mean()), 256), optimizer(model.parameters()))


class Bumps(nn.Module):
    """A classifier by nearness to its centres, all of which lie far from the data."""

    def __init__(self, width, classes, off):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, width) + off)

    def forward(self, inputs):
        return torch.exp(-torch.cdist(inputs, self.centres).square() / 26)


@stall("plateau", far=(8.0,), farther=(12.0,))
def centres_far_away(off):
    inputs, labels = wine()
    targets = F.one_hot(labels, 3).float()
    model = Bumps(13, 3, off)
    return Stall(model, F.mse_loss, cut((inputs, targets), 22), sgd(0.5)(model.parameters()))
