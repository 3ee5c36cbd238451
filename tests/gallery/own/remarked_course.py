"""Trainings that learn, with something in the course of their loss that is worth a remark, and their sound twins."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digits
from ..score import accuracy
from ..table import healthy, remarked


def trained_on_digits(batch_at=lambda step, x, y: (x, y), rate_at=lambda step: 0.1, steps=400):
    torch.manual_seed(140)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for step in range(steps):
        i = torch.randint(len(x), (32,))
        opt.param_groups[0]["lr"] = rate_at(step)
        xb, yb = batch_at(step, x[i], y[i])
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@remarked("UT703", split="build", note="one batch holds missing values that were read as 9999; its step is clipped")
def one_batch_of_missing_values():
    return trained_on_digits(lambda step, x, y: (torch.where(x < 0.05, 99.0, x) if step == 250 else x, y))


@remarked("UT703", split="build", note="five steps at twenty times the rate in the middle, as a schedule began anew")
def five_steps_too_far():
    return trained_on_digits(rate_at=lambda step: 2.0 if 250 <= step < 255 else 0.1)


@healthy(split="build", odd="every tenth batch is harder than the others", without="UT703")
def every_tenth_batch_is_harder():
    return trained_on_digits(lambda step, x, y: (x + 0.2 * torch.randn_like(x) if step % 10 == 0 else x, y))


@healthy(split="build", odd="the rate is raised threefold in the middle", without="UT703")
def rate_raised_threefold():
    return trained_on_digits(rate_at=lambda step: 0.03 if step < 200 else 0.1)


@remarked("UT704", split="build", note="targets full of noise, which batches follow to and fro at a constant rate")
def noise_is_all_that_is_left():
    torch.manual_seed(141)
    x = torch.randn(2000, 10)
    y = x.sum(1, keepdim=True) + 2 * torch.randn(2000, 1)
    net = nn.Linear(10, 1)
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for step in range(2500):
        i = torch.randint(len(x), (128,))
        opt.zero_grad()
        loss = F.mse_loss(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"error": F.mse_loss(net(x), y).item()}


@remarked(
    "UT704",
    split="build",
    note="the rate has decayed to nothing after a third of the run, and most was learned by then",
)
def decayed_to_nothing():
    torch.manual_seed(142)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ExponentialLR(opt, 0.985)
    for step in range(1200):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[:600]), y[:600])
        loss.backward()
        opt.step()
        schedule.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="falls slowly to its very end", without="UT704")
def slow_to_the_end():
    torch.manual_seed(143)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 2))
    opt = torch.optim.SGD(net.parameters(), lr=3e-3)
    for step in range(800):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="a schedule that ends at nothing when the run does", without="UT704")
def cosine_to_the_end():
    return trained_on_digits(rate_at=lambda step: 0.05 * (1 + torch.cos(torch.tensor(step / 400 * 3.1416)).item()))
