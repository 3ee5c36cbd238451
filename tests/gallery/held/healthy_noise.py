"""Noise in labels, gradients and losses that does no harm, as other people might have it."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digits, iris, moons
from ..score import accuracy
from ..table import healthy
from .data import houses, prose


def prices():
    x, y = houses()
    return (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()


@healthy(split="held", odd="three labels in ten are wrong; early enough, the truth is learned")
def three_labels_in_ten_are_wrong():
    torch.manual_seed(4)
    x, y = digits()
    wrong = torch.where(torch.rand(len(y)) < 0.3, torch.randint(10, (len(y),)), y)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.05)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), wrong[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@healthy(split="held", odd="one price in twenty is nonsense, ten times too large; Huber's loss bears it")
def one_price_in_twenty_is_nonsense():
    torch.manual_seed(14)
    x, y = prices()
    told = torch.where(torch.rand(2000) < 0.05, 10 * y + 20, y)
    net = nn.Sequential(nn.Linear(8, 48), nn.LeakyReLU(), nn.Linear(48, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(50):
        for i in torch.randperm(2000).split(50):
            opt.zero_grad()
            loss = F.huber_loss(net(x[i]), told[i], delta=0.5)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item()}


@healthy(split="held", odd="mixed-up pairs: targets are between classes, the loss stays high")
def mixup_of_pairs():
    torch.manual_seed(17)
    x, y = moons(1000, 0.15)
    hot = F.one_hot(y, 2).float()
    net = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    beta = torch.distributions.Beta(1.0, 1.0)
    for epoch in range(50):
        for i, j in zip(torch.randperm(1000).split(40), torch.randperm(1000).split(40)):
            share = beta.sample((len(i), 1))
            opt.zero_grad()
            loss = F.cross_entropy(net(share * x[i] + (1 - share) * x[j]), share * hot[i] + (1 - share) * hot[j])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@healthy(split="held", odd="noise is added to each gradient on purpose, less as time goes")
def noise_on_gradients():
    torch.manual_seed(13)
    x, y = iris()
    net = nn.Sequential(nn.Linear(4, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for step in range(2500):
        i = torch.randint(150, (25,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        for p in net.parameters():
            p.grad += torch.randn_like(p) * (0.3 / (1 + step) ** 0.55) ** 0.5 * 0.3
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="differential privacy: each example's gradient clipped to 1, noise added; it learns slowly")
def each_example_clipped():
    torch.manual_seed(14)
    x, y = cancer()
    net = nn.Linear(30, 2)
    opt = torch.optim.SGD(net.parameters(), lr=0.3)
    for step in range(250):
        total = [torch.zeros_like(p) for p in net.parameters()]
        for i in torch.randint(len(x), (16,)).tolist():
            loss = F.cross_entropy(net(x[i : i + 1]), y[i : i + 1])
            grads = torch.autograd.grad(loss, list(net.parameters()))
            norm = math.sqrt(sum(g.pow(2).sum().item() for g in grads))
            for t, g in zip(total, grads):
                t += g * min(1.0, 1.0 / (norm + 1e-6))
        for p, t in zip(net.parameters(), total):
            p.grad = (t + 0.8 * torch.randn_like(t)) / 16
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="the loss jumps up now and then (one batch in 150 has random targets) and comes back")
def spikes_that_come_back():
    torch.manual_seed(15)
    text, n = prose()
    net = nn.Sequential(nn.Embedding(n, 16), nn.Flatten(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, n))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(1470):
        i = torch.randint(len(text) - 7, (48,))
        target = text[i + 6] if step % 150 != 149 else torch.randint(n, (48,))
        loss = F.cross_entropy(net(text[i[:, None] + torch.arange(6)]), target)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item()}
