"""Small problems of many kinds, and networks for them, of which the held-out stalls are made."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, AdamW, NAdam, Optimizer

from .stalls import Data

poisson = partial(F.poisson_nll_loss, full=True)
"""With Stirling's term: without it the loss may be negative, and a share of it means nothing."""


def nesterov(rate: float, momentum: float = 0.9) -> Callable[[Any], Optimizer]:
    return lambda parameters: SGD(parameters, rate, momentum=momentum, nesterov=True)


def nadam(rate: float) -> Callable[[Any], Optimizer]:
    return lambda parameters: NAdam(parameters, rate)


def adagrad(rate: float) -> Callable[[Any], Optimizer]:
    return lambda parameters: Adagrad(parameters, rate)


def decayed(rate: float, decay: float = 0.01) -> Callable[[Any], Optimizer]:
    return lambda parameters: AdamW(parameters, rate, weight_decay=decay)


def hinge(outputs: Tensor, signs: Tensor) -> Tensor:
    return (1 - signs * outputs.squeeze(1)).clamp(min=0).mean()


def squared_hinge(outputs: Tensor, signs: Tensor) -> Tensor:
    return (1 - signs * outputs.squeeze(1)).clamp(min=0).square().mean()


def doubted(labels: Tensor, share: float) -> Tensor:
    """Signs for two classes, some of them turned around."""
    signs = labels * 2.0 - 1
    return torch.where(torch.rand(len(signs)) < share, -signs, signs)


def events(width: int, count: int = 512) -> Data:
    """Counts whose logarithm of the mean is linear."""
    inputs = torch.randn(count, width)
    return inputs, torch.poisson((inputs @ torch.randn(width, 1) * 0.7 / width**0.5 + 0.5).exp())


def heavy_tailed(width: int, count: int = 512) -> Data:
    inputs = torch.randn(count, width)
    noise = torch.distributions.StudentT(2.0).sample((count, 1))
    return inputs, inputs @ torch.randn(width, 1) / width**0.5 + 0.5 * noise


def games(players: int, count: int) -> Data:
    """Who plays against whom, and whether the first one wins."""
    strengths = torch.randn(players)
    pairs = torch.stack([torch.randperm(players)[:2] for _ in range(count)])
    odds = torch.sigmoid(strengths[pairs[:, 0]] - strengths[pairs[:, 1]])
    return pairs, torch.bernoulli(odds)


def ratings(users: int, items: int, rank: int, noise: float) -> Data:
    """Every user's rating of every item."""
    table = torch.randn(users, rank) @ torch.randn(rank, items) / rank**0.5 + noise * torch.randn(users, items)
    return torch.cartesian_prod(torch.arange(users), torch.arange(items)), table.flatten()


def collocated(functions: int, points: int = 200, noise: float = 0.3) -> Data:
    """u'' + 3 u' + 5 u at points of an interval, by sines, and what it should be there, measured with noise."""
    places = torch.rand(points, 1) * math.pi
    waves = torch.arange(1.0, functions + 1)
    sines, cosines = (places * waves).sin(), (places * waves).cos()
    asked = (2 * places).cos() + places + noise * torch.randn(points, 1)
    return ((5 - waves**2) * sines + 3 * waves * cosines) / waves**2, asked


def marked(count: int, length: int, noise: float = 0.0) -> Data:
    """Sequences of a value and a mark: asked is what the values of the marked steps add up to."""
    values = torch.rand(count, length) * 2 - 1
    marks = torch.zeros(count, length).scatter_(1, torch.rand(count, length).argsort(1)[:, :2], 1.0)
    asked = (values * marks).sum(1, keepdim=True) + noise * torch.randn(count, 1)
    return torch.stack([values, marks], 2), asked


def written(context: int, count: int) -> Data:
    """Characters of a module of the standard library, and the one that comes after them."""
    letters = torch.tensor([min(ord(letter), 127) for letter in Path(textwrap.__file__).read_text()[:count]])
    return letters.unfold(0, context, 1)[:-1], letters[context:]


class Difference(nn.Module):
    """How much stronger the first is than the second."""

    def __init__(self, players: int) -> None:
        super().__init__()
        self.strength = nn.Embedding(players, 1)

    def forward(self, pairs: Tensor) -> Tensor:
        strengths = self.strength(pairs).squeeze(2)
        return strengths[:, 0] - strengths[:, 1]


class Factored(nn.Module):
    """What a user and an item have in common."""

    def __init__(self, users: int, items: int, rank: int) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(users, rank), nn.Embedding(items, rank)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, pairs: Tensor) -> Tensor:
        return (self.users(pairs[:, 0]) * self.items(pairs[:, 1])).sum(1) + self.bias


class Graph(nn.Module):
    """A layer that averages over neighbours, twice; asked for some of the nodes."""

    def __init__(self, nodes: int, widths: tuple[int, int, int], activation: nn.Module) -> None:
        super().__init__()
        links = (torch.rand(nodes, nodes) < 4 / nodes).float()
        links = ((links + links.T + torch.eye(nodes)) > 0).float()
        self.register_buffer("near", links / links.sum(1, keepdim=True))
        self.register_buffer("features", torch.randn(nodes, widths[0]))
        self.first, self.second = nn.Linear(widths[0], widths[1]), nn.Linear(widths[1], widths[2])
        self.activation = activation

    def forward(self, nodes: Tensor) -> Tensor:
        hidden = self.activation(self.first(self.near @ self.features))
        return self.second(self.near @ hidden)[nodes]

    def labelled(self, noise: float) -> Data:
        """Its nodes, with classes by what lies around them."""
        about = self.near @ (self.near @ self.features) @ torch.randn(self.features.shape[1], self.second.out_features)
        return torch.arange(len(about)), (about / about.std() + noise * torch.randn_like(about)).argmax(1)


class Recurrent(nn.Module):
    """The last state of a recurrence, read out."""

    def __init__(self, recurrence: nn.RNNBase, outputs: int) -> None:
        super().__init__()
        self.recurrence, self.head = recurrence, nn.Linear(recurrence.hidden_size, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.recurrence(inputs)[0][:, -1])


class Beside(nn.Module):
    """Two branches, added up."""

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left, self.right = left, right

    def forward(self, inputs: Tensor) -> Tensor:
        return self.left(inputs) + self.right(inputs)


class Experts(nn.Module):
    """Two experts, and a gate that mixes them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(width, 1), nn.ModuleList([nn.Linear(width, 1), nn.Linear(width, 1)])

    def forward(self, inputs: Tensor) -> Tensor:
        share = torch.sigmoid(self.gate(inputs))
        return share * self.experts[0](inputs) + (1 - share) * self.experts[1](inputs)


class Attention(nn.Module):
    """One head over the steps of a sequence, asked by the mean of them."""

    def __init__(self, width: int, size: int, outputs: int) -> None:
        super().__init__()
        self.query, self.key, self.value = nn.Linear(width, size), nn.Linear(width, size), nn.Linear(width, size)
        self.head = nn.Linear(size, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        asked = self.query(inputs.mean(1, keepdim=True))
        weights = torch.softmax(asked @ self.key(inputs).transpose(1, 2) / asked.shape[2] ** 0.5, 2)
        return self.head((weights @ self.value(inputs)).squeeze(1))


class Oscillator(nn.Module):
    """u'' + 4 u, by differences, of a network that is 0 at both ends of [0, 1]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def solution(self, places: Tensor) -> Tensor:
        return places * (1 - places) * self.net(places)

    def forward(self, places: Tensor, far: float = 0.05) -> Tensor:
        before, here, after = (self.solution(places + by) for by in (-far, 0.0, far))
        return (before - 2 * here + after) / far**2 + 4 * here
