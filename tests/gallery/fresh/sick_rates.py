"""Rates, schedules, decay and momenta that are far off."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, digits
from ..score import accuracy, matches
from ..table import sick
from .data import bars, dialects, films, hires, program, sensors


@sick("UT301", split="fresh", note="SparseAdam at 3 on factors of people and films", cured=(("lr=3.0", "lr=0.01"),))
def sparse_adam_at_three():
    torch.manual_seed(0)
    who, what, stars = films()
    a, b = nn.Embedding(60, 6, sparse=True), nn.Embedding(80, 6, sparse=True)
    for e in (a, b):
        nn.init.normal_(e.weight, std=0.3)
    opt = torch.optim.SparseAdam([*a.parameters(), *b.parameters()], lr=3.0)
    for epoch in range(20):
        for i in torch.randperm(4000).split(100):
            opt.zero_grad()
            loss = F.mse_loss((a(who[i]) * b(what[i])).sum(1), stars[i] - 3)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss((a(who) * b(what)).sum(1), stars - 3).item()}


@sick(
    "UT301",
    split="fresh",
    note="the rate multiplied by the number of workers, 64, on a machine that has one",
    cured=(("0.05 * 64", "0.05"),),
)
def scaled_for_sixty_four_workers():
    torch.manual_seed(2)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05 * 64, momentum=0.9, nesterov=True)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick("UT301", split="fresh", note="RMSprop at 0.3 on a GRU", cured=(("lr=0.3", "lr=3e-3"),))
def dialects_at_three_tenths():
    torch.manual_seed(3)
    tokens, _, kind = dialects()
    embed, gru, fc = nn.Embedding(13, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 3)
    opt = torch.optim.RMSprop([*embed.parameters(), *gru.parameters(), *fc.parameters()], lr=0.3)
    for epoch in range(8):
        for i in torch.randperm(900).split(30):
            loss = F.cross_entropy(fc(gru(embed(tokens[i]))[0].mean(1)), kind[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(fc(gru(embed(tokens))[0].mean(1)), kind)}


@sick(
    "UT302",
    split="fresh",
    note="LambdaLR is given the rate where it wants a factor: 0.001 times 0.001",
    cured=(("1e-3 * 0.95**epoch", "0.95**epoch"),),
)
def rate_for_a_factor():
    torch.manual_seed(4)
    x, y = sensors()
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(opt, lambda epoch: 1e-3 * 0.95**epoch)
    for epoch in range(15):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
        schedule.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT302",
    split="fresh",
    note="SGD at 0.0001, the rate that suited Adam",
    cured=(("lr=1e-4", "lr=5e-2"),),
)
def sgd_at_a_rate_for_adam():
    torch.manual_seed(5)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.SGD(net.parameters(), lr=1e-4)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT302",
    split="fresh",
    note="the step also divided by the number of examples, on top of a mean",
    cured=(("loss = loss / len(x)\n", "loss = loss * 1\n"),),
)
def mean_divided_by_the_count_again():
    torch.manual_seed(6)
    x, y = bars()
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(10):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss = loss / len(x)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT309",
    split="fresh",
    note="an absolute penalty on all weights, added up and not averaged",
    cured=(("0.05 * sum", "1e-5 * sum"),),
)
def absolute_penalty_added_up():
    torch.manual_seed(7)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            penalty = 0.05 * sum(p.abs().sum() for p in net.parameters())
            loss = F.cross_entropy(net(x[i]), y[i]) + penalty
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT309",
    split="fresh",
    note="RMSprop with weight_decay=0.1, a value from an AdamW recipe",
    cured=(("weight_decay=0.1", "weight_decay=0.0"),),
)
def coupled_decay_of_a_tenth():
    torch.manual_seed(8)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3, weight_decay=0.1)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT310",
    split="fresh",
    note="scaled gradients clipped to 1 before they are unscaled",
    cured=(("scaler.scale(loss).backward()\n", "scaler.scale(loss).backward()\n            scaler.unscale_(opt)\n"),),
)
def clipped_before_unscaling():
    torch.manual_seed(9)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            scaler.scale(loss).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            scaler.step(opt)
            scaler.update()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT310",
    split="fresh",
    note="a clip value of 0.0001 copied from a recurrent policy",
    cured=(("1e-4)", "1.0)"),),
)
def entries_clipped_to_a_ten_thousandth():
    torch.manual_seed(10)
    text, n = program()
    embed, gru, out = nn.Embedding(n, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, n)
    parameters = [*embed.parameters(), *gru.parameters(), *out.parameters()]
    opt = torch.optim.SGD(parameters, lr=0.5, momentum=0.9)
    for step in range(200):
        at = torch.randint(len(text) - 25, (16,))
        piece = text[at[:, None] + torch.arange(25)]
        loss = F.cross_entropy(out(gru(embed(piece[:, :-1]))[0]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(parameters, 1e-4)
        opt.step()
    return {"error": loss.item()}
