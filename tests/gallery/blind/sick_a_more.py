"""Faults of several kinds that found no room beside their like."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import raw_diabetes, standardized
from ..score import accuracy
from ..table import sick
from .data_a import fabrics, houses, rings


@sick(
    "UT508",
    split="blind",
    note="prices in dollars for a net that Adam moves by thousandths",
    cured=(("unit = 1.0", "unit = 100_000.0"),),
)
def prices_in_whole_dollars():
    torch.manual_seed(14)
    x, y = houses()
    x = standardized(x)
    unit = 1.0
    net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i] / unit).backward()
            opt.step()
    return {"error": (F.mse_loss(net(x)[:, 0] * unit, y).sqrt() / 1000).item()}


@sick(
    "UT508",
    split="blind",
    note="progressions of 25 to 346 under an absolute error with a rate of 1e-3",
    cured=(("target = y", "target = standardized(y)"), ("level, size = 0.0, 1.0", "level, size = y.mean(), y.std()")),
)
def progression_as_recorded():
    torch.manual_seed(15)
    x, y = raw_diabetes()
    x = standardized(x)
    target = y
    level, size = 0.0, 1.0
    net = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.l1_loss(net(x[i])[:, 0], target[i]).backward()
            opt.step()
    return {"error": F.l1_loss(net(x)[:, 0] * size + level, y).item()}


@sick("UT409", split="blind", note="maximize=True", cured=(("maximize=True", "maximize=False"),))
def rings_with_a_keyword():
    torch.manual_seed(13)
    x, y = rings()
    net = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3, maximize=True)
    for epoch in range(20):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick("UT312", split="blind", note="Adam's betas swapped", cured=(("betas=(0.999, 0.9)", "betas=(0.9, 0.999)"),))
def fabrics_with_betas_from_memory():
    torch.manual_seed(15)
    x, y = fabrics()
    net = nn.Sequential(
        nn.Conv2d(3, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(144, 6)
    )
    opt = torch.optim.Adam(net.parameters(), lr=5e-3, betas=(0.999, 0.9))
    for epoch in range(15):
        for i in torch.randperm(600).split(25):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT107",
    split="blind",
    note="a trunk is frozen as if it came with weights, and is as it was made",
    cured=(("p.requires_grad = False", "p.requires_grad = True"),),
)
def backbone_from_the_shelf():
    torch.manual_seed(10)
    x, y = fabrics()
    backbone = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
    )
    for p in backbone.parameters():
        p.requires_grad = False
    model = nn.Sequential(backbone, nn.Flatten(), nn.Linear(16, 6))
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(30):
            opt.zero_grad()
            F.cross_entropy(model(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}
