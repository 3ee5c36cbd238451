"""Held out: trainings on a plateau, where the weights that have to move get no gradient and nothing curves down."""

import torch
import torch.nn.functional as F
from torch import nn

from .problems import Attention, Experts, Graph, Recurrent, decayed, marked, nadam, nesterov
from .proofs import plateau
from .stalls import (
    Stall,
    adam,
    adamw,
    constant,
    cut,
    dense,
    digits,
    regression,
    rmsprop,
    settled,
    sgd,
    stall,
    trained,
    wine,
)


def begun(model, loss_fn, data, steps=400, rate=0.01):
    """The same network from a good beginning, trained for a while."""
    return trained(model, loss_fn, [data], adam(rate)(model.parameters()), steps)


@stall("plateau", sgd=(sgd(0.01),), adam=(adam(1e-3),))
def inputs_beyond_the_range_of_hard_tanh(optimizer):
    inputs, asked = regression(6, 300, 0.1)
    model = dense(nn.Hardtanh, 6, 10, 1)
    good = begun(dense(nn.Hardtanh, 6, 10, 1), F.mse_loss, (inputs, asked))
    with torch.no_grad():
        model[0].bias.copy_(10 * torch.tensor([1.0, -1.0]).repeat(5))
    settled(model, F.mse_loss, (inputs, asked))
    return plateau(Stall(model, F.mse_loss, cut((inputs, asked), 150), optimizer(model.parameters())), good)


@stall("plateau", lstm=(nn.LSTM, adam(1e-3), slice(18, 24)), momentum=(nn.LSTM, sgd(0.1, 0.9), slice(18, 24)))
def gates_shut(kind, optimizer, output):
    """No state gets past its output gate, so that the answer is one and the same."""
    data = marked(256, 5)
    model, good = (Recurrent(kind(2, 6, batch_first=True), 1) for _ in range(2))
    good = begun(good, F.mse_loss, data, 600, 0.02)
    with torch.no_grad():
        model.recurrence.bias_ih_l0[output] = -40.0
        model.head.bias.fill_(float(data[1].mean()))
    return plateau(Stall(model, F.mse_loss, [data], optimizer(model.parameters())), good)


@stall("plateau", rmsprop=(rmsprop(1e-3),))
def attention_to_one_alone(optimizer):
    """One step gets all attention, by so much that no other is heard of; what it says has been made the best of."""
    sequences, asked = marked(200, 5)
    data = torch.cat([sequences, torch.eye(5)[:1].expand(200, 5, 5) * torch.eye(5)], 2), asked
    model, good = Attention(7, 4, 1), Attention(7, 4, 1)
    good = begun(good, F.mse_loss, data, 1500, 0.02)
    with torch.no_grad():
        model.query.weight.zero_(), model.query.bias.fill_(20.0)
        model.key.weight.zero_(), model.key.bias.zero_()
        model.key.weight[:, 2] = 20.0
    settled(model, F.mse_loss, data)
    return plateau(Stall(model, F.mse_loss, [data], optimizer(model.parameters())), good)


@stall("plateau", nesterov=(nesterov(0.01),), decayed=(decayed(1e-3),))
def normalised_below_zero(optimizer):
    """Batch normalisation moves every unit so far down that no image switches one on."""
    images, labels = digits(256)
    data = images.view(-1, 1, 8, 8), (labels < 5).long()

    def net():
        return nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))

    model, good = net(), begun(net(), F.cross_entropy, data)
    nn.init.constant_(model[1].bias, -30.0)
    constant(model[4], data[1])
    return plateau(Stall(model, F.cross_entropy, cut(data, 256), optimizer(model.parameters())), good)


@stall("plateau", sgd=(sgd(0.1),))
def convolutions_of_small_weights(optimizer):
    """The signal is gone after five of them, and what comes back to the first."""
    images, labels = digits(64)
    data = images.view(-1, 1, 8, 8), (labels < 5).long()

    def net():
        body = [layer for n in (1, 2, 2, 2, 2) for layer in (nn.Conv2d(n, 2, 3, padding=1), nn.Tanh())]
        return nn.Sequential(*body, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8, 2))

    model, good = net(), begun(net(), F.cross_entropy, data, 600)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1e-3
    constant(model[-1], data[1])
    return plateau(Stall(model, F.cross_entropy, [data], optimizer(model.parameters())), good)


def welsch(outputs, targets):
    """Errors far off weigh next to nothing."""
    return (1 - torch.exp(-((outputs - targets) ** 2) / 2)).mean()


@stall("plateau", sgd=(sgd(0.1), 30.0), momentum=(sgd(0.1, 0.9), 12.0))
def errors_that_do_not_weigh(optimizer, off):
    inputs, asked = regression(5, 300, 0.3)
    model, good = nn.Linear(5, 1), begun(nn.Linear(5, 1), welsch, (inputs, asked))
    with torch.no_grad():
        model.bias += off
    return plateau(Stall(model, welsch, [(inputs, asked)], optimizer(model.parameters())), good)


@stall("plateau", adamw=(adamw(1e-3),), nadam=(nadam(1e-3),))
def gate_shut_for_one_expert(optimizer):
    """One of two experts answers for all, as well as one can; the other and the gate learn nothing."""
    inputs = torch.randn(300, 3)
    asked = 3 * (inputs @ torch.randn(3, 1)).abs() + 0.1 * torch.randn(300, 1)
    model, good = Experts(3), begun(Experts(3), F.mse_loss, (inputs, asked), 1500, 0.03)
    with torch.no_grad():
        model.gate.bias.fill_(60.0)
    settled(model, F.mse_loss, (inputs, asked))
    return plateau(Stall(model, F.mse_loss, [(inputs, asked)], optimizer(model.parameters())), good)


@stall("plateau", adam=(adam(1e-3),))
def code_that_is_always_the_same(optimizer):
    images = digits(200)[0].view(-1, 8, 8)[:, 2:6, 2:6].reshape(200, 16).clamp(-3, 3)
    data = images, images

    def net():
        return nn.Sequential(nn.Linear(16, 4), nn.Sigmoid(), nn.Linear(4, 16))

    model, good = net(), begun(net(), F.mse_loss, data, 1500, 0.02)
    nn.init.constant_(model[0].bias, 50.0)
    settled(model, F.mse_loss, data)
    return plateau(Stall(model, F.mse_loss, cut(data, 100), optimizer(model.parameters())), good)


@stall("plateau", sgd=(sgd(0.3),))
def neighbours_switched_off(optimizer):
    model = Graph(150, (8, 10, 3), nn.ReLU())
    nodes, labels = model.labelled(0.0)
    better = Graph(150, (8, 10, 3), nn.ReLU())
    better.near, better.features = model.near, model.features
    good = begun(better, F.cross_entropy, (nodes, labels))
    nn.init.constant_(model.first.bias, -20.0)
    constant(model.second, labels)
    return plateau(Stall(model, F.cross_entropy, [(nodes, labels)], optimizer(model.parameters())), good)


@stall("plateau", rmsprop=(rmsprop(1e-3),))
def units_dead_under_dropout(optimizer):
    """In training mode: dropout scales what is switched off, and leaves it at 0."""
    inputs, labels = wine()

    def net():
        return nn.Sequential(nn.Linear(13, 20), nn.ReLU(), nn.Dropout(0.4), nn.Linear(20, 3))

    model, good = net(), begun(net(), F.cross_entropy, (inputs, labels))
    nn.init.constant_(model[0].bias, -25.0)
    constant(model[3], labels)
    return plateau(Stall(model, F.cross_entropy, cut((inputs, labels), 88), optimizer(model.parameters())), good)
