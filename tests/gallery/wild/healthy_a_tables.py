"""Trainings on tables that go as well as they should, with what looks wrong and is not."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, OneCycleLR
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from ..data import diabetes, raw_wine, standardized
from ..score import accuracy, hits
from ..table import healthy
from .data_a import calls, flats, frauds, friedman, grades, patients, ratings, tags


@healthy(split="wild", odd="wine as measured, but the first layer is a batch norm, which does the scaling")
def cultivars_scaled_inside():
    torch.manual_seed(200)
    x, y = raw_wine()
    order = torch.randperm(178)
    train, test = order[:130], order[130:]
    net = nn.Sequential(nn.BatchNorm1d(13, affine=False), nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(20):
        net.train()
        for b in train[torch.randperm(130)].split(26):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[test], y[test])}


@healthy(split="wild", odd="rents in euros, but the network scales its own output by buffers")
def rents_scaled_by_buffers():
    class Scaled(nn.Module):
        def __init__(self, y):
            super().__init__()
            self.register_buffer("mean", y.mean(0))
            self.register_buffer("std", y.std(0))
            self.body = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))

        def forward(self, x):
            return self.body(x)

        def euros(self, x):
            return self.forward(x) * self.std + self.mean

    torch.manual_seed(201)
    x, rent = flats()
    x = standardized(x)
    net = Scaled(rent[:480])
    opt = torch.optim.AdamW(net.parameters(), lr=4e-3)
    sched = OneCycleLR(opt, 8e-3, total_steps=400)
    for step in range(400):
        b = torch.randint(480, (48,))
        loss = ((net.euros(x[b]) - rent[b]) / net.std).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    with torch.no_grad():
        miss = net.euros(x[480:]) - rent[480:]
        return {"error": (miss.pow(2).mean() / rent.var()).item()}


@healthy(split="wild", odd="one output, softplus on it and a Poisson loss that is told so; the loss is below 0")
def calls_by_softplus():
    torch.manual_seed(202)
    x, y = calls()
    net = nn.Sequential(nn.Linear(5, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1), nn.Softplus())
    criterion = nn.PoissonNLLLoss(log_input=False)
    opt = torch.optim.NAdam(net.parameters(), lr=2e-2)
    for epoch in range(30):
        for b in torch.randperm(480).split(40):
            opt.zero_grad()
            criterion(net(x[b]).squeeze(1), y[b]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": (net(x[480:]).squeeze(1) - y[480:]).abs().mean().item()}


@healthy(split="wild", odd="tanh after the last layer, targets scaled into -0.9..0.9 first")
def friedman_within_bounds():
    torch.manual_seed(203)
    x, y = friedman()
    top = y[:480].abs().max()
    target = 0.9 * y / top
    net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Tanh())
    opt = torch.optim.Adam(net.parameters(), lr=1.2e-2)
    sched = CosineAnnealingLR(opt, 40)
    for epoch in range(40):
        for b in torch.randperm(480).split(40):
            opt.zero_grad()
            F.mse_loss(net(2 * x[b] - 1).squeeze(1), target[b]).backward()
            opt.step()
        sched.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(2 * x[480:] - 1).squeeze(1) * top / 0.9, y[480:]).item()}


@healthy(split="wild", odd="the last layer starts at 0: the first step moves nothing below it")
def tags_from_a_head_of_zeros():
    torch.manual_seed(204)
    x, y = tags()
    net = nn.Sequential(nn.Linear(20, 64), nn.GELU(), nn.Linear(64, 5))
    nn.init.zeros_(net[2].weight)
    nn.init.zeros_(net[2].bias)
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3)
    for epoch in range(15):
        for b in torch.randperm(560).split(35):
            opt.zero_grad()
            F.multilabel_soft_margin_loss(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": hits(net(x[560:]), y[560:])}


@healthy(split="wild", odd="cumulative logits: scores and cuts are trained at rates of their own, eval() never called")
def grades_by_ordered_cuts():
    class CumulativeLink(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
            self.first = nn.Parameter(torch.tensor(-1.5))
            self.gaps = nn.Parameter(torch.zeros(3))

        def forward(self, x):
            cuts = self.first + F.pad(F.softplus(self.gaps).cumsum(0), (1, 0))
            return self.net(x) - cuts

    torch.manual_seed(205)
    x, y = grades()
    model = CumulativeLink()
    cuts = [model.first, model.gaps]
    opt = torch.optim.Adam([{"params": model.net.parameters()}, {"params": cuts, "lr": 2e-2}], lr=5e-3)
    for epoch in range(30):
        for b in torch.randperm(1200).split(60):
            levels = (y[b, None] > torch.arange(4)).float()
            loss = F.binary_cross_entropy_with_logits(model(x[b]), levels, reduction="none").sum(1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        grade = (model(x[1200:]) > 0).sum(1)
    return {"accuracy": (grade == y[1200:]).float().mean().item()}


@healthy(split="wild", odd="a loss that falls little: the partial likelihood of Cox over a hundred patients")
def survival_by_partial_likelihood():
    torch.manual_seed(206)
    x, time, seen = patients()
    net = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 1, bias=False))
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.05)
    for epoch in range(25):
        net.train()
        for b in torch.randperm(400).split(100):
            order = b[time[b].argsort(descending=True)]
            risk = net(x[order]).squeeze(1)
            loss = ((risk.logcumsumexp(0) - risk) * seen[order]).sum() / seen[order].sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
    net.eval()
    with torch.no_grad():
        risk = net(x[400:]).squeeze(1)
    t, s = time[400:], seen[400:]
    earlier = (t[:, None] < t[None]) & (s[:, None] == 1)
    return {"accuracy": (risk[:, None] > risk[None])[earlier].float().mean().item()}


@healthy(split="wild", odd="few frauds, drawn as often as the rest by a weighted sampler")
def frauds_drawn_evenly():
    torch.manual_seed(207)
    x, y = frauds()
    weight = torch.where(y[:1000] == 1, 1 / y[:1000].sum(), 1 / (1 - y[:1000]).sum())
    sampler = WeightedRandomSampler(weight, 1000)
    loader = DataLoader(TensorDataset(x[:1000], y[:1000]), batch_size=50, sampler=sampler)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
    for epoch in range(12):
        net.train()
        for xb, yb in loader:
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(xb).squeeze(1), yb).backward()
            opt.step()
    net.eval()
    caught = net(x[1000:]).squeeze(1) > 0
    truth = y[1000:] == 1
    return {"accuracy": (caught[truth].float().mean() + (~caught[~truth]).float().mean()).item() / 2}


@healthy(split="wild", odd="LBFGS at a rate of 1 with a line search, all rows at once")
def diabetes_by_line_search():
    torch.manual_seed(208)
    x, y = diabetes()
    net = nn.Sequential(nn.Linear(10, 6), nn.Tanh(), nn.Linear(6, 1))
    opt = torch.optim.LBFGS(net.parameters(), lr=1, max_iter=4, line_search_fn="strong_wolfe")

    def closure():
        opt.zero_grad()
        penalty = sum((p**2).sum() for p in net.parameters())
        loss = F.mse_loss(net(x[:360]).squeeze(1), y[:360]) + 0.01 * penalty
        loss.backward()
        return loss

    for _ in range(60):
        opt.step(closure)
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[360:]).squeeze(1), y[360:]).item()}


@healthy(split="wild", odd="three quantiles that do not agree; only part of the loss can go")
def rents_by_three_quantiles():
    torch.manual_seed(209)
    x, rent = flats()
    x, y = standardized(x), standardized(rent)
    q = torch.tensor([0.1, 0.5, 0.9])
    net = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 3))
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    sched = LambdaLR(opt, lambda n: 1 - 0.95 * n / 400)
    for step in range(400):
        b = torch.randint(480, (40,))
        over = y[b] - net(x[b])
        loss = torch.maximum(q * over, (q - 1) * over).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    with torch.no_grad():
        return {"error": (net(x[480:])[:, 1:2] - y[480:]).abs().mean().item()}


@healthy(split="wild", odd="SparseAdam for the tables, Adam for the rest: most rows have no gradient in a step")
def ratings_with_sparse_tables():
    class Factors(nn.Module):
        def __init__(self, users, films, d=8):
            super().__init__()
            self.user = nn.Embedding(users, d, sparse=True)
            self.film = nn.Embedding(films, d, sparse=True)
            for table in (self.user, self.film):
                nn.init.normal_(table.weight, std=0.5)
            self.mix = nn.Linear(d, 1)

        def forward(self, who):
            return self.mix(self.user(who[:, 0]) * self.film(who[:, 1])).squeeze(1)

    torch.manual_seed(210)
    who, rating = ratings()
    net = Factors(60, 40)
    tables = [net.user.weight, net.film.weight]
    opts = [torch.optim.SparseAdam(tables, lr=2.5e-2), torch.optim.Adam(net.mix.parameters(), lr=2.5e-2)]
    for epoch in range(12):
        for b in torch.randperm(2000).split(40):
            for o in opts:
                o.zero_grad()
            F.mse_loss(net(who[b]), rating[b]).backward()
            for o in opts:
                o.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(who[2000:]), rating[2000:]).item()}
