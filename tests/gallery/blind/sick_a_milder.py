"""Faults with which a net still learns, and clearly less than without."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digit_images, digits, raw_diabetes, standardized
from ..score import accuracy, hits, matches
from ..table import sick
from .data_a import clicks, fabrics, houses, picture, plant, rings, scaled_houses


@sick("UT302", split="blind", note="Adam at 2e-5 for ten epochs", cured=(("lr=2e-5", "lr=2e-3"),))
def ten_epochs_at_a_borrowed_rate():
    torch.manual_seed(1)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10)
    )
    opt = torch.optim.Adam(net.parameters(), lr=2e-5)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick("UT301", split="blind", note="Adam at 0.08 for four layers: noisy to the end", cured=(("lr=0.08", "lr=0.002"),))
def yield_by_four_layers():
    torch.manual_seed(2)
    x, made, _ = plant()
    net = nn.Sequential(
        nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
    )
    opt = torch.optim.Adam(net.parameters(), lr=0.08)
    for epoch in range(30):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]), made[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x), made).item()}


@sick("UT309", split="blind", note="AdamW with a decay of 20", cured=(("weight_decay=20.0", "weight_decay=0.01"),))
def prices_under_adamw_for_thirty_epochs():
    torch.manual_seed(4)
    x, y = scaled_houses()
    net = nn.Sequential(nn.Linear(5, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=20.0)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@sick("UT310", split="blind", note="a norm of 0.002 at most, under SGD", cured=((", 0.002)", ", 5.0)"),))
def rings_on_a_short_leash():
    torch.manual_seed(5)
    x, y = rings()
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(20):
        for i in torch.randperm(600).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 0.002)
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick("UT311", split="blind", note="RMSprop with an epsilon of 1", cured=(("eps=1.0", "eps=1e-8"),))
def picture_by_rmsprop_in_waves():
    torch.manual_seed(6)
    at, grey = picture()
    seen = torch.cat([f(3.14 * k * at) for k in (1, 2, 3) for f in (torch.sin, torch.cos)], 1)
    net = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3, eps=1.0)
    for step in range(800):
        i = torch.randint(len(at), (128,))
        opt.zero_grad()
        F.mse_loss(net(seen[i]), grey[i]).backward()
        opt.step()
    return {"error": F.mse_loss(net(seen), grey).item()}


@sick(
    "UT312",
    split="blind",
    note="a momentum of exactly 1: nothing is ever forgotten",
    cured=(("momentum=1.0", "momentum=0.9"),),
)
def cells_and_a_rolling_ball():
    torch.manual_seed(7)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=1.0)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i])[:, 0], y[i].float()).backward()
            opt.step()
    return {"error": F.binary_cross_entropy_with_logits(net(x)[:, 0], y.float()).item()}


@sick(
    "UT501",
    split="blind",
    note="measurements of 40 to 200 beside ones of 1 to 10, under Adam",
    cured=(("y = standardized(y)", "x, y = standardized(x), standardized(y)"),),
)
def blood_values_as_measured():
    torch.manual_seed(8)
    x, y = raw_diabetes()
    y = standardized(y)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@sick(
    "UT508",
    split="blind",
    note="prices in thousands of dollars, 200 to 900, with Adam's thousandths",
    cured=(("unit = 1e3", "unit = 1e5"),),
)
def prices_in_thousands():
    torch.manual_seed(9)
    x, y = houses()
    x = standardized(x)
    unit = 1e3
    net = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(40):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.smooth_l1_loss(net(x[i])[:, 0], y[i] / unit).backward()
            opt.step()
    return {"error": (F.l1_loss(net(x)[:, 0] * unit, y) / 1000).item()}


@sick(
    "UT401",
    split="blind",
    note="a sigmoid on each score before a cross-entropy over six classes",
    cured=(("torch.sigmoid(self.fc(h))", "self.fc(h)"),),
)
def six_fabrics_with_squashed_scores():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 12, 5), nn.Linear(48, 6)

        def forward(self, x):
            h = F.adaptive_avg_pool2d(F.relu(self.conv(x)), 2).flatten(1)
            return torch.sigmoid(self.fc(h))

    torch.manual_seed(10)
    x, y = fabrics()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(20):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT107",
    split="blind",
    note="the tables of users and pages are frozen as drawn, as if they came from elsewhere",
    cured=(("table.weight.requires_grad_(False)", "table.weight.requires_grad_(True)"),),
)
def clicks_from_tables_as_drawn():
    torch.manual_seed(12)
    x, y = clicks()
    who, page = nn.Embedding(50, 4), nn.Embedding(40, 4)
    for table in (who, page):
        table.weight.requires_grad_(False)
    top = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.Adam([p for m in (who, page, top) for p in m.parameters() if p.requires_grad], lr=1e-2)

    def score(i):
        return top(torch.cat([who(i[:, 0]), page(i[:, 1])], 1))[:, 0]

    for epoch in range(20):
        for i in torch.randperm(2000).split(50):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(score(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": hits(score(x), y)}


@sick(
    "UT204",
    split="blind",
    note="a layer was widened from 2 units to 64 with weights of a millionth, which stay asleep",
    cured=(("1e-6 *", "0.3 *"),),
)
def widened_by_sixty_units():
    torch.manual_seed(13)
    x, y = digits()
    first, last = nn.Linear(64, 64), nn.Linear(64, 10)
    with torch.no_grad():
        first.weight[2:] = 1e-6 * torch.randn(62, 64)
        first.bias[2:] = 0
        last.weight[:, 2:] = 1e-6 * torch.randn(10, 62)
    opt = torch.optim.SGD([*first.parameters(), *last.parameters()], lr=0.05)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(last(torch.relu(first(x[i]))), y[i]).backward()
            opt.step()
    return {"accuracy": matches(last(torch.relu(first(x))), y)}
