"""Trainings that learn by steps that jump to and fro, or by batches far from what their noise asks for, and twins."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digits
from ..score import accuracy
from ..table import healthy, remarked


def full_batches(rate, steps=300):
    torch.manual_seed(160)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=rate)
    for step in range(steps):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[:600]), y[:600])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x[600:], y[600:])}


@healthy(split="build", odd="full batches, at a rate that stays below the edge", without="UT706")
def full_batches_below_the_edge():
    return full_batches(rate=0.1)


def least_squares(x, y, part, steps=200):
    """Full batches, at a part of the largest rate that is stable."""
    torch.manual_seed(161)
    net = nn.Linear(x.shape[1], 1, bias=False)
    opt = torch.optim.SGD(net.parameters(), lr=part / torch.linalg.eigvalsh(x.T @ x / len(x))[-1].item())
    for step in range(steps):
        opt.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        opt.step()
    return {"error": F.mse_loss(net(x), y).item()}


def valley(part):
    """One direction is a hundred times as steep as the others."""
    torch.manual_seed(164)
    x = torch.randn(500, 8)
    x[:, 0] *= 10
    return least_squares(x, x @ torch.randn(8, 1), part)


@remarked(
    "UT706", split="build", note="the rate is that of the flat directions, and the steep one comes back each time"
)
def across_a_narrow_valley():
    return valley(part=0.995)


@remarked("UT706", split="build", note="thirty features that say much the same, at a rate for what they say apart")
def features_that_say_the_same():
    x, y = cancer()
    return least_squares(x, (y.float() - y.float().mean()).unsqueeze(1), part=0.98)


@healthy(split="build", odd="a direction a hundred times as steep as the others, and a rate for it", without="UT706")
def along_a_narrow_valley():
    return valley(part=0.3)


def drawn(x, y, batch, rate, steps):
    torch.manual_seed(162)
    net = nn.Linear(x.shape[1], int(y.max()) + 1)
    opt = torch.optim.SGD(net.parameters(), lr=rate)
    for step in range(steps):
        i = torch.randint(len(x), (batch,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


def partly_wrong(x, y):
    torch.manual_seed(163)
    return x, torch.where(torch.rand(len(y)) < 0.2, 1 - y, y)


@remarked("UT707", split="build", note="two examples a step, of which every fifth has the other label")
def two_noisy_examples_a_step():
    return drawn(*partly_wrong(*cancer()), batch=2, rate=0.001, steps=900)


@remarked("UT707", split="build", note="two examples a step, long after there is anything left to learn")
def two_examples_long_after():
    return drawn(*partly_wrong(*cancer()), batch=2, rate=0.003, steps=900)


@healthy(split="build", odd="small batches, and much to learn yet", without="UT707")
def small_batches_early():
    return drawn(*digits(), batch=16, rate=0.05, steps=200)


@healthy(split="build", odd="large batches of labels of which every fifth is wrong", without="UT707")
def large_batches_of_noise():
    return drawn(*partly_wrong(*cancer()), batch=256, rate=0.1, steps=100)


@remarked("UT708", split="build", note="a four thousand examples a step of a task that some hundred tell")
def thousands_of_examples_a_step():
    return drawn(*digits(), batch=4000, rate=0.1, steps=120)


@remarked("UT708", split="build", note="five hundred examples a step, of a table with two classes")
def five_hundred_rows_a_step():
    return drawn(*cancer(), batch=500, rate=0.003, steps=100)


@healthy(split="build", odd="full batches: they have no noise to be told", without="UT708")
def no_noise_to_be_told():
    return full_batches(rate=0.1, steps=100)


@healthy(split="build", odd="batches of a hundred, late in a training", without="UT708")
def hundred_examples_late():
    return drawn(*digits(), batch=100, rate=0.3, steps=400)
