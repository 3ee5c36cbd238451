"""Trainings that learn though two paths of the gradient nearly undo each other, and ones whose paths do not."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits, wine
from ..score import accuracy
from ..table import healthy, remarked


class Shrunk(nn.Module):
    """What lies beyond a threshold passes, and of what does not, a part that leaks through."""

    def __init__(self, leak):
        super().__init__()
        self.leak = leak

    def forward(self, x):
        return x - (1 - self.leak) * F.hardtanh(x, -2, 2)


def shrunk(leak):
    torch.manual_seed(190)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), Shrunk(leak), nn.LayerNorm(48), nn.Linear(48, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(200):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@remarked("UT108", split="build", note="a soft threshold that hardly anything exceeds, written as a difference")
def threshold_that_hardly_anything_exceeds():
    return shrunk(leak=0.02)


@healthy(split="build", odd="a soft threshold that lets half of what is below it through", without="UT108")
def threshold_that_leaks_half():
    return shrunk(leak=0.5)


def confused(weight):
    """A penalty on what the second head can say, by the same labels."""
    torch.manual_seed(191)
    x, y = wine()
    body, head = nn.Sequential(nn.Linear(13, 32), nn.Tanh()), nn.Linear(32, 3)
    opt = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=3e-3)
    for step in range(300):
        i = torch.randint(len(x), (64,))
        features = body(x[i])
        told = F.cross_entropy(head(features), y[i])
        adversary = F.cross_entropy(F.linear(features, head.weight.detach(), head.bias.detach()), y[i])
        opt.zero_grad()
        loss = told - weight * adversary
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(nn.Sequential(body, head), x, y)}


@remarked("UT108", split="build", note="a loss is taken away from another that says the same of the features")
def loss_taken_away_from_its_like():
    return confused(weight=0.97)


@healthy(split="build", odd="a tenth of a loss is taken away from another", without="UT108")
def tenth_of_a_loss_taken_away():
    return confused(weight=0.1)
