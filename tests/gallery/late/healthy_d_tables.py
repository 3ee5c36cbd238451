"""Networks on tables that learn as they should."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from ..data import cancer, diabetes, moons, raw_cancer, raw_wine, standardized, wine
from ..score import accuracy, hits
from ..table import healthy


@healthy(split="late", odd="raw measurements of up to 1700, that a batch norm at the input scales")
def wine_behind_input_norm():
    torch.manual_seed(20)
    x, y = raw_wine()
    order = torch.randperm(len(x))
    train, test = order[:140], order[140:]
    net = nn.Sequential(nn.BatchNorm1d(13, affine=False), nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.05)
    for epoch in range(30):
        net.train()
        for i in train[torch.randperm(140)].split(35):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[test], y[test])}


@healthy(split="late", odd="four in a hundred are positive; a sampler evens the batches out")
def rare_failures_resampled():
    torch.manual_seed(21)
    n = 2000
    failed = torch.rand(n) < 0.04
    sensors = torch.randn(n, 10)
    sensors[failed, :4] += torch.tensor([1.5, -1.5, 1.2, 1.2])
    weights = torch.where(failed, 1 / failed.float().mean(), 1 / (~failed).float().mean())
    loader = DataLoader(
        TensorDataset(sensors, failed.float()), batch_size=100, sampler=WeightedRandomSampler(weights, n)
    )
    net = nn.Sequential(nn.Linear(10, 16), nn.ELU(), nn.Linear(16, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(8):
        for x, y in loader:
            loss = F.binary_cross_entropy_with_logits(net(x).squeeze(1), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
    said = (net(sensors).squeeze(1) > 0).float()
    return {"accuracy": (0.5 * (said[failed].mean() + 1 - said[~failed].mean())).item()}


@healthy(split="late", odd="a negative loss: Gaussian likelihood with a learned variance")
def heteroscedastic_yield():
    class MeanAndSpread(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
            self.mean, self.log_var = nn.Linear(48, 1), nn.Linear(48, 1)

        def forward(self, x):
            h = self.trunk(x)
            return self.mean(h), self.log_var(h).exp()

    torch.manual_seed(22)
    x = torch.rand(800, 1) * 4 - 2
    y = torch.sin(2 * x) + 0.1 * (x.abs() + 0.2) * torch.randn(800, 1)
    model, criterion = MeanAndSpread(), nn.GaussianNLLLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    for epoch in range(40):
        for i in torch.randperm(800).split(80):
            mean, var = model(x[i])
            loss = criterion(mean, y[i], var)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(x)[0], torch.sin(2 * x)).item(), "nll": loss.item()}


@healthy(split="late", odd="SGD at 1 and no momentum, on a small logistic model of standardized inputs")
def logistic_at_rate_one():
    torch.manual_seed(23)
    x, y = cancer()
    w = torch.zeros(30, requires_grad=True)
    b = torch.zeros((), requires_grad=True)
    opt = torch.optim.SGD([w, b], lr=1.0, weight_decay=1e-3)
    for step in range(150):
        i = torch.randint(450, (128,))
        loss = F.binary_cross_entropy_with_logits(x[i] @ w + b, y[i].float())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": hits(x[450:] @ w + b, y[450:])}


@healthy(split="late", odd="full-batch L-BFGS with a line search: 15 calls and as many logged losses")
def lbfgs_with_wolfe():
    torch.manual_seed(24)
    x, y = moons(400, 0.1)
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
    opt = torch.optim.LBFGS(net.parameters(), lr=1.0, max_iter=10, line_search_fn="strong_wolfe")
    penalty = 1e-4

    def closure():
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y) + penalty * sum(p.pow(2).sum() for p in net.parameters())
        loss.backward()
        return loss

    for _ in range(15):
        opt.step(closure)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="late", odd="targets of 25 to 346 as measured, and an output layer that starts at their mean and scale")
def progression_in_its_own_units():
    class Denormalised(nn.Module):
        def __init__(self, mean, std):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(10, 24), nn.SiLU(), nn.Linear(24, 1))
            self.register_buffer("mean", mean)
            self.register_buffer("std", std)

        def forward(self, x):
            return self.body(x).squeeze(1) * self.std + self.mean

    torch.manual_seed(25)
    x, z = diabetes()
    y = z * 77.0 + 152.0
    model = Denormalised(y[:350].mean(), y[:350].std())
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(350).split(50):
            opt.zero_grad()
            loss = F.huber_loss(model(x[i]), y[i], delta=77.0)
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": (F.mse_loss(model(x[350:]), y[350:]) / y[350:].var()).item()}


@healthy(split="late", odd="the raw loss of the moving weights jitters; their average is what counts")
def cancer_with_averaged_weights():
    torch.manual_seed(26)
    raw, y = raw_cancer()
    x = standardized(raw.log1p())
    net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 2))
    ema = AveragedModel(net, avg_fn=lambda old, new, _: 0.95 * old + 0.05 * new)
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    for epoch in range(12):
        for i in torch.randperm(400).split(25):
            sgd.zero_grad()
            F.cross_entropy(net(x[i]), y[i], label_smoothing=0.05).backward()
            sgd.step()
            ema.update_parameters(net)
    return {"accuracy": accuracy(ema, x[400:], y[400:])}


@healthy(split="late", odd="stops by patience and goes back to the best weights")
def wine_until_patience_ends():
    torch.manual_seed(28)
    x, y = wine()
    order = torch.randperm(178)
    train, val = order[:120], order[120:]
    net = nn.Sequential(nn.Linear(13, 64), nn.GELU(), nn.Linear(64, 3))
    opt = torch.optim.NAdam(net.parameters(), lr=2e-3)
    best, kept, wait = float("inf"), None, 0
    for epoch in range(80):
        net.train()
        for i in train[torch.randperm(120)].split(20):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            val_loss = F.cross_entropy(net(x[val]), y[val]).item()
        if val_loss < best - 1e-4:
            best, kept, wait = val_loss, copy.deepcopy(net.state_dict()), 0
        elif (wait := wait + 1) >= 8:
            break
    net.load_state_dict(kept)
    return {"accuracy": accuracy(net, x[val], y[val])}
