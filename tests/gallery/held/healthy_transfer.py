"""Pretrained trunks, teachers and tasks in turn, as other people might train them."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, moons
from ..score import accuracy, matches
from ..table import healthy


def pretrained(count=4):
    """A small convolutional network that tells odd digits from even ones, and its trunk's width."""
    torch.manual_seed(100)
    x, y = digit_images()
    trunk = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Flatten(),
    )
    head = nn.Linear(384, 20)
    goal = y + 10 * (x.mean((1, 2, 3)) > x.mean()).long()
    opt = torch.optim.Adam([*trunk.parameters(), *head.parameters()], lr=2e-3)
    for _ in range(count):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(head(trunk(x[i])), goal[i]).backward()
            opt.step()
    return trunk, 384


@healthy(split="held", odd="the trunk is frozen and in eval mode; only a new head learns")
def frozen_trunk_in_eval():
    trunk, width = pretrained()
    trunk.eval().requires_grad_(False)
    x, y = digit_images()
    head = nn.Linear(width, 10)
    opt = torch.optim.SGD(head.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(head(trunk(xb)), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(nn.Sequential(trunk, head), x, y)}


@healthy(split="held", odd="trunk at 1e-5, head at 1e-2: rates a thousand times apart")
def rates_a_thousand_times_apart():
    trunk, width = pretrained()
    x, y = digit_images()
    net = nn.Sequential(trunk, nn.Linear(width, 10))
    opt = torch.optim.AdamW(
        [
            {"params": trunk.parameters(), "lr": 1e-5},
            {"params": net[1].parameters(), "lr": 1e-2},
        ]
    )
    for epoch in range(8):
        net.train()
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="layers are thawed one after another; their parameters join the optimizer later")
def thawed_one_after_another():
    trunk, width = pretrained()
    x, y = digit_images()
    net = nn.Sequential(trunk, nn.Linear(width, 10))
    trunk.requires_grad_(False)
    opt = torch.optim.Adam(net[1].parameters(), lr=2e-3)
    for epoch in range(9):
        if epoch in (3, 6):
            part = trunk[4:6] if epoch == 3 else trunk[:2]
            part.requires_grad_(True)
            opt.add_param_group({"params": list(part.parameters()), "lr": 2e-4})
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="a student learns from a frozen teacher, at a temperature of 4, with little of the labels")
def student_of_a_frozen_teacher():
    trunk, width = pretrained(2)
    x, y = digit_images()
    teacher = nn.Sequential(trunk, nn.Linear(width, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=2e-3)
    for i in torch.randperm(len(x)).repeat(4).split(64):
        opt.zero_grad()
        F.cross_entropy(teacher(x[i]), y[i]).backward()
        opt.step()
    teacher.eval()
    student = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    opt = torch.optim.Adam(student.parameters(), lr=2e-3)
    t = 4.0
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(32):
            with torch.no_grad():
                soft = F.softmax(teacher(x[i]) / t, 1)
            out = student(x[i])
            loss = F.kl_div(F.log_softmax(out / t, 1), soft, reduction="batchmean") * t * t
            loss = 0.9 * loss + 0.1 * F.cross_entropy(out, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(student, x, y)}


@healthy(split="held", odd="low-rank adapters: B starts at 0, the weights beside it are frozen")
def adapters_that_start_at_zero():
    class Adapted(nn.Module):
        def __init__(self, linear, rank=4):
            super().__init__()
            self.linear = linear.requires_grad_(False)
            self.a = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
            self.b = nn.Parameter(torch.zeros(linear.out_features, rank))

        def forward(self, x):
            return self.linear(x) + x @ self.a.T @ self.b.T

    torch.manual_seed(4)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for i in torch.randperm(len(x)).repeat(6).split(32):
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
    turned = x.view(-1, 8, 8).rot90(1, (1, 2)).flatten(1)
    net = nn.Sequential(Adapted(net[0]), nn.ReLU(), Adapted(net[2]), nn.ReLU(), Adapted(net[4]))
    opt = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(turned[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, turned, y)}


@healthy(split="held", odd="fine-tuning at 1e-6 of a network that is nearly right: the loss hardly moves")
def fine_tuning_at_a_millionth():
    torch.manual_seed(5)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for i in torch.randperm(len(x)).repeat(8).split(32):
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
    fine = torch.optim.AdamW(net.parameters(), lr=1e-6)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            loss = F.cross_entropy(net(x[i]), y[i])
            fine.zero_grad()
            loss.backward()
            fine.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="two tasks one after the other: the loss leaps when the second comes")
def two_tasks_in_turn():
    torch.manual_seed(6)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for low, high in ((0, 5), (5, 10)):
        mine = torch.nonzero((y >= low) & (y < high)).squeeze(1)
        for epoch in range(20):
            for i in mine[torch.randperm(len(mine))].split(32):
                opt.zero_grad()
                loss = F.cross_entropy(net(x[i]), y[i])
                loss.backward()
                opt.step()
    return {"accuracy": accuracy(net, x[mine], y[mine])}


@healthy(split="held", odd="a gradient is turned round on purpose so that two domains look alike")
def gradient_turned_round():
    class Turn(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, grad):
            return -0.3 * grad

    torch.manual_seed(7)
    x, y = moons(1000, 0.1)
    other = x @ torch.tensor([[0.95, 0.3], [-0.3, 0.95]]) + 0.2
    features = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 16), nn.ReLU())
    label, domain = nn.Linear(16, 2), nn.Linear(16, 2)
    opt = torch.optim.Adam([*features.parameters(), *label.parameters(), *domain.parameters()], lr=2e-3)
    for epoch in range(40):
        for i, j in zip(torch.randperm(1000).split(50), torch.randperm(1000).split(50)):
            z, w = features(x[i]), features(other[j])
            which = torch.cat([torch.zeros(50), torch.ones(50)]).long()
            loss = F.cross_entropy(label(z), y[i]) + F.cross_entropy(domain(Turn.apply(torch.cat([z, w]))), which)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(label(features(other)), y)}


@healthy(split="held", odd="weights of two losses are learned; the sum may go below zero")
def weights_of_two_losses_learned():
    torch.manual_seed(8)
    x, y = digits()
    ink = x.mean(1)
    body, a, b = nn.Sequential(nn.Linear(64, 64), nn.SiLU()), nn.Linear(64, 10), nn.Linear(64, 1)
    log_vars = nn.Parameter(torch.zeros(2))
    opt = torch.optim.Adam([*body.parameters(), *a.parameters(), *b.parameters(), log_vars], lr=2e-3)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(32):
            h = body(x[i])
            losses = torch.stack([F.cross_entropy(a(h), y[i]), F.mse_loss(b(h).squeeze(1), ink[i])])
            loss = (torch.exp(-log_vars) * losses + log_vars).sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(a(body(x)), y), "loss": loss.item()}


@healthy(split="held", odd="Reptile: inner steps on copies, the outer network is moved by hand")
def reptile_on_sines():
    torch.manual_seed(9)
    net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    for task in range(300):
        height, phase = 1 + 2 * torch.rand(()), 3.1 * torch.rand(())
        inner = copy.deepcopy(net)
        opt = torch.optim.SGD(inner.parameters(), lr=0.02)
        for _ in range(6):
            x = 10 * torch.rand(20, 1) - 5
            opt.zero_grad()
            loss = F.mse_loss(inner(x), height * torch.sin(x + phase))
            loss.backward()
            opt.step()
        with torch.no_grad():
            for p, q in zip(net.parameters(), inner.parameters()):
                p += 0.2 * (q - p)
    return {"error": loss.item()}
