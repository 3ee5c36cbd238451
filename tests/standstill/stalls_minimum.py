"""Stalls at a minimum: solved exactly, or gone down by L-BFGS until no gradient was left."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.standstill.stalls import (
    Stall,
    adam,
    adamw,
    cancer,
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


@stall("minimum", sgd=(5, sgd(0.01)), momentum=(20, sgd(1e-3, 0.9)), adam=(20, adam(1e-4)), wide=(60, sgd(1e-3)))
def least_squares(width, optimizer):
    data = regression(width)
    model = nn.Linear(width, 1)
    settled(model, F.mse_loss, data)
    return Stall(model, F.mse_loss, cut(data, 32), optimizer(model.parameters()))


@stall("minimum", sgd=(sgd(0.01),), adamw=(adamw(1e-4),), rmsprop=(rmsprop(1e-4),))
def labels_in_doubt(optimizer):
    inputs, labels = cancer()
    data = inputs[:, :6], flipped(labels, 2, 0.5)
    model = settled(nn.Linear(6, 2), F.cross_entropy, data)
    return Stall(model, F.cross_entropy, cut(data, 64), optimizer(model.parameters()))


@stall("minimum", sgd=(sgd(0.003),), adam=(adam(1e-5),))
def deep_linear_net(optimizer):
    data = regression(8)
    model = settled(dense(nn.Identity, 8, 8, 8, 1), F.mse_loss, data)
    return Stall(model, F.mse_loss, cut(data, 64), optimizer(model.parameters()))


@stall("minimum", sgd=(sgd(0.005),), momentum=(sgd(5e-4, 0.9),))
def narrow_net(optimizer):
    inputs, _ = regression(3, 1024)
    data = inputs, torch.tanh(inputs[:, :1] - inputs[:, 1:2]) + 0.5 * torch.randn(1024, 1)
    model = settled(dense(nn.Tanh, 3, 2, 1), F.mse_loss, data)
    return Stall(model, F.mse_loss, cut(data, 128), optimizer(model.parameters()))


@stall("minimum", sgd=(sgd(0.1),))
def bigrams_counted(optimizer):
    text = torch.randint(6, (2000,))
    data = text[:-1], text[1:]
    model = settled(nn.Embedding(6, 6), F.cross_entropy, data)
    return Stall(model, F.cross_entropy, cut(data, 200), optimizer(model.parameters()))


@stall("minimum", sgd=(sgd(1e-3),))
def bottleneck(optimizer):
    inputs, _ = wine()
    model = settled(dense(nn.Identity, 13, 3, 13), F.mse_loss, (inputs, inputs))
    return Stall(model, F.mse_loss, cut((inputs, inputs), 22), optimizer(model.parameters()))


@stall("minimum", adam=(adam(1e-5),))
def bias_alone(optimizer):
    inputs, labels = digits()
    model = settled(nn.Sequential(nn.Linear(2, 10)), F.cross_entropy, (inputs[:, :2], labels))
    return Stall(model, F.cross_entropy, cut((inputs[:, :2], labels), 64), optimizer(model.parameters()))
