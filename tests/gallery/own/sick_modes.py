"""Modes of layers and loops: evaluation mode, tiny batches, dropout, accumulation."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import diabetes, digit_images, digits, wine
from ..score import accuracy
from ..table import healthy, sick


def narrow_funnel(depth=10, width=48):
    layers = [nn.Linear(64, width), nn.BatchNorm1d(width), nn.ReLU()]
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def train_funnel(mode):
    torch.manual_seed(31)
    x, y = digits()
    net = narrow_funnel()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True)
    net.train(mode)
    for epoch in range(5):
        for inputs, labels in loader:
            loss = F.cross_entropy(net(inputs), labels)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT601", split="build", note="model.eval() is never taken back")
def deep_funnel_in_eval_mode():
    return train_funnel(mode=False)


@healthy(split="build", odd="the same network in training mode")
def deep_funnel_in_training_mode():
    return train_funnel(mode=True)


@sick("UT601", split="judge", note="the factory returns the network in evaluation mode")
def convolutions_served_in_eval_mode():
    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            widths = [1] + [16] * 9
            self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(widths, widths[1:], strict=False))
            self.norms = nn.ModuleList(nn.BatchNorm2d(16) for _ in widths[1:])
            self.top = nn.Linear(16, 10)

        def forward(self, x):
            for conv, norm in zip(self.convs, self.norms, strict=True):
                x = torch.tanh(norm(conv(x)))
            return self.top(x.mean((2, 3)))

    torch.manual_seed(32)
    x, y = digit_images()
    net = Tower().eval()
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for step in range(120):
        pick = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[pick]), y[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="fine-tuning with the statistics of normalisations frozen, as detectors do")
def statistics_frozen_after_pretraining():
    torch.manual_seed(33)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for phase in range(2):
        net.train(phase == 0)
        for _ in range(100):
            pick = torch.randint(len(x), (64,))
            opt.zero_grad()
            loss = F.cross_entropy(net(x[pick]), y[pick])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


def normalised_regressor(rows):
    torch.manual_seed(34)
    x, y = diabetes()
    net = nn.Sequential(
        nn.Linear(10, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 1),
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(400):
        pick = torch.randint(len(x), (rows,))
        opt.zero_grad()
        loss = F.mse_loss(net(x[pick]).squeeze(1), y[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT602", split="build", note="two patients at a time through batch normalisation")
def normalised_in_pairs():
    return normalised_regressor(rows=2)


@healthy(split="build", odd="the same with batches of 64")
def normalised_in_crowds():
    return normalised_regressor(rows=64)


@sick("UT602", split="judge", note="pooled to one pixel before the normalisation, two images a batch")
def pairs_pooled_before_normalising():
    torch.manual_seed(35)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(16, 16),
        nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10),
    )  # fmt: skip
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    for step in range(500):
        pick = torch.randperm(len(x))[:2]
        loss = F.cross_entropy(net(x[pick]), y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


def dropping(rate, depth, steps=200):
    torch.manual_seed(36)
    x, y = digits()
    layers = [nn.Linear(64, 48), nn.ReLU(), nn.Dropout(rate)]
    for _ in range(depth):
        layers += [nn.Linear(48, 48), nn.ReLU(), nn.Dropout(rate)]
    net = nn.Sequential(*layers, nn.Linear(48, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(steps):
        pick = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[pick]), y[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@sick("UT603", split="build", note="the share to keep was given as the share to drop")
def keeps_a_tenth():
    return dropping(0.9, depth=3)


@healthy(split="build", odd="dropout at 0.5 on every layer")
def drops_half():
    return dropping(0.5, depth=1, steps=400)


@sick("UT603", split="judge", note="functional dropout at 0.95 on the input and each hidden layer")
def hardly_anything_passes():
    class Sieve(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.out = nn.Linear(13, 32), nn.Linear(32, 32), nn.Linear(32, 3)

        def forward(self, x):
            h = F.dropout(torch.tanh(self.one(F.dropout(x, 0.8))), 0.95)
            return self.out(F.dropout(torch.tanh(self.two(h)), 0.95))

    torch.manual_seed(37)
    x, y = wine()
    net = Sieve()
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for _ in range(300):
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


def accumulating(divided):
    torch.manual_seed(38)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.15, momentum=0.9)
    for epoch in range(8):
        opt.zero_grad()
        for number, rows in enumerate(torch.randperm(len(x)).split(16), 1):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            loss = loss / 32 if divided else loss
            loss.backward()
            if number % 32 == 0:
                opt.step()
                opt.zero_grad()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="32 micro-batches, each divided by 32")
def thirty_two_divided():
    return accumulating(divided=True)


@sick("UT604", split="build", note="32 micro-batches are added up and not divided")
def thirty_two_undivided():
    return accumulating(divided=False)
