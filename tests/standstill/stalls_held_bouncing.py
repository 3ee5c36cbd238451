"""Held out: trainings on one and the same batch that jump from side to side, at rates too large for the curvature."""

import torch.nn.functional as F
from torch import nn

from .problems import (
    Difference,
    Factored,
    Graph,
    Recurrent,
    collocated,
    doubted,
    events,
    games,
    heavy_tailed,
    hinge,
    marked,
    nadam,
    nesterov,
    poisson,
    ratings,
)
from .proofs import bouncing, made_sure
from .stalls import adam, cancer, dense, digits, flipped, rmsprop, sgd, stall, trained, wine


@stall("bouncing", sgd=(sgd(5.0),), nesterov=(nesterov(2.0, 0.5),))
@made_sure(bouncing)
def heavy_tails_in_one_batch(optimizer):
    """The steps of Huber's loss are bounded, so it does not fly off."""
    model = nn.Linear(10, 1)
    return trained(model, nn.HuberLoss(), [heavy_tailed(10, 200)], optimizer(model.parameters()), 500)


@stall("bouncing", sgd=(sgd(3.0),), nadam=(nadam(2.0),))
@made_sure(bouncing)
def margins_in_one_batch(optimizer):
    inputs, labels = cancer()
    model = nn.Linear(30, 1)
    return trained(model, hinge, [(inputs, doubted(labels, 0.1))], optimizer(model.parameters()), 600)


@stall("bouncing", sgd=(sgd(80.0), 1), copies=(sgd(150.0), 4))
@made_sure(bouncing)
def games_in_one_batch(optimizer, copies):
    data, model = games(16, 400), Difference(16)
    batches = [data] * copies
    return trained(model, F.binary_cross_entropy_with_logits, batches, optimizer(model.parameters()), 500)


@stall("bouncing", rmsprop=(rmsprop(0.2, 0.9),))
@made_sure(bouncing)
def ratings_in_one_batch(optimizer):
    model = Factored(30, 20, 3)
    return trained(model, F.mse_loss, [ratings(30, 20, 3, 0.1)], optimizer(model.parameters()), 800)


@stall("bouncing", rmsprop=(rmsprop(0.1, 0.5),))
@made_sure(bouncing)
def recurrence_in_one_batch(optimizer):
    model = Recurrent(nn.GRU(2, 12, batch_first=True), 1)
    return trained(model, F.mse_loss, [marked(200, 5)], optimizer(model.parameters()), 800)


@stall("bouncing", sgd=(sgd(24.0),))
@made_sure(bouncing)
def neighbours_in_one_batch(optimizer):
    model = Graph(200, (6, 4, 3), nn.Identity())
    model.first.requires_grad_(False)
    nodes, labels = model.labelled(0.2)
    data = nodes, flipped(labels, 3, 0.2)
    return trained(model, F.cross_entropy, [data], optimizer(model.second.parameters()), 500)


@stall("bouncing", rmsprop=(rmsprop(0.2, 0.5),))
@made_sure(bouncing)
def equation_in_one_batch(optimizer):
    model = nn.Linear(10, 1, bias=False)
    return trained(model, F.mse_loss, [collocated(10, 200, 0.1)], optimizer(model.parameters()), 800)


@stall("bouncing", rmsprop=(rmsprop(0.05, 0.9),))
@made_sure(bouncing)
def images_coded_in_one_batch(optimizer):
    images = digits(200)[0].clamp(-3, 3)
    model = nn.Sequential(nn.Linear(64, 8), nn.Linear(8, 64))
    return trained(model, F.mse_loss, [(images, images)], optimizer(model.parameters()), 800)


@stall("bouncing", sgd=(sgd(0.5),), copies=(sgd(0.6), 3))
@made_sure(bouncing)
def events_in_one_batch(optimizer, copies=1):
    model = nn.Linear(8, 1)
    return trained(model, poisson, [events(8, 300)] * copies, optimizer(model.parameters()), 500)


@stall("bouncing", momentum=(sgd(10.0, 0.7),))
@made_sure(bouncing)
def convolutions_in_one_batch(optimizer):
    images, labels = digits(400)
    data = images.view(-1, 1, 8, 8), flipped(labels % 2, 2, 0.5)
    model = nn.Sequential(nn.Conv2d(1, 2, 3, stride=2), nn.Tanh(), nn.AvgPool2d(3), nn.Flatten(), nn.Linear(2, 2))
    return trained(model, F.cross_entropy, [data], optimizer(model.parameters()), 800)


@stall("bouncing", adam=(adam(3.0),))
@made_sure(bouncing)
def wines_in_one_batch(optimizer):
    inputs, labels = wine()
    model = dense(nn.Tanh, 13, 12, 3)
    data = inputs, flipped(labels, 3, 0.2)
    return trained(model, F.cross_entropy, [data], optimizer(model.parameters()), 1500)
