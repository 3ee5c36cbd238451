"""Held out: trainings whose steps are thousands of times too small, at the beginning or on the way."""

import torch
import torch.nn.functional as F
from torch import nn

from .problems import (
    Attention,
    Factored,
    Graph,
    Oscillator,
    Recurrent,
    adagrad,
    decayed,
    doubted,
    events,
    heavy_tailed,
    hinge,
    marked,
    nadam,
    nesterov,
    poisson,
    ratings,
    written,
)
from .proofs import slow
from .stalls import Stall, adam, cancer, cut, dense, digits, rmsprop, sgd, stall, trained


def slowed(stood: Stall, factor: float) -> Stall:
    """At a rate so many times smaller, as a schedule that ends too early leaves it."""
    for group in stood.optimizer.param_groups:
        group["lr"] /= factor
    return slow(stood, factor)


@stall("step-too-small", gru=(nn.GRU, adam(0.01), 1e4), lstm=(nn.LSTM, rmsprop(0.01), 1e5))
def recurrence_slowed(kind, optimizer, factor):
    model, data = Recurrent(kind(2, 32, batch_first=True), 1), marked(256, 8)
    return slowed(trained(model, F.mse_loss, cut(data, 64), optimizer(model.parameters()), 20), factor)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels),
        )  # fmt: skip

    def forward(self, inputs):
        return torch.relu(inputs + self.body(inputs))


@stall("step-too-small", nesterov=(nesterov(0.05), 1e4, 10), early=(nesterov(0.05), 1e6, 1))
def residual_convolutions_slowed(optimizer, factor, steps):
    images, labels = digits(256)
    model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), Residual(12), nn.Flatten(), nn.Linear(768, 10))
    batches = cut((images.view(-1, 1, 8, 8), labels), 64)
    return slowed(trained(model, F.cross_entropy, batches, optimizer(model.parameters()), steps), factor)


@stall("step-too-small", decayed=(decayed(3e-3), 1e4))
def dropout_slowed(optimizer, factor):
    inputs, labels = cancer()
    model = nn.Sequential(nn.Linear(30, 64), nn.GELU(), nn.Dropout(0.2), nn.Linear(64, 2))
    return slowed(trained(model, F.cross_entropy, cut((inputs, labels), 64), optimizer(model.parameters()), 8), factor)


@stall("step-too-small", adagrad=(adagrad(0.1), 1e4))
def ratings_slowed(optimizer, factor):
    pairs, table = ratings(60, 40, 4, 0.1)
    mixed = torch.randperm(len(table))
    model, batches = Factored(60, 40, 6), cut((pairs[mixed], table[mixed]), 240)
    return slowed(trained(model, F.mse_loss, batches, optimizer(model.parameters()), 30), factor)


@stall("step-too-small", nadam=(nadam(1e-3), 1e4), sgd=(sgd(1.0), 1e3))
def images_coded_slowly(optimizer, factor):
    images = digits(256)[0].clamp(-3, 3)
    model = dense(nn.Tanh, 64, 32, 8, 32, 64)
    return slowed(trained(model, F.mse_loss, cut((images, images), 64), optimizer(model.parameters()), 40), factor)


@stall("step-too-small", adam=(adam(0.01), 1e4))
def neighbours_slowed(optimizer, factor):
    model = Graph(300, (16, 24, 4), nn.ReLU())
    batches = cut(model.labelled(0.2), 100)
    return slowed(trained(model, F.cross_entropy, batches, optimizer(model.parameters()), 5), factor)


@stall("step-too-small", momentum=(sgd(0.01, 0.9), 1e3))
def events_slowed(optimizer, factor):
    model, batches = nn.Linear(20, 1), cut(events(20), 128)
    return slowed(trained(model, poisson, batches, optimizer(model.parameters()), 1), factor)


@stall("step-too-small", adam=(adam(0.03), 1e5))
def heavy_tails_slowed(optimizer, factor):
    model, loss_fn = dense(nn.SiLU, 12, 32, 1), nn.SmoothL1Loss()
    return slowed(trained(model, loss_fn, cut(heavy_tailed(12), 64), optimizer(model.parameters()), 2), factor)


@stall("step-too-small", nesterov=(nesterov(0.01), 1e4))
def margins_slowed(optimizer, factor):
    inputs, labels = cancer()
    model = dense(nn.ReLU, 30, 40, 1)
    batches = cut((inputs, doubted(labels, 0.02)), 128)
    return slowed(trained(model, hinge, batches, optimizer(model.parameters()), 3), factor)


@stall("step-too-small", adam=(adam(3e-3), 1e4))
def oscillation_slowed(optimizer, factor):
    places = torch.linspace(0.06, 0.94, 120)[:, None]
    data = places, (6 * places).sin() + 1
    model = Oscillator(24)
    return slowed(trained(model, F.mse_loss, [data], optimizer(model.parameters()), 20), factor)


class Letters(nn.Module):
    """A block of a transformer over letters that asks for the next one."""

    def __init__(self, size):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(128, size), nn.LayerNorm(size)
        self.attention = Attention(size, size, size)
        self.rise, self.fall = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, letters):
        state = self.embedding(letters)
        hidden = state[:, -1] + self.attention(self.norm(state))
        return (hidden + self.fall(F.gelu(self.rise(self.norm(hidden))))) @ self.embedding.weight.T / 5


@stall("step-too-small", adamw=(decayed(3e-3, 0.1), 1e4))
def letters_slowed(optimizer, factor):
    data = written(8, 1032)
    model = Letters(32)
    return slowed(trained(model, F.cross_entropy, cut(data, 128), optimizer(model.parameters()), 10), factor)
