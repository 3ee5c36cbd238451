"""Mixtures of experts, several tasks and meta-learning that do not work."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digits
from ..score import accuracy, matches
from ..table import sick


@sick(
    "UT103",
    split="wild",
    module="gate",
    note="the expert is picked with argmax, through which nothing reaches the gate",
    cured=(("F.one_hot(score.argmax(1), 4).float()", "score.softmax(1)"),),
)
def experts_picked_by_argmax():
    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(2, 4)
            self.experts = nn.ModuleList(nn.Linear(2, 1) for _ in range(4))

        def forward(self, x):
            score = self.gate(x)
            share = F.one_hot(score.argmax(1), 4).float()  # <- fault
            said = torch.cat([e(x) for e in self.experts], 1)
            return (share * said).sum(1)

    torch.manual_seed(55)
    x = torch.randn(800, 2)
    y = torch.where(x[:, 0] > 0, 2 * x[:, 1], -2 * x[:, 1] + 1)
    net = Mixture()
    opt = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(25):
        for i in torch.randperm(600).split(60):
            opt.zero_grad()
            F.mse_loss(net(x[i]), y[i]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[600:]), y[600:]).item()}


@sick(
    "UT203",
    split="wild",
    module="experts",
    note="experts are copies of one and the gate starts at zero: all stay the same expert",
    cured=(("copy.deepcopy(expert)", "nn.Linear(2, 1)"),),
)
def experts_copied_from_one():
    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(2, 4)
            nn.init.zeros_(self.gate.weight)
            nn.init.zeros_(self.gate.bias)
            expert = nn.Linear(2, 1)
            self.experts = nn.ModuleList(copy.deepcopy(expert) for _ in range(4))  # <- fault
            self.size = expert.in_features

        def forward(self, x):
            return (self.gate(x).softmax(1) * torch.cat([e(x) for e in self.experts], 1)).sum(1)

    torch.manual_seed(56)
    x = torch.rand(600, 2) * 4 - 2
    y = x.abs().sum(1) + 0.05 * torch.randn(600)
    moe = Mixture()
    opt = torch.optim.AdamW(moe.parameters(), lr=0.02)
    for _ in range(40):
        for i in torch.randperm(500).split(50):
            opt.zero_grad()
            loss = F.smooth_l1_loss(moe(x[i]), y[i])
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.l1_loss(moe(x[500:]), y[500:]).item()}


@sick(
    "UT407",
    split="wild",
    note="the loss of both tasks is summed over the batch, at a rate for means",
    cured=(('reduction="sum"', 'reduction="mean"'),),
)
def two_tasks_summed():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
            self.digit, self.odd = nn.Linear(24, 10), nn.Linear(24, 1)

        def forward(self, x):
            h = self.trunk(x)
            return self.digit(h), self.odd(h).squeeze(1)

    torch.manual_seed(57)
    x, y = digits()
    net = Shared()
    name = nn.CrossEntropyLoss(reduction="sum")  # <- fault
    parity = nn.BCEWithLogitsLoss(reduction="sum")
    opt = torch.optim.SGD(net.parameters(), lr=0.08, momentum=0.9)
    for _ in range(8):
        for i in torch.randperm(1500).split(100):
            digit, odd = net(x[i])
            loss = name(digit, y[i]) + parity(odd, (y[i] % 2).float())
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(net(x[1500:])[0], y[1500:]), "loss": loss.item()}


@sick(
    "UT701",
    split="wild",
    note="inputs are shuffled and labels are not: what is asked has nothing to do with what is shown",
    cured=(("x = x[torch.randperm(len(x))]", "order = torch.randperm(len(x)); x, y = x[order], y[order]"),),
)
def inputs_shuffled_alone():
    torch.manual_seed(58)
    x, y = cancer()
    x = x[torch.randperm(len(x))]  # <- fault
    test, train = slice(450, None), slice(0, 450)
    model = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Dropout(0.2), nn.Linear(16, 2))
    opt = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-2)
    best = 0.0
    for _ in range(25):
        model.train()
        for i in torch.randperm(450).split(64):
            opt.zero_grad()
            F.cross_entropy(model(x[train][i]), y[train][i]).backward()
            opt.step()
        best = max(best, accuracy(model, x[test], y[test]))
    return {"accuracy": accuracy(model, x[test], y[test]), "best": best}


@sick(
    "UT305",
    split="wild",
    note="the inner loop's gradients are taken and applied to copies; the outer loss is never sent back",
    cured=(("            outer = outer + loss(fast, query)", "            loss(fast, query).div(4).backward()"),),
)
def meta_learner_without_an_outer_gradient():
    def task():
        a, b = 1 + torch.rand(1), 6.28 * torch.rand(1)
        x = torch.rand(20, 1) * 6 - 3
        y = a * torch.sin(x + b)
        return (x[:10], y[:10]), (x[10:], y[10:])

    def run(w, x):
        h = torch.tanh(x @ w[0] + w[1])
        return torch.tanh(h @ w[2] + w[3]) @ w[4] + w[5]

    def loss(w, pairs):
        return F.mse_loss(run(w, pairs[0]), pairs[1])

    def adapt(w, support):
        for _ in range(2):
            slope = torch.autograd.grad(loss(w, support), w, create_graph=True)
            w = [p - 0.1 * g for p, g in zip(w, slope, strict=True)]
        return w

    torch.manual_seed(59)
    shapes = [(1, 24), (24,), (24, 24), (24,), (24, 1), (1,)]
    slow = [nn.Parameter(torch.randn(s) * (0.8 if len(s) == 1 else (1 / s[0]) ** 0.5)) for s in shapes]
    opt = torch.optim.Adam(slow, lr=5e-3)
    for _ in range(200):
        opt.zero_grad()
        outer = 0.0
        for _ in range(4):
            support, query = task()
            fast = adapt(slow, support)
            outer = outer + loss(fast, query)
        opt.step()
    total = 0.0
    for _ in range(50):
        support, query = task()
        total += loss(adapt(slow, support), query).item() / 50
    return {"error": total, "outer": float(outer)}
