"""Outputs and targets that do not fit each other, and outputs that do not depend on what comes in."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..table import sick
from .data_b import (
    climate,
    forecast,
    stars,
)


@sick(
    "UT405",
    split="blind",
    note="stars of 1 to 5 from a sigmoid",
    cured=(("torch.sigmoid(self.top(h))[:, 0]", "1 + 4 * torch.sigmoid(self.top(h))[:, 0]"),),
)
def stars_by_a_deep_model():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.users, self.films = nn.Embedding(80, 8), nn.Embedding(60, 8)
            self.hidden, self.top = nn.Linear(24, 32), nn.Linear(32, 1)

        def forward(self, u, f):
            a, b = self.users(u), self.films(f)
            h = torch.relu(self.hidden(torch.cat([a, b, a * b], 1)))
            return torch.sigmoid(self.top(h))[:, 0]

    torch.manual_seed(84)
    who, what, rating = stars()
    net = Deep()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for i in torch.randperm(5000).split(100):
            opt.zero_grad()
            loss = F.mse_loss(net(who[i], what[i]), rating[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(who, what), rating).item()}


@sick(
    "UT405",
    split="blind",
    note="a rectifier behind the last layer of a forecaster of standardized values",
    cured=(("F.relu(self.fc(h))", "self.fc(h)"),),
)
def a_temporal_convolution_for_weather():
    class TCN(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv1d(3 if d == 1 else 24, 24, 3, dilation=d) for d in (1, 2, 4))
            self.fc = nn.Linear(24, 1)

        def forward(self, x):
            h = x.transpose(1, 2)
            for conv in self.convs:
                h = F.relu(conv(F.pad(h, (2 * conv.dilation[0], 0))))
            h = h[:, :, -1]
            return F.relu(self.fc(h))

    torch.manual_seed(85)
    x, y = forecast()
    net = TCN()
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT405",
    split="blind",
    note="the noise of a diffusion is predicted through a tanh",
    cured=((", nn.Tanh())", ")"),),
)
def noise_of_a_small_diffusion():
    torch.manual_seed(86)
    angle = torch.rand(2000) * 6.283
    x = torch.stack([angle.cos(), angle.sin()], 1) * 2
    betas = torch.linspace(1e-3, 0.2, 30)
    kept = (1 - betas).cumprod(0)
    net = nn.Sequential(nn.Linear(3, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 2), nn.Tanh())
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)

    def loss_of(batch):
        t = torch.randint(15, 30, (len(batch),))
        noise = torch.randn_like(batch)
        a = kept[t, None]
        noisy = a.sqrt() * batch + (1 - a).sqrt() * noise
        return F.mse_loss(net(torch.cat([noisy, t[:, None] / 30], 1)), noise)

    for epoch in range(25):
        for i in torch.randperm(2000).split(100):
            opt.zero_grad()
            loss_of(x[i]).backward()
            opt.step()
    return {"error": loss_of(x.repeat(5, 1)).item()}


@sick(
    "UT508",
    split="blind",
    note="temperatures in kelvin as targets, with a linear read-out that starts at zero, by Adam",
    cured=(("y[i])", "(y[i] - y.mean()) / y.std())"), ("(guess - y)", "(guess * y.std() + y.mean() - y)")),
)
def tomorrow_in_kelvin():
    torch.manual_seed(89)
    x, y = climate()
    x = (x - x.mean((0, 1))) / x.std((0, 1))
    gru, fc = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1)
    opt = torch.optim.Adam([*gru.parameters(), *fc.parameters()], lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            loss = F.mse_loss(fc(gru(x[i])[0][:, -1])[:, 0], y[i])
            loss.backward()
            opt.step()
    with torch.no_grad():
        guess = fc(gru(x)[0][:, -1])[:, 0]
        return {"error": (guess - y).square().mean().sqrt().item()}


@sick(
    "UT508",
    split="blind",
    note="counts of passengers by the thousand: the last bias has twenty thousand to go",
    cured=(("y[i])", "y[i] / y.std())"), ("(guess - y)", "(guess * y.std() - y)")),
)
def passengers_of_a_line():
    torch.manual_seed(90)
    x, y = forecast()
    y = 20000 + 8000 * y
    net = nn.Sequential(nn.Flatten(), nn.Linear(72, 48), nn.ReLU(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            F.mse_loss(net(x[i]).squeeze(1), y[i]).backward()
            opt.step()
    with torch.no_grad():
        guess = net(x).squeeze(1)
        return {"error": (guess - y).square().mean().sqrt().item()}
