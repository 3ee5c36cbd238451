"""Trainings that learn though one of their layers hardly moves beside the others, and ones of which none does."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits, wine
from ..score import accuracy
from ..table import healthy, remarked


class Branches(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.stem = nn.Linear(64, 48)
        self.main, self.side = nn.Linear(48, 48), nn.Linear(48, 48)
        self.head = nn.Linear(48, 10)
        self.factor = factor

    def forward(self, x):
        h = F.relu(self.stem(x))
        return self.head(F.relu(self.main(h) + self.factor * self.side(h)))


def trained(net, opt, x, y, steps):
    for step in range(steps):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


def two_branches(factor, steps=250):
    torch.manual_seed(180)
    net = Branches(factor)
    return trained(net, torch.optim.SGD(net.parameters(), lr=0.1), *digits(), steps)


@remarked("UT902", split="build", note="a branch is multiplied by 1e-5, and its weights stay as they were made")
def branch_behind_a_tiny_factor():
    return two_branches(1e-5)


class TwoTables(nn.Module):
    """The measurements of the second table come in other units, a hundred-thousandth of those of the first."""

    def __init__(self, factor):
        super().__init__()
        self.first, self.second = nn.Linear(13, 24, bias=False), nn.Linear(13, 24, bias=False)
        self.head = nn.Linear(24, 3)
        self.factor = factor

    def forward(self, x):
        return self.head(torch.tanh(self.first(x) + self.second(self.factor * x.flip(1))))


def two_tables(factor):
    torch.manual_seed(181)
    net = TwoTables(factor)
    return trained(net, torch.optim.SGD(net.parameters(), lr=0.1), *wine(), 200)


@remarked("UT902", split="build", note="a new layer reads numbers of a hundred-thousandth, and learns nothing of them")
def new_layer_on_tiny_numbers():
    return two_tables(1e-5)


@healthy(split="build", odd="a branch at a tenth, as residual branches are begun", without="UT902")
def branch_at_a_tenth():
    return two_branches(0.1)


@healthy(split="build", odd="groups whose rates are a ten-thousandth apart on purpose", without="UT902")
def groups_of_rates_far_apart():
    torch.manual_seed(182)
    net = Branches(1.0)
    slow = {"params": [*net.stem.parameters()], "lr": 1e-5}
    rest = {"params": [*net.main.parameters(), *net.side.parameters(), *net.head.parameters()]}
    return trained(net, torch.optim.SGD([slow, rest], lr=0.1), *digits(), 250)
