"""Tables learned in ways that look odd and are not, as other people might."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

from ..data import digits, iris, raw_wine, regression, wine
from ..score import accuracy, hits
from ..table import healthy
from .data import blobs, houses, tags


def prices():
    x, y = houses()
    return (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()


@healthy(split="held", odd="labels smoothed by 0.3: the loss cannot go below 0.9")
def labels_smoothed_by_three_tenths():
    torch.manual_seed(0)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.3)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(120):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
            opt.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@healthy(split="held", odd="each gradient is clipped to a norm of 0.05; Adam does not care")
def always_clipped_under_adam():
    torch.manual_seed(1)
    x, y = prices()
    net = nn.Sequential(nn.Linear(8, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(2000).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.05)
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@healthy(split="held", odd="dropout of 0.7 in wide layers, 0.3 on the pixels")
def dropout_of_seven_tenths():
    torch.manual_seed(2)
    x, y = digits()
    net = nn.Sequential(
        nn.Dropout(0.3),
        nn.Linear(64, 300),
        nn.ReLU(),
        nn.Dropout(0.7),
        nn.Linear(300, 300),
        nn.ReLU(),
        nn.Dropout(0.7),
        nn.Linear(300, 10),
    )
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(25):
        net.train()
        for i in torch.randperm(1400).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@healthy(split="held", odd="one example at a time, plain gradient descent")
def one_example_at_a_time():
    torch.manual_seed(3)
    x, y = iris()
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    for epoch in range(30):
        for i in torch.randperm(150).tolist():
            loss = F.cross_entropy(net(x[i : i + 1]), y[i : i + 1])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="three in a hundred are positive; a weight of 30 finds them")
def rare_class_weighted():
    torch.manual_seed(5)
    x, y = blobs()
    net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1), nn.Flatten(0))
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(30.0))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(40):
        for xb, yb in DataLoader(TensorDataset(x, y.float()), batch_size=40, shuffle=True):
            opt.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": (hits(net(x[y == 1]), y[y == 1]) + hits(net(x[y == 0]), y[y == 0])) / 2}


@healthy(split="held", odd="three in a hundred are positive, unweighted; they are ranked well all the same")
def rare_class_ranked():
    torch.manual_seed(6)
    x, y = blobs()
    net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1), nn.Flatten(0))
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i]), y[i].float())
            loss.backward()
            opt.step()
    s = net(x).detach()
    return {"accuracy": (s[y == 1][:, None] > s[y == 0][None, :]).float().mean().item()}


@healthy(split="held", odd="rare class drawn as often as the other by a sampler, with replacement")
def rare_class_drawn_often():
    torch.manual_seed(7)
    x, y = blobs()
    weights = torch.where(y == 1, 1 / (y == 1).sum(), 1 / (y == 0).sum())
    loader = DataLoader(TensorDataset(x, y), batch_size=32, sampler=WeightedRandomSampler(weights, 1200))
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for epoch in range(40):
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": (accuracy(net, x[y == 1], y[y == 1]) + accuracy(net, x[y == 0], y[y == 0])) / 2}


@healthy(split="held", odd="trained far beyond the point where the loss has reached 0 and stands still")
def stands_still_at_zero():
    torch.manual_seed(8)
    x, y = iris()
    keep = y < 2
    x, y = x[keep], y[keep]
    net = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(3000):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@healthy(split="held", odd="ten steps, a smoke test of somebody's pipeline; the loss has only begun to fall")
def ten_steps():
    torch.manual_seed(9)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = []
    for step in range(10):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"error": losses[-1], "first": losses[0]}


@healthy(split="held", odd="several labels a row, most of them off, a weight for each")
def labels_with_weights():
    torch.manual_seed(10)
    x, y = tags()
    net = nn.Sequential(nn.Linear(20, 96), nn.ReLU(), nn.Dropout(0.2), nn.Linear(96, 12))
    criterion = nn.BCEWithLogitsLoss(pos_weight=((1 - y).sum(0) / y.sum(0)))
    opt = torch.optim.NAdam(net.parameters(), lr=2e-3)
    for epoch in range(50):
        net.train()
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = criterion(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net.eval()(x), y)}


@healthy(split="held", odd="log_softmax before CrossEntropyLoss: a second one changes nothing")
def log_softmax_twice():
    torch.manual_seed(11)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 24), nn.Tanh(), nn.Linear(24, 3), nn.LogSoftmax(dim=1))
    criterion = nn.CrossEntropyLoss()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(120):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
            opt.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="a Gaussian likelihood with its own variance: the loss goes below zero")
def likelihood_below_zero():
    torch.manual_seed(12)
    x, y = prices()
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
    criterion = nn.GaussianNLLLoss()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(60):
        for i in torch.randperm(2000).split(50):
            mean, spread = net(x[i]).unbind(1)
            loss = criterion(mean, y[i], F.softplus(spread) + 1e-3)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x)[:, 0], y).item(), "loss": loss.item()}


@healthy(split="held", odd="counts: the exponential of the output is the rate of a Poisson law")
def counts_by_a_poisson_law():
    torch.manual_seed(13)
    x, _ = regression()
    rate = (0.8 * x[:, 0] - 0.6 * x[:, 1] + 1.0).exp().clamp(max=60)
    y = torch.poisson(rate)
    net = nn.Sequential(nn.Linear(10, 24), nn.Tanh(), nn.Linear(24, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(200):
        for i in torch.randperm(400).split(25):
            opt.zero_grad()
            loss = F.poisson_nll_loss(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.poisson_nll_loss(net(x), y).item(), "guess": (y.mean() - y.mean() * y.mean().log()).item()}


@healthy(split="held", odd="easy examples first: a curriculum sorted by a small network's loss")
def easy_examples_first():
    torch.manual_seed(15)
    x, y = digits()
    scout = nn.Linear(64, 10)
    opt = torch.optim.Adam(scout.parameters(), lr=0.01)
    for _ in range(60):
        opt.zero_grad()
        F.cross_entropy(scout(x), y).backward()
        opt.step()
    order = F.cross_entropy(scout(x), y, reduction="none").argsort()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(30):
        known = order[: int(len(x) * min(1.0, 0.3 + epoch / 20))]
        for i in known[torch.randperm(len(known))].split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="raw features of very different scale, normalised by the first layer of the network")
def raw_features_normalized_inside():
    torch.manual_seed(16)
    x, y = raw_wine()
    net = nn.Sequential(nn.BatchNorm1d(13), nn.Linear(13, 24), nn.ReLU(), nn.Linear(24, 3))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(100):
        net.train()
        for i in torch.randperm(178).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
