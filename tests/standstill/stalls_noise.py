"""Stalls on the noise floor: convex losses, or nets that have no better fit, and steps well below the stable limit."""

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
    settled,
    sgd,
    stall,
    trained,
)


@stall("noise-floor", sgd=(20, 4, sgd(0.02)), wide=(60, 8, sgd(0.02)), momentum=(20, 4, sgd(0.002, 0.9)))
def least_squares_in_small_batches(width, size, optimizer):
    data = regression(width, 256, 1.0)
    model = nn.Linear(width, 1)
    settled(model, F.mse_loss, data)
    return lifted(trained(model, F.mse_loss, cut(data, size), optimizer(model.parameters()), 1000))


@stall("noise-floor", adam=(adam(0.1),), adamw=(adamw(0.07),), rmsprop=(rmsprop(0.2),), sgd=(sgd(0.7),))
def labels_in_doubt_in_small_batches(optimizer):
    inputs, labels = cancer()
    data = inputs[:, :8], flipped(labels, 2, 0.5)
    model = settled(nn.Linear(8, 2), F.cross_entropy, data)
    return lifted(trained(model, F.cross_entropy, cut(data, 8), optimizer(model.parameters()), 1000))


@stall("noise-floor", sgd=(sgd(20.0),), adam=(adam(0.2),))
def bigrams_in_small_batches(optimizer):
    text = torch.randint(12, (2000,))
    data = text[:-1], text[1:]
    model = settled(nn.Embedding(12, 12), F.cross_entropy, data)
    return lifted(trained(model, F.cross_entropy, cut(data, 20), optimizer(model.parameters()), 1000))


@stall("noise-floor", sgd=(sgd(0.2),), momentum=(sgd(0.01, 0.9),), adam=(adam(0.05),))
def narrow_net_in_small_batches(optimizer):
    inputs, _ = regression(3, 1024)
    data = inputs, torch.tanh(inputs[:, :1] - inputs[:, 1:2]) + 1.0 * torch.randn(1024, 1)
    model = settled(dense(nn.Tanh, 3, 2, 1), F.mse_loss, data)
    return lifted(trained(model, F.mse_loss, cut(data, 4), optimizer(model.parameters()), 1500))


@stall("noise-floor", sgd=(sgd(0.4),), momentum=(sgd(0.04, 0.9),))
def few_pixels_in_small_batches(optimizer):
    inputs, labels = digits()
    data = inputs[:, 10:20], flipped(labels, 10, 0.5)
    model = settled(nn.Linear(10, 10), F.cross_entropy, data)
    return lifted(trained(model, F.cross_entropy, cut(data, 8), optimizer(model.parameters()), 1000))
