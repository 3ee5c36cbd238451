"""How weights are made and what is done with them: constant, frozen, too small a format, attention that settles."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import characters, digit_images, digits, regression, wine
from ..score import accuracy
from ..table import healthy, sick


def classify(net, x, y, opt, steps=150, rows=64):
    for _ in range(steps):
        pick = torch.randint(len(x), (rows,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[pick]), y[pick])
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT203", split="build", note="every weight is 0.05")
def every_weight_the_same():
    torch.manual_seed(101)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    for weight in net.parameters():
        nn.init.constant_(weight, 0.05)
    return classify(net, x, y, torch.optim.Adam(net.parameters(), lr=1e-3))


@sick("UT203", split="judge", note="zeros throughout, in matrices kept by hand")
def zeros_throughout():
    torch.manual_seed(102)
    x, y = wine()
    w1, b1, w2 = (torch.zeros(*shape, requires_grad=True) for shape in ((13, 24), (24,), (24, 3)))
    opt = torch.optim.SGD([w1, b1, w2], lr=0.1)
    return classify(lambda rows: torch.tanh(rows @ w1 + b1) @ w2, x, y, opt)


@sick("UT203", split="judge", note="convolutions of ones")
def convolutions_of_ones():
    torch.manual_seed(103)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ELU(), nn.Conv2d(8, 8, 3), nn.ELU(), nn.Flatten(), nn.Linear(128, 10))
    for layer in (net[0], net[2], net[5]):
        nn.init.constant_(layer.weight, 0.01)
    return classify(net, x, y, torch.optim.SGD(net.parameters(), lr=0.05))


@healthy(split="build", odd="the last layer begins at zero, and the branches of a residual network with it")
def branches_begin_at_zero():
    class Branch(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)
            nn.init.zeros_(self.down.weight)

        def forward(self, x):
            return x + self.down(torch.relu(self.up(x)))

    torch.manual_seed(104)
    x, y = digits()
    net = nn.Sequential(*[Branch(64) for _ in range(3)], nn.Linear(64, 10))
    nn.init.zeros_(net[-1].weight)
    return classify(net, x, y, torch.optim.Adam(net.parameters(), lr=3e-3)) | {"accuracy": accuracy(net, x, y)}


def frozen_trunk(trained):
    torch.manual_seed(105)
    x, y = digit_images()
    trunk = nn.Sequential(
        *[m for i in range(6) for m in (nn.Conv2d(1 if i == 0 else 16, 16, 3, padding=1), nn.Tanh())],
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    net = nn.Sequential(trunk, nn.Linear(16, 10))
    if trained:
        classify(net, x, y, torch.optim.Adam(net.parameters(), lr=5e-3), steps=200)
    for weight in trunk.parameters():
        weight.requires_grad_(False)
    net[1].reset_parameters()
    opt = torch.optim.SGD(net[1].parameters(), lr=0.1)
    return classify(net, x, y, opt) | {"accuracy": accuracy(net, x, y)}


@sick("UT107", split="build", note="the trunk is frozen, and its weights were never loaded")
def frozen_before_loading():
    return frozen_trunk(trained=False)


def half_precision(scaled):
    torch.manual_seed(106)
    x, y = regression()
    net = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(120):
        pick = torch.randint(len(x), (64,))
        with torch.autocast("cpu", dtype=torch.float16):
            out = net(x[pick]).squeeze(1)
        loss = 1e-7 * F.mse_loss(out.float(), y[pick])
        opt.zero_grad()
        (loss * 2.0**20 if scaled else loss).backward()
        opt.step()
    return {"loss": loss.item()}


@sick("UT104", split="build", note="a loss in small units, in float16, without a scaler")
def half_precision_without_scaling():
    return half_precision(scaled=False)


class Attends(nn.Module):
    def __init__(self, vocab, divisor, width=64, gain=1.0):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, vocab)
        self.divisor = divisor
        nn.init.normal_(self.query.weight, std=gain)
        nn.init.normal_(self.key.weight, std=gain)

    def forward(self, ids):
        x = self.embed(ids)
        scores = self.query(x[:, -1:]) @ self.key(x).transpose(-1, -2) / self.divisor
        return self.out((scores.softmax(-1) @ self.value(x)).squeeze(1))


def attending(divisor, gain):
    torch.manual_seed(107)
    ids, vocab = characters()
    windows = ids.unfold(0, 13, 1)
    net = Attends(vocab, divisor, gain=gain)
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    return classify(net, windows[:, :-1], windows[:, -1], opt)


@healthy(split="build", odd="the same attention, with scores divided by the root of the width")
def attention_divided():
    torch.manual_seed(108)
    ids, vocab = characters()
    windows = ids.unfold(0, 13, 1)
    net = Attends(vocab, math.sqrt(64), gain=64**-0.5)
    return classify(net, windows[:, :-1], windows[:, -1], torch.optim.Adam(net.parameters(), lr=5e-3), steps=200)


@sick("UT105", split="build", note="scores are not divided by the root of the width, and weights are of size one")
def scores_not_divided():
    return attending(1.0, 1.0)
