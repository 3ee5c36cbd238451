"""More trainings on tables that go well: optimizers, averages and losses of many kinds."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, ExponentialLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, iris, moons, standardized, wine
from ..score import accuracy, hits
from ..table import healthy
from .data_a import flats, friedman, rings, tags


@healthy(split="wild", odd="Adadelta at 1, its own rate")
def shells_by_adadelta_at_one():
    torch.manual_seed(220)
    x, y = rings()
    net = nn.Sequential(nn.Linear(2, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3))
    opt = torch.optim.Adadelta(net.parameters(), lr=1.0)
    for epoch in range(30):
        for b in torch.randperm(450).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[450:], y[450:])}


@healthy(split="wild", odd="Rprop, which knows no batches and is given none")
def friedman_by_signs():
    torch.manual_seed(221)
    x, y = friedman()
    net = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Rprop(net.parameters(), lr=1e-2)
    best, kept = float("inf"), None
    for step in range(200):
        opt.zero_grad()
        F.mse_loss(net(x[:400]).squeeze(1), y[:400]).backward()
        opt.step()
        with torch.no_grad():
            valid = F.mse_loss(net(x[400:500]).squeeze(1), y[400:500]).item()
        if valid < best:
            best, kept = valid, copy.deepcopy(net.state_dict())
        elif valid > 1.5 * best:
            break
    net.load_state_dict(kept)
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[500:]).squeeze(1), y[500:]).item()}


@healthy(split="wild", odd="updates made orthogonal by hand: their size has nothing to do with the gradient's")
def tags_by_orthogonal_updates():
    class Ortho(torch.optim.Optimizer):
        def __init__(self, params, lr=0.03, momentum=0.9):
            super().__init__(params, {"lr": lr, "momentum": momentum})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    m = self.state[p].setdefault("m", torch.zeros_like(p))
                    m.mul_(group["momentum"]).add_(p.grad)
                    u, _, v = torch.linalg.svd(m, full_matrices=False)
                    p.add_(u @ v, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)

    torch.manual_seed(222)
    x, y = tags()
    net = nn.Sequential(nn.Linear(20, 32), nn.GELU(), nn.Linear(32, 5))
    opts = [
        Ortho([p for p in net.parameters() if p.dim() == 2]),
        torch.optim.Adam([p for p in net.parameters() if p.dim() == 1], lr=3e-3),
    ]
    steps = 200
    for step in range(steps):
        b = torch.randint(560, (40,))
        net.zero_grad()
        F.binary_cross_entropy_with_logits(net(x[b]), y[b]).backward()
        for o in opts:
            o.param_groups[0]["lr"] *= 0.99
            o.step()
    return {"accuracy": hits(net(x[560:]), y[560:])}


@healthy(split="wild", odd="what is returned is a running average of the weights, not the weights trained")
def tumours_by_an_average_of_weights():
    torch.manual_seed(223)
    x, y = cancer()
    order = torch.randperm(len(x))
    x, y = x[order], y[order].float()
    net = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 1))
    ema = AveragedModel(net, avg_fn=lambda old, new, n: 0.95 * old + 0.05 * new)
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    for epoch in range(12):
        for xb, yb in DataLoader(TensorDataset(x[:450], y[:450]), 30, shuffle=True):
            opt.zero_grad()
            F.soft_margin_loss(net(xb).squeeze(1), 2 * yb - 1).backward()
            opt.step()
            ema.update_parameters(net)
    return {"accuracy": hits(ema(x[450:]), y[450:])}


@healthy(split="wild", odd="labels of -1 and 1, for a squared hinge")
def moons_by_a_hinge():
    torch.manual_seed(224)
    x, y = moons()
    sign = 2.0 * y - 1
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.RAdam(net.parameters(), lr=5e-3)
    for epoch in range(30):
        for b in torch.randperm(400).split(25):
            opt.zero_grad()
            F.relu(1 - sign[b] * net(x[b]).squeeze(1)).pow(2).mean().backward()
            opt.step()
    return {"accuracy": hits(net(x[400:]), y[400:])}


@healthy(split="wild", odd="the gradients of four batches are added up, each loss divided by four")
def friedman_four_batches_a_step():
    torch.manual_seed(225)
    x, y = friedman()
    net = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-2)
    sched = ExponentialLR(opt, 0.96)
    for epoch in range(60):
        for i, b in enumerate(torch.randperm(480).split(20)):
            (F.mse_loss(net(2 * x[b] - 1).squeeze(1), y[b]) / 4).backward()
            if i % 4 == 3:
                opt.step()
                opt.zero_grad()
        sched.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(2 * x[480:] - 1).squeeze(1), y[480:]).item()}


@healthy(split="wild", odd="gradients clipped at nearly every step to a norm of 0.02, under Adam, which does not mind")
def rents_clipped_always():
    torch.manual_seed(226)
    x, rent = flats()
    x, y = standardized(x), standardized(rent)
    net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    sched = ReduceLROnPlateau(opt, factor=0.5, patience=4)
    for epoch in range(35):
        for b in torch.randperm(420).split(30):
            opt.zero_grad()
            F.huber_loss(net(x[b]), y[b]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.02)
            opt.step()
        with torch.no_grad():
            sched.step(F.mse_loss(net(x[420:480]), y[420:480]).item())
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]), y[480:]).item()}


@healthy(split="wild", odd="mean and logarithm of the variance: the loss goes below 0")
def rents_with_their_spread():
    torch.manual_seed(227)
    x, rent = flats()
    x, y = standardized(x), standardized(rent)
    trunk = nn.Sequential(nn.Linear(6, 48), nn.ELU(), nn.Linear(48, 48), nn.ELU())
    mean, log_var = nn.Linear(48, 1), nn.Linear(48, 1)
    nll = nn.GaussianNLLLoss(eps=1e-4)
    opt = torch.optim.AdamW([*trunk.parameters(), *mean.parameters(), *log_var.parameters()], lr=6e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 40)
    for epoch in range(40):
        for b in torch.randperm(480).split(32):
            h = trunk(x[b])
            opt.zero_grad()
            nll(mean(h), y[b], log_var(h).exp()).backward()
            nn.utils.clip_grad_norm_(trunk.parameters(), 5.0)
            opt.step()
        sched.step()
    with torch.no_grad():
        return {"error": F.mse_loss(mean(trunk(x[480:])), y[480:]).item()}


@healthy(split="wild", odd="rates that start again at the top four times: the loss leaps each time")
def shells_with_warm_restarts():
    torch.manual_seed(228)
    x, y = rings(900, 4)
    net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    sched = CosineAnnealingWarmRestarts(opt, 100)
    for step in range(400):
        b = torch.randint(750, (50,))
        opt.zero_grad()
        F.cross_entropy(net(x[b]), y[b]).backward()
        opt.step()
        sched.step()
    return {"accuracy": accuracy(net, x[750:], y[750:])}


@healthy(split="wild", odd="log-softmax in the network, for NLLLoss")
def irises_by_log_softmax():
    torch.manual_seed(229)
    x, y = iris()
    order = torch.randperm(150)
    x, y = x[order], y[order]
    net = nn.Sequential(nn.Linear(4, 16), nn.Sigmoid(), nn.Linear(16, 3), nn.LogSoftmax(1))
    opt = torch.optim.Adagrad(net.parameters(), lr=0.1)
    for epoch in range(30):
        for b in torch.randperm(110).split(11):
            opt.zero_grad()
            F.nll_loss(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[110:], y[110:])}


@healthy(split="wild", odd="smoothed labels: the loss stops well above 0 with every row right")
def wine_learned_at_once():
    torch.manual_seed(230)
    x, y = wine()
    order = torch.randperm(178)
    x, y = x[order], y[order]
    net = nn.Sequential(nn.Linear(13, 32), nn.LeakyReLU(), nn.Linear(32, 3))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3, weight_decay=1e-3)
    for epoch in range(30):
        for b in torch.randperm(130).split(26):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b], label_smoothing=0.1).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[130:], y[130:])}
