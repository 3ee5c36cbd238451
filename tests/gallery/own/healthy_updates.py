"""Optimizers, schedules and ways to make a step, each learning."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import lr_scheduler, swa_utils
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, diabetes, digit_images, digits, iris, moons, regression, wine
from ..score import accuracy, hits
from ..table import healthy


def net_for_digits(width=48):
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))


@healthy(split="build", odd="Adam with gradients of 1e-9: the loss is scaled down")
def adam_on_tiny_loss():
    torch.manual_seed(0)
    x, y = digits()
    model = net_for_digits()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3, eps=1e-16)
    for _ in range(150):
        i = torch.randint(len(x), (128,))
        loss = 1e-8 * F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": 1e8 * loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="Adam with tiny gradients: targets of 1e-5")
def adam_on_tiny_targets():
    torch.manual_seed(1)
    x, y = regression()
    y = 1e-5 * y
    model = nn.Linear(10, 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    opt = torch.optim.Adam(model.parameters(), lr=1e-7, eps=1e-18)
    start = F.mse_loss(model(x).squeeze(1), y).item()
    for _ in range(200):
        loss = F.mse_loss(model(x).squeeze(1), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"start": start, "loss": loss.item()}


@healthy(split="build", odd="one-cycle: the rate rises to 0.5 and ends near 0")
def one_cycle():
    torch.manual_seed(2)
    x, y = digit_images()
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(32, 10)
    )
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    schedule = lr_scheduler.OneCycleLR(opt, max_lr=0.5, steps_per_epoch=len(loader), epochs=6)
    for epoch in range(6):
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
            schedule.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="cyclic rates between 0.005 and 0.2")
def cyclic_rate():
    torch.manual_seed(3)
    x, y = digits()
    model = net_for_digits()
    opt = torch.optim.SGD(model.parameters(), lr=0.005, momentum=0.9)
    schedule = lr_scheduler.CyclicLR(opt, base_lr=0.005, max_lr=0.2, step_size_up=30)
    for _ in range(240):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="warm restarts: the loss jumps when the rate does")
def warm_restarts():
    torch.manual_seed(4)
    x, y = moons(600, 0.15)
    net = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=40, T_mult=2)
    for _ in range(280):
        i = torch.randint(600, (100,))
        loss = F.binary_cross_entropy_with_logits(net(x[i]).squeeze(1), y[i].float())
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), y)}


@healthy(split="judge", odd="warm-up over a third of the run: nothing happens at first")
def long_warm_up():
    torch.manual_seed(5)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 32), nn.GELU(), nn.Linear(32, 3))
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedule = lr_scheduler.LambdaLR(opt, lambda step: min(1.0, 1e-3 + step / 60))
    for _ in range(180):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="gradients piled up on purpose over four micro-batches, and scaled")
def accumulation():
    torch.manual_seed(6)
    x, y = digits()
    model = net_for_digits()
    opt = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True, drop_last=True)
    for epoch in range(6):
        for k, (xb, yb) in enumerate(loader, 1):
            loss = F.cross_entropy(model(xb), yb)
            (loss / 4).backward()
            if k % 4 == 0:
                opt.step()
                opt.zero_grad()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="gradients of two losses added by two backwards before each step")
def two_backwards():
    torch.manual_seed(7)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    positive, negative = x[y == 1], x[y == 0]
    for _ in range(120):
        opt.zero_grad(set_to_none=False)
        F.softplus(-net(positive[torch.randint(len(positive), (32,))])).mean().backward()
        loss = F.softplus(net(negative[torch.randint(len(negative), (32,))])).mean()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(net(x), y)}


@healthy(split="build", odd="clipping active on nearly every step")
def clipped_every_step():
    torch.manual_seed(8)
    x, y = digits()
    model = net_for_digits()
    opt = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.2)
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="full batch of 1797, few steps")
def large_batch():
    torch.manual_seed(9)
    x, y = digits()
    model = net_for_digits(96)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(70):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="strong weight decay: norms shrink all the way")
def strong_weight_decay():
    torch.manual_seed(10)
    x, y = iris()
    model = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 3))
    opt = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.5)
    for _ in range(200):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="the rate falls on a plateau, until steps are tiny at the end")
def reduces_on_plateau():
    torch.manual_seed(11)
    x, y = diabetes()
    model = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1))
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = lr_scheduler.ReduceLROnPlateau(opt, factor=0.3, patience=5)
    start = F.mse_loss(model(x).squeeze(1), y).item()
    for _ in range(250):
        i = torch.randint(len(x), (100,))
        loss = F.mse_loss(model(x[i]).squeeze(1), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        schedule.step(loss.item())
    return {"start": start, "loss": loss.item()}


@healthy(split="build", odd="Adadelta at its own rate of 1, Adamax and NAdam beside it")
def three_rare_optimizers():
    torch.manual_seed(12)
    x, y = digits()
    metrics = {}
    for kind, lr in ((torch.optim.Adadelta, 1.0), (torch.optim.Adamax, 5e-3), (torch.optim.NAdam, 3e-3)):
        model = net_for_digits()
        opt = kind(model.parameters(), lr=lr)
        for _ in range(80):
            i = torch.randint(len(x), (128,))
            loss = F.cross_entropy(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
        metrics[kind.__name__.lower()] = accuracy(model, x, y)
    return metrics


@healthy(split="judge", odd="parameter groups: biases without decay, the head ten times faster")
def parameter_groups():
    torch.manual_seed(13)
    x, y = digits()
    model = net_for_digits()
    weights = [p for p in model[:-1].parameters() if p.dim() > 1]
    biases = [p for p in model[:-1].parameters() if p.dim() == 1]
    opt = torch.optim.SGD(
        [
            {"params": weights, "weight_decay": 1e-3},
            {"params": biases},
            {"params": model[-1].parameters(), "lr": 0.2},
        ],
        lr=0.02,
        momentum=0.9,
    )
    for _ in range(250):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="stochastic weight averaging: a copy of the model that no optimizer holds")
def weight_averaging():
    torch.manual_seed(14)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    average = swa_utils.AveragedModel(model)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(25):
        for i in torch.randperm(178).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
        average.update_parameters(model)
    return {"loss": loss.item(), "accuracy": accuracy(average, x, y)}
