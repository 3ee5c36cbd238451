"""Adversaries, views, experts and flows with one thing wrong, and a few more slips of a loop."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits, moons, standardized, wine
from ..score import accuracy, matches
from ..table import sick
from .data_a import emblems, picture, plant, rings, scaled_houses, wheel


@sick(
    "UT103",
    split="blind",
    note="the forger's own step is made on a detached forgery",
    cured=(("judge(fake.detach()), one)", "judge(fake), one)"),),
)
def forger_of_small_clouds():
    torch.manual_seed(2)
    real = wheel()
    forger = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
    judge = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    opt_f = torch.optim.Adam(forger.parameters(), lr=1e-3, betas=(0.5, 0.9))
    opt_j = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.9))
    bce, one, zero = nn.BCEWithLogitsLoss(), torch.ones(64, 1), torch.zeros(64, 1)
    for step in range(1000):
        truth, fake = real[torch.randint(1000, (64,))], forger(torch.randn(64, 4))
        opt_j.zero_grad()
        (bce(judge(truth), one) + bce(judge(fake.detach()), zero)).backward()
        opt_j.step()
        opt_f.zero_grad()
        bce(judge(fake.detach()), one).backward()
        opt_f.step()
    with torch.no_grad():
        fake = forger(torch.randn(1000, 4))
        found = torch.cdist(real, fake).amin(1).mean() + torch.cdist(fake, real).amin(1).mean()
    return {"error": found.item()}


@sick(
    "UT306",
    split="blind",
    note="the judge is stepped in both places, the forger in none",
    cured=(("loss_f.backward()\n        opt_j.step()", "loss_f.backward()\n        opt_f.step()"),),
)
def judge_and_forger():
    torch.manual_seed(2)
    real = wheel()
    forger = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
    judge = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    opt_f = torch.optim.Adam(forger.parameters(), lr=1e-3, betas=(0.5, 0.9))
    opt_j = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.9))
    for step in range(1000):
        truth, fake = real[torch.randint(1000, (64,))], forger(torch.randn(64, 4))
        loss_j = F.softplus(-judge(truth)).mean() + F.softplus(judge(fake.detach())).mean()
        opt_j.zero_grad()
        loss_j.backward()
        opt_j.step()
        loss_f = F.softplus(-judge(fake)).mean()
        opt_f.zero_grad()
        loss_f.backward()
        opt_j.step()
    with torch.no_grad():
        fake = forger(torch.randn(1000, 4))
        found = torch.cdist(real, fake).amin(1).mean() + torch.cdist(fake, real).amin(1).mean()
    return {"error": found.item()}


@sick(
    "UT205",
    split="blind",
    note="two views without a stop of the gradient, a predictor or negatives: all codes become one",
    cured=(("loss = 1 - both.mean()", "loss = F.cross_entropy(a @ b.T / 0.2, torch.arange(len(i)))"),),
)
def two_views_that_agree():
    torch.manual_seed(3)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 24))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(128):
            a = F.normalize(net(x[i] * (torch.rand(len(i), 64) > 0.2)), dim=1)
            b = F.normalize(net(x[i] + 0.2 * torch.randn(len(i), 64)), dim=1)
            both = (a * b).sum(1)
            loss = 1 - both.mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = F.normalize(net(x), dim=1)
        centres = torch.stack([z[y == k].mean(0) for k in range(10)])
        return {"accuracy": matches(-torch.cdist(z, centres), y)}


@sick(
    "UT203",
    split="blind",
    note="eight experts are copies of one and their gate begins at 0: they stay one expert",
    cured=(("copy.deepcopy(one)", "nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 3))"),),
)
def eight_experts_from_one():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            one = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 3))
            self.experts = nn.ModuleList(copy.deepcopy(one) for _ in range(8))
            self.gate = nn.Linear(2, 8)
            nn.init.zeros_(self.gate.weight), nn.init.zeros_(self.gate.bias)

        def forward(self, x):
            answers = torch.stack([expert(x) for expert in self.experts], 1)
            return torch.einsum("nk,nkc->nc", self.gate(x).softmax(1), answers)

    torch.manual_seed(4)
    x, y = rings()
    net = Experts()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT409",
    split="blind",
    note="the logarithm of the volume is added, and should be taken off: the flow runs away",
    cured=(("+ volume", "- volume"),),
)
def moons_by_their_volume():
    torch.manual_seed(5)
    x = standardized(moons(600, 0.05)[0])
    nets = nn.ModuleList(nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 2)) for _ in range(4))

    def apply(h):
        total = torch.zeros(len(h))
        for net in nets:
            a, b = h[:, :1], h[:, 1:]
            s, t = net(a).chunk(2, 1)
            h = torch.cat([b * torch.exp(torch.tanh(s)) + t, a], 1)
            total = total + torch.tanh(s)[:, 0]
        return h, total

    opt = torch.optim.Adam(nets.parameters(), lr=3e-3)
    for epoch in range(30):
        for i in torch.randperm(600).split(60):
            z, volume = apply(x[i])
            loss = (z.square().sum(1) / 2 + volume).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    z, grown = apply(x)
    return {"error": (z.square().sum(1) / 2 + 1.838 - grown).mean().exp().item()}


@sick(
    "UT103",
    split="blind",
    note="the loss is wrapped into a new tensor with requires_grad=True",
    cured=(("loss = torch.tensor(loss.item(), requires_grad=True)", "loss = loss * 1.0"),),
)
def one_more_tensor_for_wine():
    torch.manual_seed(6)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(16):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss = torch.tensor(loss.item(), requires_grad=True)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT506",
    split="blind",
    note="the indices of the batch are drawn before the loop",
    cured=(("at[chosen]", "at[chosen := torch.randint(len(at), (24,))]"),),
)
def picture_by_two_dozen_points():
    torch.manual_seed(7)
    at, grey = picture()
    waves = 2 * torch.randn(2, 32)
    net = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    chosen = torch.randint(len(at), (24,))
    for step in range(800):
        opt.zero_grad()
        F.mse_loss(net((at[chosen] @ waves).sin()), grey[chosen]).backward()
        opt.step()
    return {"error": F.mse_loss(net((at @ waves).sin()), grey).item()}


@sick(
    "UT502",
    split="blind",
    note="the only feature is standardized along the row, where it is alone: all zeros",
    cured=(("x.mean(1, keepdim=True)", "x.mean(0)"),),
)
def price_by_area_alone():
    torch.manual_seed(8)
    x, y = scaled_houses()
    x = x[:, :1]
    x = x - x.mean(1, keepdim=True)
    net = nn.Sequential(nn.Linear(1, 24), nn.ReLU(), nn.Linear(24, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(20):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.mse_loss(net(x[i])[:, 0], y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item()}


@sick(
    "UT503",
    split="blind",
    note="a mask of 0 and 255 for binary cross-entropy",
    cured=(("255.0 * (", "1.0 * ("),),
)
def mask_from_an_image_file():
    torch.manual_seed(9)
    x, _ = emblems()
    truth = F.avg_pool2d(x, 3, 1, 1) > 0.45
    mask = 255.0 * (F.avg_pool2d(x, 3, 1, 1) > 0.45)
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1)
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(5):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i]), mask[i]).backward()
            opt.step()
    return {"error": ((net(x) > 0) != truth).float().mean().item()}


@sick(
    "UT504",
    split="blind",
    note="labels are to be filled into a tensor of zeros, and are filled into a copy of it",
    cured=(("labels.clone()[:] = state", "labels[:] = state"),),
)
def states_copied_into_labels():
    torch.manual_seed(10)
    x, _, state = plant()
    labels = torch.zeros(len(x), dtype=torch.long)
    labels.clone()[:] = state
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), labels[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, state)}
