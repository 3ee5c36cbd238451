"""Unusual ways to update: by hand, in full batches, one example at a time, in cycles, with averages."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digits, wine
from ..score import accuracy, hits, matches
from ..table import healthy
from .data_a import emblems, fabrics, plant, rings, scaled_houses


@healthy(split="blind", odd="a rate of 1 on the full batch, which suits a shallow softmax regression")
def softmax_regression_at_one():
    torch.manual_seed(1)
    x, y = digits()
    w, b = torch.zeros(64, 10, requires_grad=True), torch.zeros(10, requires_grad=True)
    for step in range(400):
        loss = F.cross_entropy(x @ w + b, y)
        grads = torch.autograd.grad(loss, (w, b))
        with torch.no_grad():
            for p, g in zip((w, b), grads):
                p -= 1.0 * g
    return {"accuracy": matches(x @ w + b, y)}


@healthy(split="blind", odd="one example for each step, so a loss that jumps")
def one_house_at_a_time():
    torch.manual_seed(2)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.01)
    for epoch in range(6):
        for i in torch.randperm(600):
            opt.zero_grad()
            (net(x[i])[0] - y[i]).square().backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@healthy(split="blind", odd="gradients written out by hand, and no autograd at all")
def chain_rule_on_paper():
    torch.manual_seed(3)
    x, y = wine()
    target = F.one_hot(y, 3).float()
    w1, w2 = torch.randn(13, 16) / 4, torch.randn(16, 3) / 4
    for epoch in range(200):
        h = torch.tanh(x @ w1)
        p = (h @ w2).softmax(1)
        d = (p - target) / len(x)
        grad2, dh = h.T @ d, d @ w2.T * (1 - h**2)
        w1 -= 0.5 * x.T @ dh
        w2 -= 0.5 * grad2
    return {"accuracy": matches(torch.tanh(x @ w1) @ w2, y)}


@healthy(split="blind", odd="a rate that goes up and down by a factor of a hundred, with losses that follow it")
def rates_that_restart():
    torch.manual_seed(4)
    x, y = fabrics()
    net = nn.Sequential(
        nn.Conv2d(3, 12, 3),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Conv2d(12, 16, 3, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 6),
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 60, eta_min=1e-3)
    for epoch in range(15):
        net.train()
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
            schedule.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="RMSprop on a cyclic rate of 1e-4 to 1e-2")
def up_and_down_with_rmsprop():
    torch.manual_seed(5)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-4)
    cycle = torch.optim.lr_scheduler.CyclicLR(opt, 1e-4, 1e-2, step_size_up=60, cycle_momentum=False)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(60):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
            cycle.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="two backward passes for a step, the first from weights that are then put back")
def steps_from_the_worst_nearby():
    torch.manual_seed(6)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4)
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    params = list(net.parameters())
    for epoch in range(8):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            with torch.no_grad():
                length = torch.stack([p.grad.norm() for p in params]).norm() + 1e-12
                shifts = [0.05 * p.grad / length for p in params]
                for p, shift in zip(params, shifts):
                    p.add_(shift)
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            with torch.no_grad():
                for p, shift in zip(params, shifts):
                    p.sub_(shift)
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="an average of the weights is what is used in the end; the trained net jumps about")
def mean_of_many_weights():
    torch.manual_seed(7)
    x, y = rings()
    net = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 3))
    mean = torch.optim.swa_utils.AveragedModel(net)
    opt = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for epoch in range(30):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=60, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
        if epoch > 15:
            mean.update_parameters(net)
    return {"accuracy": accuracy(mean, x, y)}


@healthy(split="blind", odd="each step's gradient is clipped to 1 and has noise added, as privacy asks")
def private_cells():
    torch.manual_seed(8)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 12), nn.Tanh(), nn.Linear(12, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i])[:, 0], y[i].float()).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            for p in net.parameters():
                p.grad += 0.03 * torch.randn_like(p.grad)
            opt.step()
    return {"accuracy": hits(net(x), y)}


@healthy(split="blind", odd="sixteen micro-batches of four for a step, each loss divided by sixteen")
def accumulated_and_divided():
    torch.manual_seed(9)
    x, made, _ = plant()
    net = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-2)
    for epoch in range(30):
        for k, i in enumerate(torch.randperm(640).split(4), 1):
            (F.mse_loss(net(x[i]), made[i]) / 16).backward()
            if k % 16 == 0:
                opt.step()
                opt.zero_grad()
    return {"error": (F.mse_loss(net(x), made) / made.var()).item()}


@healthy(split="blind", odd="the first two layers are frozen half way, on purpose, once they have learned")
def frozen_half_way():
    torch.manual_seed(10)
    x, y = digits()
    body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    head = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=1e-3)
    for epoch in range(16):
        if epoch == 6:
            body.requires_grad_(False)
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(head(body(x[i])), y[i]).backward()
            opt.step()
    return {"accuracy": matches(head(body(x)), y)}


@healthy(split="blind", odd="five fast steps, then half of the way back to slow weights")
def slow_weights_look_ahead():
    torch.manual_seed(11)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    slow = copy.deepcopy(net.state_dict())
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(400):
        i = torch.randint(len(x), (20,))
        opt.zero_grad()
        F.cross_entropy(net(x[i]), y[i]).backward()
        opt.step()
        if step % 5 == 4:
            slow = {k: torch.lerp(slow[k], v, 0.5) for k, v in net.state_dict().items()}
            net.load_state_dict(slow)
    return {"accuracy": accuracy(net, x, y)}


@healthy(
    split="blind", odd="a signed step of 1e-3 whatever the gradient's size, with decay: gradients seem not to matter"
)
def signs_alone():
    torch.manual_seed(12)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))
    held = [torch.zeros_like(p) for p in net.parameters()]
    for step in range(1500):
        i = torch.randint(len(x), (64,))
        net.zero_grad()
        (1e-6 * F.mse_loss(net(x[i])[:, 0], y[i])).backward()
        with torch.no_grad():
            for p, m in zip(net.parameters(), held):
                p -= 1e-3 * (0.9 * m + 0.1 * p.grad).sign()
                m.lerp_(p.grad, 0.01)
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}
