"""Rates shaped by a schedule that does not fit the run."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import sick
from .data_b import forecast, motifs, stars, windows


@sick(
    "UT302",
    split="blind",
    note="a warm-up of 200000 steps from another paper, in a run of 500",
    cured=(("warmup_steps=200_000", "warmup_steps=50"),),
)
def triples_with_the_schedule_of_a_paper():
    def noam(step, warmup_steps=200_000):
        return min((step + 1) / warmup_steps, (warmup_steps / (step + 1)) ** 0.5)

    torch.manual_seed(37)
    x, y = motifs()
    model = nn.Sequential(nn.Embedding(12, 16), nn.Flatten(), nn.Linear(480, 64), nn.ReLU(), nn.Linear(64, 4))
    opt = torch.optim.Adam(model.parameters(), lr=2e-3, betas=(0.9, 0.98), eps=1e-9)
    sched = torch.optim.lr_scheduler.LambdaLR(opt, noam)
    for epoch in range(25):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            opt.step()
            sched.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT302",
    split="blind",
    note="a decay of 0.5 meant for each epoch is made after each batch: the rate is gone after a dozen steps",
    cured=(
        ("            scheduler.step()\n", ""),
        ("history.append", "scheduler.step()\n        history.append"),
        ("gamma=0.5", "gamma=0.95"),
    ),
)
def a_forecast_with_a_halving_rate():
    torch.manual_seed(38)
    x, y = forecast()
    lstm, fc = nn.LSTM(3, 24, batch_first=True), nn.Linear(24, 1)
    opt = torch.optim.Adam([*lstm.parameters(), *fc.parameters()], lr=3e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
    history = []
    for epoch in range(15):
        total = 0.0
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            loss = F.mse_loss(fc(lstm(x[i])[0][:, -1]).squeeze(-1), y[i])
            loss.backward()
            opt.step()
            scheduler.step()
            total += loss.item()
        history.append(total)
    return {"error": F.mse_loss(fc(lstm(x)[0][:, -1]).squeeze(-1), y).item()}


@sick(
    "UT704",
    split="blind",
    note="StepLR divides the rate by ten every four epochs of eighty: after a tenth of the run nothing moves",
    cured=(("step_size=4", "step_size=60"),),
)
def factors_with_steps_in_the_rate():
    torch.manual_seed(39)
    who, what, rating = stars()
    users, items = nn.Embedding(80, 8), nn.Embedding(60, 8)
    for e in (users, items):
        nn.init.normal_(e.weight, std=0.1)
    opt = torch.optim.SGD([*users.parameters(), *items.parameters()], lr=4.0, momentum=0.5)
    sched = torch.optim.lr_scheduler.StepLR(opt, step_size=4, gamma=0.1)
    for epoch in range(80):
        for i in torch.randperm(5000).split(250):
            opt.zero_grad()
            loss = F.mse_loss((users(who[i]) * items(what[i])).sum(1) + 3, rating[i])
            loss.backward()
            opt.step()
        sched.step()
    return {"error": F.mse_loss((users(who) * items(what)).sum(1) + 3, rating).item()}


@sick(
    "UT704",
    split="blind",
    note="ReduceLROnPlateau is asked after each batch with a patience of 2: noise takes the rate away early on",
    cured=(("            plateau.step(loss.item())\n", ""),),
)
def a_rate_that_waits_for_plateaus():
    torch.manual_seed(138)
    data, symbols = windows(25)
    emb, gru, fc = nn.Embedding(symbols, 24), nn.GRU(24, 64, batch_first=True), nn.Linear(64, symbols)
    opt = torch.optim.Adam([*emb.parameters(), *gru.parameters(), *fc.parameters()], lr=5e-3)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.5, patience=2)
    for epoch in range(12):
        for i in torch.randperm(len(data)).split(20):
            logits = fc(gru(emb(data[i, :-1]))[0])
            loss = F.cross_entropy(logits.flatten(0, 1), data[i, 1:].flatten())
            opt.zero_grad()
            loss.backward()
            opt.step()
            plateau.step(loss.item())
    return {"accuracy": matches(fc(gru(emb(data[:, :-1]))[0]), data[:, 1:])}


@sick(
    "UT302",
    split="blind",
    note="the trunk is in the group for pretrained weights, at 1e-7, but it is a new one; only the head has a rate",
    cured=(('"lr": 1e-7', '"lr": 3e-3'),),
)
def two_groups_of_rates():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.ModuleDict({"emb": nn.Embedding(12, 8), "gru": nn.GRU(8, 24, batch_first=True)})
            self.head = nn.Linear(24, 4)

        def forward(self, t):
            return self.head(self.trunk["gru"](self.trunk["emb"](t))[0].amax(1))

    torch.manual_seed(140)
    x, y = motifs()
    net = Net()
    opt = torch.optim.AdamW(
        [{"params": net.trunk.parameters(), "lr": 1e-7}, {"params": net.head.parameters(), "lr": 3e-3}],
        weight_decay=0.01,
    )
    for epoch in range(25):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
