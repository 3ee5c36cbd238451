"""Optimizers, schedules and steps that look ill and are well, as other people might write them."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy
from ..table import healthy
from .data import bars, films, hires, program, sensors, spirals


def small(a, b, width=48):
    return nn.Sequential(nn.Linear(a, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, b))


@healthy(split="fresh", odd="SGD at 1.5 on a small convex problem, where it is stable")
def softmax_regression_at_one_and_a_half():
    torch.manual_seed(0)
    x, y = digits()
    net = nn.Linear(64, 10)
    opt = torch.optim.SGD(net.parameters(), lr=1.5)
    for step in range(300):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="the first two fifths of the run are a warm-up from nothing, then a cosine to nothing")
def warm_up_for_two_fifths():
    torch.manual_seed(1)
    x, y = sensors()
    net = nn.Sequential(nn.Flatten(), small(144, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
    up = torch.optim.lr_scheduler.LinearLR(opt, 1e-4, total_iters=160)
    down = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 240)
    schedule = torch.optim.lr_scheduler.SequentialLR(opt, [up, down], [160])
    for step in range(400):
        i = torch.randint(600, (30,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
        schedule.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="SGD with restarts to 0.5: the loss jumps with each of them")
def restarts_to_a_half():
    torch.manual_seed(2)
    x, y = digits()
    net = small(64, 10)
    opt = torch.optim.SGD(net.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 100, T_mult=2)
    for step in range(700):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
        schedule.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="every step is clipped to a norm of 0.5, under AdamW, which does not mind")
def language_clipped_on_every_step():
    torch.manual_seed(3)
    text, n = program()
    embed, gru, out = nn.Embedding(n, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, n)
    parameters = [*embed.parameters(), *gru.parameters(), *out.parameters()]
    opt = torch.optim.AdamW(parameters, lr=1e-2)
    for step in range(250):
        at = torch.randint(len(text) - 25, (16,))
        piece = text[at[:, None] + torch.arange(25)]
        loss = F.cross_entropy(out(gru(embed(piece[:, :-1]))[0]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 0.5)
        opt.step()
    return {"error": loss.item()}


@healthy(split="fresh", odd="gradients normalised to length 1 by hand, with a falling rate")
def normalised_gradient_descent():
    torch.manual_seed(4)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
    for step in range(600):
        i = torch.randint(len(x), (100,))
        loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        size = torch.sqrt(sum(g.pow(2).sum() for g in gradients))
        with torch.no_grad():
            for p, g in zip(net.parameters(), gradients):
                p -= 0.1 * (1 - step / 600) * g / size
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@healthy(split="fresh", odd="the signs of the gradients are followed (signSGD)")
def signs_are_enough():
    torch.manual_seed(5)
    x, y = spirals()
    net = small(2, 3)
    for step in range(800):
        i = torch.randint(600, (64,))
        loss = F.cross_entropy(net(x[i]), y[i])
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p.sub_(p.grad.sign(), alpha=2e-3 * (1 - step / 800))
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="stochastic weight averaging at a constant high rate: the walker is worse than the average")
def average_of_a_wanderer():
    torch.manual_seed(6)
    x, y = bars()
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4))
    average = torch.optim.swa_utils.AveragedModel(net)
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.5)
    for epoch in range(12):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
        if epoch >= 6:
            average.update_parameters(net)
    return {"accuracy": accuracy(average, x, y)}


@healthy(split="fresh", odd="an exponential average of the weights is held beside, never trained itself")
def shadow_of_the_weights():
    torch.manual_seed(7)
    x, y = sensors()
    net = nn.Sequential(nn.Conv1d(3, 12, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(48, 3))
    shadow = copy.deepcopy(net).requires_grad_(False)
    opt = torch.optim.NAdam(net.parameters(), lr=5e-3)
    for epoch in range(20):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i].transpose(1, 2)), y[i])
            loss.backward()
            opt.step()
            with torch.no_grad():
                for s, p in zip(shadow.parameters(), net.parameters()):
                    s.lerp_(p, 0.05)
    return {"accuracy": accuracy(shadow, x.transpose(1, 2), y)}


@healthy(split="fresh", odd="rates of the layers fall from the head downwards by a factor of 3 each")
def rates_fall_with_depth():
    torch.manual_seed(8)
    x, y = digits()
    net = small(64, 10)
    groups = [{"params": layer.parameters(), "lr": 3e-3 / 3**k} for k, layer in enumerate([net[4], net[2], net[0]])]
    opt = torch.optim.Adam(groups)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="one step for twenty micro-batches, the loss of each divided by twenty")
def twenty_micro_batches():
    torch.manual_seed(9)
    x, y = hires()
    net = small(6, 1)
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(1, 3001):
        i = torch.randint(len(x), (4,))
        (F.mse_loss(net(x[i]).squeeze(1), y[i]) / 20).backward()
        if step % 20 == 0:
            opt.step()
            opt.zero_grad()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@healthy(split="fresh", odd="bfloat16 under autocast, a GradScaler that has nothing to do")
def autocast_with_a_scaler_switched_off():
    torch.manual_seed(10)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for epoch in range(5):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(net(x[i]), y[i])
            scaler.scale(loss).backward()
            scaler.step(opt)
            scaler.update()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="gradients are 65536 times too large between the backward pass and unscale_")
def scaled_and_unscaled():
    torch.manual_seed(11)
    x, y = spirals()
    net = small(2, 3)
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    scaler = torch.amp.GradScaler("cpu")
    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            scaler.scale(loss).backward()
            scaler.unscale_(opt)
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            scaler.step(opt)
            scaler.update()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="Adagrad at 0.3 on sparse factors: its own divisor makes it small")
def adagrad_on_sparse_factors():
    torch.manual_seed(12)
    who, what, stars = films()
    a, b = nn.Embedding(60, 6, sparse=True), nn.Embedding(80, 6, sparse=True)
    for e in (a, b):
        nn.init.normal_(e.weight, std=0.1)
    opt = torch.optim.Adagrad([*a.parameters(), *b.parameters()], lr=0.3)
    for epoch in range(20):
        for i in torch.randperm(4000).split(100):
            opt.zero_grad()
            loss = F.mse_loss((a(who[i]) * b(what[i])).sum(1), stars[i] - 3)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss((a(who) * b(what)).sum(1), stars - 3).item()}
