"""Nets over coordinates, physics-informed nets, neural differential equations, graphs and sets."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import moons
from ..score import accuracy, matches
from ..table import healthy
from .data_a import bags, picture, rings, village


@healthy(split="blind", odd="sines of thirty times a sum, with weights drawn for it: large pre-activations")
def picture_in_sines():
    class Sine(nn.Module):
        def __init__(self, a, b, first=False):
            super().__init__()
            self.fc = nn.Linear(a, b)
            bound = 1 / a if first else (6 / a) ** 0.5 / 30
            nn.init.uniform_(self.fc.weight, -bound, bound)

        def forward(self, x):
            return torch.sin(30 * self.fc(x))

    torch.manual_seed(1)
    at, grey = picture()
    net = nn.Sequential(Sine(2, 64, True), Sine(64, 64), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-4)
    for step in range(400):
        opt.zero_grad()
        F.mse_loss(net(at), grey).backward()
        opt.step()
    return {"error": (F.mse_loss(net(at), grey) / grey.var()).item()}


@healthy(split="blind", odd="random frequencies that stay as drawn, and the same batch each step: all of the picture")
def picture_by_random_waves():
    torch.manual_seed(2)
    at, grey = picture()
    waves = 4 * torch.randn(2, 64)
    seen = torch.cat([(at @ waves).sin(), (at @ waves).cos()], 1)
    net = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1), nn.Sigmoid())
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(300):
        opt.zero_grad()
        F.mse_loss(net(seen), grey).backward()
        opt.step()
    return {"error": (F.mse_loss(net(seen), grey) / grey.var()).item()}


@healthy(split="blind", odd="no data: the loss is the residual of an equation, and begins far from its scale")
def decaying_swing():
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    fall = torch.optim.lr_scheduler.StepLR(opt, 800, 0.3)
    for step in range(1600):
        t = (4 * torch.rand(64, 1)).requires_grad_()
        u = 1 + t**2 * net(t)
        (du,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        (ddu,) = torch.autograd.grad(du.sum(), t, create_graph=True)
        loss = (ddu + 0.4 * du + 4 * u).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        fall.step()
    t = torch.linspace(0, 4, 200)[:, None]
    w = math.sqrt(3.96)
    exact = torch.exp(-0.2 * t) * (torch.cos(w * t) + 0.2 / w * torch.sin(w * t))
    return {"error": (F.mse_loss(1 + t**2 * net(t), exact) / exact.var()).item()}


@healthy(split="blind", odd="LBFGS in double precision on all points: a few steps, each with many evaluations")
def warmth_of_a_rod():
    torch.manual_seed(4)
    net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1)).double()
    x = torch.linspace(0, 1, 60, dtype=torch.float64)[:, None].requires_grad_()
    opt = torch.optim.LBFGS(net.parameters(), max_iter=20, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        u = x * (1 - x) * net(x)
        (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (ddu,) = torch.autograd.grad(du.sum(), x, create_graph=True)
        loss = (ddu + 9 * math.pi**2 * torch.sin(3 * math.pi * x)).square().mean()
        loss.backward()
        return loss

    for step in range(12):
        opt.step(closure)
    return {"error": F.mse_loss(x * (1 - x) * net(x), torch.sin(3 * math.pi * x)).item() * 2}


@healthy(split="blind", odd="one small layer is applied sixteen times as the right side of an equation")
def rings_untied_by_a_flow():
    class Flow(nn.Module):
        def __init__(self):
            super().__init__()
            self.slope, self.fc = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 4)), nn.Linear(4, 3)

        def forward(self, x):
            z = F.pad(x, (0, 2))
            for k in range(16):
                z = z + self.slope(F.pad(z, (0, 1), value=k / 16)) / 4
            return self.fc(z)

    torch.manual_seed(5)
    x, y = rings()
    net = Flow()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(20):
        for i in torch.randperm(600).split(60):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="a fixed point found without gradients, and one step from it with them")
def moons_at_rest():
    class Rest(nn.Module):
        def __init__(self):
            super().__init__()
            self.inject, self.turn, self.fc = nn.Linear(2, 32), nn.Linear(32, 32, bias=False), nn.Linear(32, 2)
            nn.init.normal_(self.turn.weight, std=0.08)

        def forward(self, x):
            u = self.inject(x)
            z = torch.zeros_like(u)
            with torch.no_grad():
                for _ in range(25):
                    z = torch.tanh(self.turn(z) + u)
            return self.fc(torch.tanh(self.turn(z) + u))

    torch.manual_seed(6)
    x, y = moons()
    net = Rest()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(25):
        for i in torch.randperm(500).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="the same full graph each step, and the loss at a third of the people only")
def groups_of_a_village():
    torch.manual_seed(7)
    x, knows, y, known = village()
    a = knows + torch.eye(len(x))
    root = a.sum(1).rsqrt()
    a = root[:, None] * a * root
    first, second = nn.Linear(8, 32), nn.Linear(32, 4)

    def forward(training=False):
        h = F.dropout(torch.relu(first(a @ x)), 0.5, training)
        return second(a @ h)

    opt = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=0.01, weight_decay=5e-4)
    for step in range(200):
        opt.zero_grad()
        F.cross_entropy(forward(True)[known], y[known]).backward()
        opt.step()
    return {"accuracy": matches(forward()[~known], y[~known])}


@healthy(split="blind", odd="attention over neighbours with -inf for all others: most weights are exactly 0")
def neighbours_are_weighed():
    class Layer(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.lift, self.left, self.right = nn.Linear(a, b, bias=False), nn.Linear(b, 1), nn.Linear(b, 1)

        def forward(self, x, mask):
            h = self.lift(x)
            scores = F.leaky_relu(self.left(h) + self.right(h).T, 0.2)
            return scores.masked_fill(~mask, -torch.inf).softmax(1) @ h

    torch.manual_seed(8)
    x, knows, y, known = village()
    mask = (knows + torch.eye(len(x))) > 0
    one, two = Layer(8, 24), Layer(24, 4)
    opt = torch.optim.Adam([*one.parameters(), *two.parameters()], lr=0.01, weight_decay=1e-3)
    for step in range(150):
        opt.zero_grad()
        out = two(F.elu(one(x, mask)), mask)
        F.cross_entropy(out[known], y[known]).backward()
        opt.step()
    return {"accuracy": matches(two(F.elu(one(x, mask)), mask)[~known], y[~known])}


@healthy(split="blind", odd="the largest over a set: for each unit one point alone has a gradient")
def largest_over_a_set():
    torch.manual_seed(9)
    x, y = bags()
    each = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64))
    whole = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1), nn.Softplus())
    opt = torch.optim.Adam([*each.parameters(), *whole.parameters()], lr=2e-3)

    def forward(x):
        return whole(each(x - x.mean(1, keepdim=True)).amax(1))

    for epoch in range(30):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            F.mse_loss(forward(x[i]), y[i]).backward()
            opt.step()
    return {"error": (F.mse_loss(forward(x), y) / y.var()).item()}
