"""Values that stop being numbers, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digits
from ..score import accuracy, hits, matches
from ..table import sick
from .data import communities, waveforms


@sick(
    "UT801",
    split="held",
    note="pixels that never change are divided by their standard deviation of 0",
    cured=(("/ x.std(0)", "/ (x.std(0) + 1e-6)"),),
)
def divided_by_a_deviation_of_zero():
    torch.manual_seed(0)
    x, y = digits()
    x = (x - x.mean(0)) / x.std(0)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(40):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT801",
    split="held",
    note="the root of a squared distance, in a contrastive loss, where some pairs are one example twice",
    cured=((".sum(1).sqrt()", ".sum(1).add(1e-8).sqrt()"),),
)
def root_of_a_distance_of_zero():
    torch.manual_seed(1)
    x, y = digits()
    tower = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    opt = torch.optim.Adam(tower.parameters(), lr=1e-3)
    for step in range(2000):
        a, b = torch.randint(len(x), (2, 64))
        distance = (tower(x[a]) - tower(x[b])).pow(2).sum(1).sqrt()  # <- fault
        same = (y[a] == y[b]).float()
        loss = (same * distance**2 + (1 - same) * F.relu(2 - distance) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = tower(x)
    near = (torch.cdist(z, z) + 1e9 * torch.eye(len(z))).argmin(1)
    return {"accuracy": (y[near] == y).float().mean().item() if z.isfinite().all() else 0.0}


@sick(
    "UT801",
    split="held",
    note="a cross-entropy by hand, log of a sigmoid that reaches 0 and 1",
    cured=(("torch.log(p)", "F.logsigmoid(z)"), ("torch.log(1 - p)", "F.logsigmoid(-z)")),
)
def log_of_a_sigmoid_by_hand():
    torch.manual_seed(2)
    x, y = cancer()
    y = y.float()
    net = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for epoch in range(120):
        for i in torch.randperm(len(x)).split(32):
            z = net(x[i]).squeeze(1)
            p = torch.sigmoid(z)
            loss = -(y[i] * torch.log(p) + (1 - y[i]) * torch.log(1 - p)).mean()  # <- fault
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x).nan_to_num(), y)}


@sick(
    "UT801",
    split="held",
    note="a softmax by hand whose exponentials overflow",
    cured=(("torch.exp(scores) * self.near", "scores.masked_fill(~self.near, -1e9).softmax(1)"),),
)
def softmax_by_hand_overflows():
    class Attention(nn.Module):
        def __init__(self, adj):
            super().__init__()
            self.near = adj > 0
            self.lift, self.out = nn.Linear(12, 24), nn.Linear(24, 3)

        def forward(self, x):
            h = self.lift(x)
            scores = 12 * h @ h.T
            weights = torch.exp(scores) * self.near  # <- fault
            return self.out(F.relu(weights / weights.sum(1, keepdim=True) @ h))

    torch.manual_seed(3)
    x, adj, group = communities()
    net = Attention(adj)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(700):
        opt.zero_grad()
        loss = F.cross_entropy(net(x)[:160], group[:160])
        loss.backward()
        opt.step()
    return {"accuracy": matches(net(x), group)}


@sick(
    "UT801",
    split="held",
    note="a likelihood whose variance comes out of a bare linear layer: log of a negative number",
    cured=(("var = out[:, 1]", "var = F.softplus(out[:, 1]) + 1e-4"),),
)
def log_of_a_negative_variance():
    torch.manual_seed(4)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 2))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(120):
        for i in torch.randperm(len(x)).split(32):
            out = net(x[i])
            var = out[:, 1]
            loss = 0.5 * (torch.log(var) + (y[i] - out[:, 0]) ** 2 / var).mean()  # <- fault
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@sick(
    "UT801",
    split="held",
    note="an average over the unmasked words, of sentences that may have none",
    cured=(("mask.sum(2)", "mask.sum(2).clamp(min=1)"),),
)
def average_over_no_words():
    torch.manual_seed(5)
    x, kind = waveforms()
    net = nn.Sequential(nn.Conv1d(1, 16, 9, padding=4), nn.ReLU())
    head = nn.Linear(16, 3)
    opt = torch.optim.RMSprop([*net.parameters(), *head.parameters()], lr=2e-3)
    for epoch in range(25):
        for i in torch.randperm(900).split(30):
            seen = 64 * torch.rand(len(i), 1, 1) - 0.2
            mask = (torch.arange(64) < seen).float()
            pooled = (net(x[i]) * mask).sum(2) / mask.sum(2)  # <- fault
            opt.zero_grad()
            loss = F.cross_entropy(head(pooled), kind[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(head(net(x).mean(2)), kind)}
