"""Trainings with unusual losses, optimizers and habits that do learn."""

import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digit_images, digits, iris, regression
from ..score import accuracy
from ..table import healthy


@healthy(split="late", odd="a hand-written optimizer that orthogonalizes the momentum of matrices")
def orthogonal_momentum_digits():
    class Orthogonal(torch.optim.Optimizer):
        def __init__(self, params, lr=0.02, momentum=0.9):
            super().__init__(params, dict(lr=lr, momentum=momentum))

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    m = self.state[p].setdefault("m", torch.zeros_like(p))
                    m.mul_(group["momentum"]).add_(p.grad)
                    u = m / (m.norm() + 1e-7)
                    for _ in range(5):
                        s = u @ u.T
                        u = 3.4445 * u + (-4.775 * s + 2.0315 * s @ s) @ u
                    p.add_(u, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)

    torch.manual_seed(120)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    matrices = [p for p in net.parameters() if p.ndim == 2]
    rest = [p for p in net.parameters() if p.ndim < 2]
    optimizers = [Orthogonal(matrices, lr=0.03), torch.optim.AdamW(rest, lr=3e-3)]
    for step in range(200):
        share = 1 - step / 200
        for o, top in zip(optimizers, (0.03, 3e-3)):
            o.param_groups[0]["lr"] = top * share
        i = torch.randint(1400, (80,))
        loss = F.cross_entropy(net(x[i]), y[i])
        net.zero_grad()
        loss.backward()
        for o in optimizers:
            o.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@healthy(split="late", odd="counts under a Poisson loss, which is negative")
def negative_poisson_loss():
    torch.manual_seed(121)
    x = torch.randn(900, 6)
    rate = (1.5 + 0.6 * x[:, 0] - 0.5 * x[:, 1] * (x[:, 2] > 0)).exp()
    counts = torch.poisson(rate)
    net = nn.Sequential(nn.Linear(6, 32), nn.Softplus(), nn.Linear(32, 32), nn.Softplus(), nn.Linear(32, 1))
    criterion = nn.PoissonNLLLoss(log_input=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(25):
        for i in torch.randperm(700).split(50):
            loss = criterion(net(x[i]).squeeze(1), counts[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        guess = net(x[700:]).squeeze(1).exp()
    return {"error": ((guess - rate[700:]).abs().mean() / rate[700:].mean()).item(), "loss": loss.item()}


@healthy(split="late", odd="eight micro-batches of eight, each loss divided, one step for all")
def accumulated_in_eighths():
    torch.manual_seed(122)
    x, y = digit_images()
    loader = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=8, shuffle=True, drop_last=True)
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.LeakyReLU(), nn.Conv2d(16, 24, 3), nn.LeakyReLU(), nn.Flatten(),
                        nn.Linear(384, 10))  # fmt: skip
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    opt.zero_grad()
    for epoch in range(6):
        for k, (images, labels) in enumerate(loader):
            (F.cross_entropy(net(images), labels) / 8).backward()
            if k % 8 == 7:
                nn.utils.clip_grad_norm_(net.parameters(), 2.0)
                opt.step()
                opt.zero_grad()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@healthy(split="late", odd="hinge losses over one-against-rest scores, and a loss that is zero for most")
def multi_margin_iris():
    torch.manual_seed(123)
    x, y = iris()
    order = torch.randperm(150)
    x, y = x[order], y[order]
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    criterion = nn.MultiMarginLoss(margin=1.0)
    opt = torch.optim.Rprop(net.parameters(), lr=0.01, step_sizes=(1e-6, 0.1))
    for step in range(80):
        loss = criterion(net(x[:110]), y[:110]) + 1e-3 * sum(p.pow(2).sum() for p in net.parameters())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x[110:], y[110:])}


@healthy(split="late", odd="the data are sorted by class on disk, but the sampler of batches draws from all over")
def sorted_file_random_reads():
    random.seed(124)
    torch.manual_seed(124)
    x, y = digits()
    order = y[:1500].argsort()
    x_sorted, y_sorted = x[order], y[order]
    net = nn.Sequential(nn.Linear(64, 64), nn.PReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adagrad(net.parameters(), lr=0.03)
    rows = list(range(1500))
    for epoch in range(10):
        random.shuffle(rows)
        for start in range(0, 1500, 60):
            batch = rows[start : start + 60]
            loss = F.cross_entropy(net(x_sorted[batch]), y_sorted[batch])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}


@healthy(split="late", odd="a quantile loss on three outputs, of which two are off the target on purpose")
def cosine_by_three_quantiles():
    torch.manual_seed(125)
    x = torch.rand(1000, 1) * 6 - 3
    spread = 0.2 + 0.3 * (x > 0)
    y = torch.cos(x) + spread * torch.randn(1000, 1)
    wanted = torch.tensor([0.1, 0.5, 0.9])
    net = nn.Sequential(nn.Linear(1, 48), nn.Mish(), nn.Linear(48, 48), nn.Mish(), nn.Linear(48, 3))
    opt = torch.optim.NAdam(net.parameters(), lr=4e-3)
    for epoch in range(25):
        for i in torch.randperm(1000).split(100):
            gap = y[i] - net(x[i])
            loss = torch.maximum(wanted * gap, (wanted - 1) * gap).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        share = (y < net(x)).float().mean(0)
        return {"error": F.mse_loss(net(x)[:, 1:2], torch.cos(x)).item(), "off": (share - wanted).abs().max().item()}


@healthy(split="late", odd="sharpness-aware: two backward passes for each step, the weights moved between them")
def sharpness_aware_cancer():
    torch.manual_seed(126)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 2))
    base = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    for epoch in range(10):
        for i in torch.randperm(420).split(42):
            base.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            with torch.no_grad():
                norm = torch.stack([p.grad.norm() for p in net.parameters()]).norm()
                moves = [0.05 * p.grad / (norm + 1e-12) for p in net.parameters()]
                for p, m in zip(net.parameters(), moves):
                    p.add_(m)
            base.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            with torch.no_grad():
                for p, m in zip(net.parameters(), moves):
                    p.sub_(m)
            base.step()
    return {"accuracy": accuracy(net, x[420:], y[420:])}


@healthy(split="late", odd="linear regression whose target has a mean of 50: the bias has its own, faster rate")
def bias_with_its_own_rate():
    torch.manual_seed(127)
    x, y = regression(500, 12)
    y = 50 + 3 * y
    net = nn.Linear(12, 1)
    with torch.no_grad():
        net.bias.fill_(y[:400].mean())
    opt = torch.optim.SGD([{"params": [net.weight], "lr": 0.05}, {"params": [net.bias], "lr": 0.2}], lr=0.05)
    for epoch in range(15):
        for i in torch.randperm(400).split(40):
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": (F.mse_loss(net(x[400:]).squeeze(1), y[400:]) / y[400:].var()).item()}


@healthy(split="late", odd="knowledge distilled from a larger net at a temperature of 4, its loss scaled by 16")
def distilled_student():
    torch.manual_seed(128)
    x, y = digits()
    teacher = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    student = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    opt = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for i in torch.cat([torch.randperm(1400) for _ in range(8)]).split(70):
        opt.zero_grad()
        F.cross_entropy(teacher(x[i]), y[i]).backward()
        opt.step()
    teacher.eval()
    opt, t = torch.optim.Adam(student.parameters(), lr=1e-2), 4.0
    for i in torch.cat([torch.randperm(1400) for _ in range(20)]).split(70):
        with torch.no_grad():
            soft = (teacher(x[i]) / t).softmax(1)
        out = student(x[i])
        loss = 0.3 * F.cross_entropy(out, y[i])
        loss = loss + 0.7 * t * t * F.kl_div((out / t).log_softmax(1), soft, reduction="batchmean")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(student, x[1400:], y[1400:])}
