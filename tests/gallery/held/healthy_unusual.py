"""Equations, sets, energies and other uses that are rare and fine, as other people might write them."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import cancer, digits, moons, regression, wine
from ..score import accuracy, hits, matches
from ..table import healthy
from .data import houses


@healthy(split="held", odd="a differential equation is solved: the loss is of second derivatives, there are no data")
def equation_without_data():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(1200):
        t = (3.0 * torch.rand(64, 1)).requires_grad_()
        u = net(t)
        du = torch.autograd.grad(u.sum(), t, create_graph=True)[0]
        ddu = torch.autograd.grad(du.sum(), t, create_graph=True)[0]
        start = torch.zeros(1, 1, requires_grad=True)
        u0 = net(start)
        du0 = torch.autograd.grad(u0.sum(), start, create_graph=True)[0]
        loss = (ddu + u).pow(2).mean() + 5 * (u0 - 1).pow(2).sum() + 5 * du0.pow(2).sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    t = torch.linspace(0, 3, 100)[:, None]
    return {"error": F.mse_loss(net(t), torch.cos(t)).item()}


@healthy(split="held", odd="forty small Euler steps of one layer, its weights used forty times")
def forty_euler_steps():
    class Flow(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.field, self.out = nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 2)

        def forward(self, x):
            h = self.lift(x)
            for _ in range(40):
                h = h + 0.05 * torch.tanh(self.field(h))
            return self.out(h)

    torch.manual_seed(1)
    x, y = moons(800, 0.1)
    net = Flow()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="sets of numbers, of any order: the largest of each channel counts")
def largest_of_a_set():
    torch.manual_seed(2)
    each, all_ = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48)), nn.Linear(48, 1)
    opt = torch.optim.Adam([*each.parameters(), *all_.parameters()], lr=2e-3)
    losses = []
    for step in range(1500):
        points = torch.rand(32, 12, 2)
        width = points.amax((1, 2)) - points.amin((1, 2))
        loss = F.mse_loss(all_(each(points).amax(1)).squeeze(1), width)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"error": sum(losses[-50:]) / 50, "first": losses[0]}


@healthy(split="held", odd="a network that writes the weights of another")
def weights_written_by_a_network():
    torch.manual_seed(3)
    writer = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 25))
    with torch.no_grad():
        writer[2].weight.mul_(0.3)
    opt = torch.optim.Adam(writer.parameters(), lr=2e-3)
    for step in range(2000):
        pitch = 1 + 2 * torch.rand(16, 1)
        w = writer(pitch)
        x = 2 * torch.rand(16, 20, 1) - 1
        h = torch.tanh(x * w[:, None, :8] * 3 + w[:, None, 8:16])
        y = (h * w[:, None, 16:24]).sum(2) + w[:, None, 24]
        loss = F.mse_loss(y, torch.sin(pitch * x[..., 0]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item()}


@healthy(split="held", odd="survival with many censored: a partial likelihood over the batch")
def partial_likelihood():
    torch.manual_seed(4)
    x, _ = regression()
    time = torch.distributions.Exponential((0.7 * x[:, 0] - 0.7 * x[:, 3]).exp()).sample()
    seen = torch.rand(400) < 0.6
    net = nn.Sequential(nn.Linear(10, 16), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(1500):
        i = torch.randint(400, (100,))
        i = i[time[i].argsort(descending=True)]
        risk = net(x[i])
        loss = -((risk - torch.logcumsumexp(risk, 0)) * seen[i]).sum() / seen[i].sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
    r = net(x).detach()
    earlier = time[:, None] < time[None, :]
    return {"accuracy": (r[:, None] > r[None, :])[earlier].float().mean().item()}


@healthy(split="held", odd="ordered classes: one score and learned thresholds")
def ordered_classes():
    torch.manual_seed(5)
    x, price = houses()
    x = (x - x.mean(0)) / x.std(0)
    rank = torch.bucketize(price, price.quantile(torch.tensor([0.2, 0.4, 0.6, 0.8])))
    above = (rank[:, None] > torch.arange(4)).float()
    net, cuts = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1)), nn.Parameter(torch.linspace(-1, 1, 4))
    opt = torch.optim.Adam([*net.parameters(), cuts], lr=3e-3)
    for epoch in range(40):
        for i in torch.randperm(2000).split(50):
            loss = F.binary_cross_entropy_with_logits(net(x[i]) - cuts, above[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": ((net(x) > cuts).sum(1) == rank).float().mean().item()}


@healthy(split="held", odd="a hinge: once the margin is kept, the loss and the gradients are exactly 0")
def hinge_that_comes_to_rest():
    torch.manual_seed(6)
    x, y = cancer()
    sign = (2 * y - 1).float()
    net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(150):
        for i in torch.randperm(len(x)).split(32):
            loss = F.relu(1 - sign[i] * net(x[i])).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), y), "loss": loss.item()}


@healthy(split="held", odd="targets in thousands; the last layer's output is scaled by their statistics")
def output_scaled_by_the_targets():
    torch.manual_seed(7)
    x, y = houses()
    x, y = (x - x.mean(0)) / x.std(0), y / 1000
    mean, spread = y.mean(), y.std()
    net = nn.Sequential(nn.Linear(8, 48), nn.SiLU(), nn.Linear(48, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(2000).split(50):
            loss = F.mse_loss(net(x[i]) * spread + mean, y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": loss.item(), "variance": y.var().item()}


@healthy(split="held", odd="float64 throughout and a rate of 3e-4")
def in_double_precision():
    torch.manual_seed(8)
    x, y = wine()
    x = x.double()
    net = nn.Sequential(nn.Linear(13, 64), nn.Softplus(), nn.Linear(64, 3)).double()
    opt = torch.optim.RAdam(net.parameters(), lr=3e-4)
    for epoch in range(200):
        for i in torch.randperm(178).split(16):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="random features, fixed for ever; only the linear layer upon them learns")
def random_features_fixed():
    torch.manual_seed(9)
    x, y = moons(1000, 0.12)
    w, b = 2 * torch.randn(2, 200), 6.28 * torch.rand(200)
    out = nn.Linear(200, 2)
    opt = torch.optim.SGD(out.parameters(), lr=0.5)
    for epoch in range(80):
        for i in torch.randperm(1000).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(out(torch.cos(x[i] @ w + b) * 0.1), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(out(torch.cos(x @ w + b) * 0.1), y)}


@healthy(
    split="held",
    odd="early stopping restores the best weights; the second half only overfits",
)
def stopped_early():
    torch.manual_seed(10)
    x, y = digits()
    order = torch.randperm(len(x))
    train, valid = order[:300], order[300:800]
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    best, kept, patience = math.inf, None, 0
    for epoch in range(200):
        net.train()
        for i in train[torch.randperm(300)].split(20):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            now = F.cross_entropy(net(x[valid]), y[valid]).item()
        patience = 0 if now < best else patience + 1
        if now < best:
            best, kept = now, {k: v.clone() for k, v in net.state_dict().items()}
        if patience > 30:
            break
    net.load_state_dict(kept)
    return {"accuracy": accuracy(net, x[order[800:]], y[order[800:]])}


@healthy(split="held", odd="worse inputs are made against the network first (adversarial training)")
def inputs_made_worse():
    torch.manual_seed(11)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            probe = x[i].clone().requires_grad_()
            (slope,) = torch.autograd.grad(F.cross_entropy(net(probe), y[i]), probe)
            loss = F.cross_entropy(net(x[i] + 0.05 * slope.sign()), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="a few labels, many without: guesses above 0.95 count as labels after a while")
def guesses_as_labels():
    torch.manual_seed(12)
    x, y = digits()
    known = torch.randperm(len(x))[:200]
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    for step in range(1800):
        i, j = known[torch.randint(200, (32,))], torch.randint(len(x), (64,))
        sure, guess = net(x[j]).softmax(1).detach().max(1)
        noisy = F.cross_entropy(net(x[j] + 0.1 * torch.randn(64, 64)), guess, reduction="none")
        loss = F.cross_entropy(net(x[i]), y[i]) + (noisy * (sure > 0.95)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}
