"""Held out: trainings at a saddle or at a maximum, from which negative curvature leads down."""

import torch
import torch.nn.functional as F
from torch import nn

from .problems import Beside, Experts, Factored, Graph, Recurrent, adagrad, marked, nadam, nesterov, poisson, written
from .proofs import made_sure, saddle
from .stalls import Stall, adam, adamw, constant, cut, digits, rmsprop, settled, sgd, stall


def zeroed(*modules):
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)


class Square(nn.Module):
    """The square of a linear form, and a constant: what remains where phases are lost."""

    def __init__(self, width):
        super().__init__()
        self.form, self.bias = nn.Linear(width, 1, bias=False), nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        return self.form(inputs) ** 2 + self.bias


class Product(nn.Module):
    """The product of two linear forms, and a constant."""

    def __init__(self, width):
        super().__init__()
        self.left, self.right = nn.Linear(width, 1, bias=False), nn.Linear(width, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, inputs):
        return self.left(inputs) * self.right(inputs) + self.bias


@stall("saddle", adagrad=(adagrad(0.05),), nesterov=(nesterov(0.005),))
@made_sure(saddle)
def phases_lost(optimizer):
    inputs = torch.randn(400, 8)
    asked = (inputs @ torch.randn(8, 1) / 8**0.5) ** 2 + 0.1 * torch.randn(400, 1)
    model = Square(8)
    zeroed(model)
    with torch.no_grad():
        model.bias.fill_(float(asked.mean()))
    return Stall(model, F.mse_loss, cut((inputs, asked), 400), optimizer(model.parameters()))


@stall("saddle", nadam=(nadam(0.01),))
@made_sure(saddle)
def products_of_zeros(optimizer):
    inputs = torch.randn(400, 8)
    rate = (inputs @ torch.randn(8, 1) / 8**0.5) * (inputs @ torch.randn(8, 1) / 8**0.5)
    asked = torch.poisson(rate.clamp(-3, 3).exp())
    model = Product(8)
    zeroed(model)
    with torch.no_grad():
        model.bias.fill_(float(asked.mean().log()))
    return Stall(model, poisson, [(inputs, asked)], optimizer(model.parameters()))


@stall("saddle", rnn=(nn.RNN, adam(0.01)), lstm=(nn.LSTM, sgd(0.05)))
@made_sure(saddle)
def recurrence_of_zeros(kind, optimizer):
    """Its states are 0 whatever comes, so nothing reaches what reads them, nor through that what makes them."""
    inputs = torch.randn(256, 5, 3)
    asked = inputs.sum(1)[:, :1] + 0.1 * torch.randn(256, 1)
    model = Recurrent(kind(3, 6, batch_first=True), 1)
    zeroed(model)
    with torch.no_grad():
        model.head.bias.fill_(float(asked.mean()))
    return Stall(model, F.mse_loss, [(inputs, asked)], optimizer(model.parameters()))


@stall("saddle", momentum=(sgd(0.05, 0.9),))
@made_sure(saddle)
def convolutions_of_zeros(optimizer):
    inputs, labels = digits(256)
    data = inputs.view(-1, 1, 8, 8), (labels % 2 == 0).float()[:, None]
    model = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.Tanh(), nn.Flatten(), nn.Linear(36, 1))
    zeroed(model)
    with torch.no_grad():
        model[3].bias.fill_(float(data[1].mean().logit()))
    return Stall(model, F.binary_cross_entropy_with_logits, [data], optimizer(model.parameters()))


class First(nn.Module):
    """Some of the inputs."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def forward(self, inputs):
        return inputs[:, : self.count]


@stall("saddle", adamw=(adamw(0.01),), sgd=(sgd(0.05),))
@made_sure(saddle)
def branch_of_zeros(optimizer):
    """What goes past the branch sees some inputs only, and has made of them what can be made."""
    inputs = torch.randn(300, 6)
    asked = inputs @ torch.randn(6, 1) + 0.3 * torch.randn(300, 1)
    past = settled(nn.Sequential(First(3), nn.Linear(3, 1)), F.mse_loss, (inputs, asked))
    branch = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1, bias=False))
    zeroed(branch)
    model = Beside(past, branch)
    return Stall(model, F.mse_loss, [(inputs, asked)], optimizer(model.parameters()))


@stall("saddle", rmsprop=(rmsprop(0.003),), sgd=(sgd(0.3),))
@made_sure(saddle, 600)
def experts_alike(optimizer):
    """Two experts have learned the same, so the gate makes no difference, and they need not differ, so it stays."""
    inputs = torch.randn(400, 3)
    asked = 2 * (inputs @ torch.randn(3, 1)).abs() + inputs @ torch.randn(3, 1) + 0.1 * torch.randn(400, 1)
    model, line = Experts(3), settled(nn.Linear(3, 1), F.mse_loss, (inputs, asked))
    zeroed(model.gate)
    for expert in model.experts:
        expert.load_state_dict(line.state_dict())
    return Stall(model, F.mse_loss, [(inputs, asked)], optimizer(model.parameters()))


@stall("saddle", adam=(adam(0.01),))
@made_sure(saddle)
def neighbours_of_zeros(optimizer):
    model = Graph(150, (8, 6, 3), nn.Tanh())
    nodes, labels = model.labelled(0.0)
    zeroed(model.first)
    constant(model.second, labels)
    return Stall(model, F.cross_entropy, [(nodes, labels)], optimizer(model.parameters()))


class Tied(nn.Module):
    """An autoencoder that decodes with the weights it codes with."""

    def __init__(self, width, size):
        super().__init__()
        self.code = nn.Linear(width, size, bias=False)

    def forward(self, inputs):
        return torch.tanh(self.code(inputs)) @ self.code.weight


@stall("saddle", momentum=(sgd(0.2, 0.9),), nadam=(nadam(0.005),))
@made_sure(saddle)
def tied_code_of_zeros(optimizer):
    images = digits(256)[0].clamp(-3, 3)
    model = Tied(64, 5)
    zeroed(model)
    return Stall(model, F.mse_loss, [(images, images)], optimizer(model.parameters()))


@stall("saddle", sgd=(sgd(8.0),))
@made_sure(saddle, 1000)
def letters_without_a_place(optimizer):
    """Which letters stand beside each other, by the products of their places in space, where all begin in one place."""
    context, following = written(1, 4000)
    beside = torch.stack([context[:, 0], following], 1)
    apart = torch.stack([context[:, 0], following[torch.randperm(len(following))]], 1)
    pairs = torch.cat([beside, apart]) % 32
    asked = torch.cat([torch.ones(len(beside)), torch.zeros(len(apart))])
    model = Factored(32, 32, 4)
    zeroed(model)
    return Stall(model, F.binary_cross_entropy_with_logits, [(pairs, asked)], optimizer(model.parameters()))


@stall("saddle", adam=(adam(0.005),))
@made_sure(saddle)
def sum_of_marked_from_zeros(optimizer):
    """With dropout, in training mode: what is 0 stays 0 whichever of it is left out."""
    sequences, asked = marked(256, 4, 0.05)
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 12), nn.Tanh(), nn.Dropout(0.3), nn.Linear(12, 1))
    zeroed(model)
    with torch.no_grad():
        model[4].bias.fill_(float(asked.mean()))
    return Stall(model, F.mse_loss, cut((sequences, asked), 256), optimizer(model.parameters()))
