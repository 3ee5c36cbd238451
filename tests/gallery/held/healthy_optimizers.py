"""Optimizers, rates and loops that look odd and are not, as other people might write them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digits, moons, wine
from ..score import accuracy, hits, matches
from ..table import healthy
from .data import houses, tags, waveforms


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * (b1 * m + (1 - b1) * p.grad).sign())
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


@healthy(split="held", odd="Lion, from its paper: each step is a sign")
def lion():
    torch.manual_seed(0)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 10))
    opt = Lion(net.parameters(), lr=3e-4, weight_decay=0.1)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="no optimizer: autograd.grad and weights moved by hand")
def weights_moved_by_hand():
    torch.manual_seed(1)
    x, y = cancer()
    w1, b1 = (torch.randn(30, 16) / 30**0.5).requires_grad_(), torch.zeros(16, requires_grad=True)
    w2, b2 = (torch.randn(16, 2) / 4).requires_grad_(), torch.zeros(2, requires_grad=True)
    weights = [w1, b1, w2, b2]
    for epoch in range(100):
        for i in torch.randperm(len(x)).split(32):
            loss = F.cross_entropy(torch.tanh(x[i] @ w1 + b1) @ w2 + b2, y[i])
            grads = torch.autograd.grad(loss, weights)
            with torch.no_grad():
                for w, g in zip(weights, grads):
                    w -= 0.05 * g
    return {"accuracy": matches(torch.tanh(x @ w1 + b1) @ w2 + b2, y)}


@healthy(split="held", odd="backward and weights moved by hand under no_grad, gradients set to None")
def weights_moved_under_no_grad():
    torch.manual_seed(2)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 1))
    for epoch in range(150):
        for i in torch.randperm(len(x)).split(32):
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            with torch.no_grad():
                for p in net.parameters():
                    p -= 0.02 * p.grad
                    p.grad = None
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@healthy(split="held", odd="L-BFGS on all the data: many losses a step")
def logistic_regression_by_lbfgs():
    torch.manual_seed(3)
    x, y = cancer()
    net = nn.Linear(30, 1)
    opt = torch.optim.LBFGS(net.parameters(), lr=0.5, max_iter=10, history_size=5)

    def closure():
        opt.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(x).squeeze(1), y.float()) + 1e-3 * net.weight.pow(2).sum()
        loss.backward()
        return loss

    for _ in range(150):
        opt.step(closure)
    return {"accuracy": hits(net(x), y)}


@healthy(split="held", odd="Adagrad at 0.5, whose steps shrink by themselves")
def adagrad_at_a_half():
    torch.manual_seed(4)
    x, y = tags()
    net = nn.Linear(20, 12)
    opt = torch.optim.Adagrad(net.parameters(), lr=0.5)
    for epoch in range(60):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.binary_cross_entropy_with_logits(net(x), y).item()}


@healthy(split="held", odd="gradient descent of all data at once, at the edge of stability: the loss wavers and falls")
def at_the_edge_of_stability():
    torch.manual_seed(5)
    x, y = moons(400, 0.1)
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.8)
    for step in range(3000):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="rates go round between 1e-4 and 0.1")
def rates_go_round():
    torch.manual_seed(6)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    cycle = torch.optim.lr_scheduler.CyclicLR(opt, 1e-4, 0.1, step_size_up=90, mode="triangular")
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
            cycle.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="cosine with warm restarts; the rate falls to 0 four times")
def four_warm_restarts():
    torch.manual_seed(7)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=300)
    for step in range(1200):
        i = torch.randint(178, (32,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
        schedule.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="warm-up over a third of the run: the first rate is exactly 0")
def warm_up_from_zero():
    torch.manual_seed(8)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    warm = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min(s / 500, (1500 - s) / 1000))
    for step in range(1500):
        i = torch.randint(len(x), (32,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        warm.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="eight micro-batches, scaled, make one step")
def eight_micro_batches_scaled():
    torch.manual_seed(9)
    x, y = houses()
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    opt.zero_grad()
    for k, (xb, yb) in enumerate(b for _ in range(40) for b in DataLoader(TensorDataset(x, y), 10, shuffle=True)):
        loss = F.mse_loss(net(xb).squeeze(1), yb) / 8
        loss.backward()
        if k % 8 == 7:
            opt.step()
            opt.zero_grad()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@healthy(split="held", odd="autocast in bfloat16, weights in float32")
def autocast_in_bfloat16():
    torch.manual_seed(10)
    x, kind = waveforms()
    look = nn.Sequential(nn.Conv1d(1, 16, 9, stride=2), nn.ReLU(), nn.AdaptiveMaxPool1d(4))
    net = nn.Sequential(look, nn.Flatten(), nn.Linear(64, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for epoch in range(25):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(net(x[i]), kind[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, kind)}


@healthy(split="held", odd="weights averaged from the second half on, at a constant rate that is too high to settle")
def weights_averaged():
    torch.manual_seed(11)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    average, swa = AveragedModel(net), SWALR(opt, swa_lr=0.2, anneal_epochs=2)
    loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
    for epoch in range(20):
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
        if epoch >= 10:
            average.update_parameters(net)
            swa.step()
    update_bn(loader, average)
    return {"accuracy": accuracy(average, x, y)}


@healthy(split="held", odd="sharpness-aware: two backward passes a step, the first only to move away")
def two_backward_passes_a_step():
    torch.manual_seed(12)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            F.cross_entropy(net(x[i]), y[i]).backward()
            with torch.no_grad():
                norm = torch.stack([p.grad.norm() for p in net.parameters()]).norm() + 1e-12
                away = [0.05 * p.grad / norm for p in net.parameters()]
                for p, e in zip(net.parameters(), away):
                    p.add_(e)
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            with torch.no_grad():
                for p, e in zip(net.parameters(), away):
                    p.sub_(e)
            opt.step()
            opt.zero_grad()
    return {"accuracy": accuracy(net, x, y)}
