"""Stalls by the size of the steps: far too small on ordinary trainings, or too large without any noise."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.standstill.stalls import (
    adam,
    adamw,
    cancer,
    cut,
    dense,
    digits,
    flipped,
    lifted,
    regression,
    rmsprop,
    sgd,
    stall,
    trained,
    wine,
)


def slowed(stood, factor):
    for group in stood.optimizer.param_groups:
        group["lr"] *= factor
    return stood


@stall(
    "step-too-small",
    sgd=(sgd(0.1), 1e-4),
    slower=(sgd(0.1), 1e-5),
    momentum=(sgd(0.02, 0.9), 1e-4),
    adam=(adam(1e-3), 1e-3),
    rmsprop=(rmsprop(1e-3), 1e-3),
)
def rate_far_too_small(optimizer, factor):
    model = dense(nn.ReLU, 64, 64, 64, 10)
    stood = trained(model, F.cross_entropy, cut(digits(), 32), optimizer(model.parameters()), 8)
    return slowed(stood, factor)


@stall("step-too-small", sgd=(sgd(0.05), 1e-4), adam=(adam(1e-3), 1e-3))
def convolutions_slowed(optimizer, factor):
    inputs, labels = digits(256)
    layers = nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)
    model = nn.Sequential(nn.Unflatten(1, (1, 8, 8)), *layers)
    stood = trained(model, F.cross_entropy, cut((inputs, labels), 32), optimizer(model.parameters()), 8)
    return slowed(stood, factor)


class Reader(nn.Module):
    """A recurrent net that reads an image row by row."""

    def __init__(self):
        super().__init__()
        self.rows = nn.GRU(8, 24, batch_first=True)
        self.head = nn.Linear(24, 10)

    def forward(self, inputs):
        return self.head(self.rows(inputs.unflatten(1, (8, 8)))[0][:, -1])


@stall("step-too-small", adamw=(adamw(3e-3), 1e-3))
def rows_read_slowly(optimizer, factor):
    model = Reader()
    stood = trained(model, F.cross_entropy, cut(digits(256), 32), optimizer(model.parameters()), 16)
    return slowed(stood, factor)


class Attentive(nn.Module):
    """A transformer layer over the rows of an image."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(8, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, 10)

    def forward(self, inputs):
        return self.head(self.layer(self.enter(inputs.unflatten(1, (8, 8)))).mean(1))


@stall("step-too-small", adam=(adam(1e-3), 1e-3))
def attention_slowed(optimizer, factor):
    model = Attentive()
    stood = trained(model, F.cross_entropy, cut(digits(256), 32), optimizer(model.parameters()), 16)
    return slowed(stood, factor)


@stall("step-too-small", sgd=(sgd(1e-6),), adam=(adam(1e-7),))
def least_squares_slowed(optimizer):
    model = nn.Linear(20, 1)
    return trained(model, F.mse_loss, cut(regression(20), 16), optimizer(model.parameters()), 10)


@stall("step-too-small", sgd=(sgd(1e-6),))
def network_for_wine_slowed(optimizer):
    model = dense(nn.Tanh, 13, 16, 3)
    return trained(model, F.cross_entropy, cut(wine(), 16), optimizer(model.parameters()), 10)


@stall("bouncing", rmsprop=(rmsprop(0.05, 0.9), 20), wide=(rmsprop(0.02, 0.9), 60))
def steps_of_one_size(optimizer, width):
    data = regression(width)
    model = nn.Linear(width, 1)
    return lifted(trained(model, F.mse_loss, [data], optimizer(model.parameters()), 600))


@stall("bouncing", sgd=(sgd(0.5),), momentum=(sgd(0.1, 0.9),))
def absolute_errors(optimizer):
    inputs, targets = regression(10, noise=0.0)
    model = nn.Linear(10, 1)
    return lifted(trained(model, F.l1_loss, [(inputs, targets)], optimizer(model.parameters()), 500))


class Well(nn.Module):
    """Two wells, steep towards the sides."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.tensor([0.7]))

    def forward(self, _):
        return ((self.place**2 - 1) ** 2 / 4).sum() + 0.05


@stall("bouncing", sgd=(sgd(1.1),), larger=(sgd(1.2),))
def across_a_well(optimizer):
    model = Well()
    batch = torch.ones(1), torch.ones(1)
    return lifted(trained(model, lambda output, _: output, [batch], optimizer(model.parameters()), 500))


@stall("bouncing", sgd=(sgd(8.0),), momentum=(sgd(6.0, 0.5),))
def labels_in_doubt_in_one_batch(optimizer):
    inputs, labels = cancer()
    data = inputs, flipped(labels, 2, 0.5)
    model = nn.Linear(30, 2)
    return lifted(trained(model, F.cross_entropy, [data], optimizer(model.parameters()), 500))


@stall("bouncing", sgd=(sgd(3.0),), copies=(sgd(3.0), 3))
def tanh_net_in_one_batch(optimizer, copies=1):
    inputs, _ = regression(6, 128)
    data = inputs, torch.sin(2 * inputs[:, :1]) + 0.3 * torch.randn(128, 1)
    model = dense(nn.Tanh, 6, 16, 1)
    return lifted(trained(model, F.smooth_l1_loss, [data] * copies, optimizer(model.parameters()), 500))


@stall("bouncing", adam=(adam(5.0),))
def large_steps_of_adam(optimizer):
    data = digits(256)
    inputs, labels = data[0][:, 10:20], flipped(data[1], 10, 0.5)
    model = nn.Linear(10, 10)
    return lifted(trained(model, F.cross_entropy, [(inputs, labels)], optimizer(model.parameters()), 60))
