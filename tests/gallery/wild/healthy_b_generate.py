"""Generative, contrastive and energy-based models that learn."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Categorical, MixtureSameFamily, Normal, kl_divergence
from torch.utils.data import DataLoader

from ..data import digits, iris
from ..score import accuracy, matches
from ..table import healthy
from .data_b import ring


@healthy(split="wild", odd="the likelihood is summed over pixels and the divergence counts for nothing at first")
def digit_vae_warming_up():
    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode = nn.Sequential(nn.Linear(64, 96), nn.SiLU(), nn.Linear(96, 20))
            self.decode = nn.Sequential(nn.Linear(10, 96), nn.SiLU(), nn.Linear(96, 64))

        def forward(self, x):
            mean, log_var = self.encode(x).chunk(2, 1)
            q = Normal(mean, (0.5 * log_var).exp())
            return self.decode(q.rsample()), q

    torch.manual_seed(121)
    x, _ = digits()
    vae = VAE()
    opt = torch.optim.Adam(vae.parameters(), lr=5e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(64):
            out, q = vae(x[i])
            fit = F.binary_cross_entropy_with_logits(out, x[i], reduction="sum") / len(i)
            loss = fit + min(1.0, epoch / 8) * kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        mean = vae.encode(x)[:, :10]
        return {"error": F.mse_loss(vae.decode(mean).sigmoid(), x).item(), "loss": loss.item()}


@healthy(split="wild", odd="two losses that pull against each other, neither of which falls")
def flower_gan_in_balance():
    torch.manual_seed(122)
    x, _ = iris()
    maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    judge = nn.Sequential(nn.Linear(4, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
    opt_m = torch.optim.Adam(maker.parameters(), lr=1e-3, betas=(0.5, 0.99))
    opt_j = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for _ in range(600):
        real = x[torch.randint(len(x), (64,))]
        fake = maker(torch.randn(64, 4))
        said, heard = judge(real), judge(fake.detach())
        loss = F.softplus(-said).mean() + F.softplus(heard).mean() + 0.01 * (said**2).mean()
        opt_j.zero_grad()
        loss.backward()
        opt_j.step()
        opt_m.zero_grad()
        F.softplus(-judge(fake)).mean().backward()
        opt_m.step()
    with torch.no_grad():
        made = maker(torch.randn(600, 4))
        near = torch.cdist(x, made).min(1).values.mean().item()
        return {"error": near, "fake": torch.cdist(made, x).min(1).values.mean().item()}


@healthy(split="wild", odd="the loss soon stands at 0.3: some noise cannot be known; a second net is a slow copy")
def ring_diffusion_with_a_slow_copy():
    class Denoiser(nn.Module):
        def __init__(self, width=96):
            super().__init__()
            self.inp, self.when = nn.Linear(2, width), nn.Embedding(50, width)
            self.mid = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
            self.out = nn.Linear(width, 2)
            nn.init.zeros_(self.out.weight)

        def forward(self, x, t):
            h = F.silu(self.inp(x) + self.when(t))
            for layer in self.mid:
                h = h + F.silu(layer(h))
            return self.out(h)

    torch.manual_seed(123)
    points = ring()[0] / 1.42
    beta = torch.linspace(1e-3, 0.2, 50)
    kept = (1 - beta).cumprod(0)
    net = Denoiser()
    slow = copy.deepcopy(net).requires_grad_(False)
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
    for _ in range(700):
        x = points[torch.randint(len(points), (128,))]
        t, noise = torch.randint(50, (128,)), torch.randn(128, 2)
        loss = F.mse_loss(net(kept[t, None].sqrt() * x + (1 - kept[t, None]).sqrt() * noise, t), noise)
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            for a, b in zip(slow.parameters(), net.parameters(), strict=True):
                a.lerp_(b, 0.02)
    with torch.no_grad():
        x = torch.randn(500, 2)
        for t in range(49, -1, -1):
            guess = slow(x, torch.full((500,), t))
            x = (x - beta[t] / (1 - kept[t]).sqrt() * guess) / (1 - beta[t]).sqrt()
            x = x + (beta[t].sqrt() * torch.randn(500, 2) if t else 0)
        return {"error": torch.cdist(points, x).min(1).values.mean().item(), "loss": loss.item()}


@healthy(split="wild", odd="every coupling starts as the identity, its last layer at zero")
def coupling_flow_from_the_identity():
    class Coupling(nn.Module):
        def __init__(self, mask):
            super().__init__()
            self.register_buffer("mask", torch.tensor(mask))
            self.net = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 8))
            nn.init.zeros_(self.net[-1].weight)
            nn.init.zeros_(self.net[-1].bias)

        def forward(self, x):
            scale, shift = (self.net(x * self.mask) * (1 - self.mask).repeat(2)).chunk(2, 1)
            scale = 1.5 * torch.tanh(scale)
            return x * scale.exp() + shift, scale.sum(1)

    torch.manual_seed(124)
    x = torch.randn(1500, 4)
    x = torch.stack([x[:, 0], x[:, 0].square() * 0.5 + 0.1 * x[:, 1], 0.2 * x[:, 2], x[:, 3] * 0.2 + x[:, 0]], 1)
    masks = [[1.0, 0, 1, 0], [0.0, 1, 0, 1]] * 3
    flow = nn.ModuleList(Coupling(m) for m in masks)

    def cost(x):
        det = 0
        for layer in flow:
            x, d = layer(x)
            det = det + d
        return (0.5 * x.square().sum(1) + 2 * math.log(2 * math.pi) - det).mean()

    opt = torch.optim.Adam(flow.parameters(), lr=3e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 240)
    for _ in range(20):
        for i in torch.randperm(1200).split(100):
            loss = cost(x[i])
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            opt.step()
            sched.step()
    with torch.no_grad():
        return {"error": cost(x[1200:]).item() + 4, "loss": loss.item()}


@healthy(split="wild", odd="the loss of an energy is a difference: it goes below zero, and stays there")
def energy_with_a_bound():
    torch.manual_seed(125)
    x, _ = ring()
    energy = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(energy.parameters(), lr=5e-3)
    for _ in range(400):
        low, high = energy(x[torch.randint(len(x), (128,))]), energy(torch.rand(128, 2) * 6 - 3)
        loss = (low - high).mean() + 0.3 * (low**2 + high**2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        other = torch.rand(1200, 2) * 6 - 3
        other = other[torch.cdist(other, x).min(1).values > 0.3]
        return {"accuracy": (energy(x) < energy(other).T).float().mean().item(), "loss": loss.item()}


@healthy(split="wild", odd="half of the inputs are zero, drawn anew each time: the net is to fill the holes")
def digits_with_holes_to_fill():
    torch.manual_seed(126)
    x, _ = digits()
    net = nn.Sequential(nn.Linear(128, 160), nn.GELU(), nn.Linear(160, 160), nn.GELU(), nn.Linear(160, 64))
    opt = torch.optim.NAdam(net.parameters(), lr=2e-3)

    def loss_on(batch):
        seen = (torch.rand_like(batch) < 0.5).float()
        guess = net(torch.cat([batch * seen, seen], 1))
        return ((guess - batch).square() * (1 - seen)).sum() / (1 - seen).sum()

    for _ in range(20):
        for batch in DataLoader(x[:1500], batch_size=64, shuffle=True):
            opt.zero_grad()
            loss_on(batch).backward()
            opt.step()
    with torch.no_grad():
        return {"error": loss_on(x[1500:]).item(), "variance": x.var(0).mean().item()}


@healthy(split="wild", odd="no negatives, but one side is behind a stop-gradient and a predictor: nothing collapses")
def views_with_a_stopped_side():
    torch.manual_seed(127)
    x, _ = digits()
    body = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32), nn.BatchNorm1d(32))
    predictor = nn.Sequential(nn.Linear(32, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 32))
    opt = torch.optim.SGD([*body.parameters(), *predictor.parameters()], lr=0.1, momentum=0.9, weight_decay=1e-4)

    def view(batch):
        return batch * (torch.rand_like(batch) > 0.2) + 0.1 * torch.randn_like(batch)

    for _ in range(15):
        for i in torch.randperm(1500).split(100):
            a, b = body(view(x[i])), body(view(x[i]))
            loss = -F.cosine_similarity(predictor(a), b.detach()).mean() / 2
            loss = loss - F.cosine_similarity(predictor(b), a.detach()).mean() / 2
            opt.zero_grad()
            loss.backward()
            opt.step()
    body.eval()
    with torch.no_grad():
        a, b = (F.normalize(body(view(x[1500:])), dim=1) for _ in range(2))
        pairs = zip(a.split(11), b.split(11), strict=True)
        right = [matches(p @ q.T, torch.arange(11)) for p, q in pairs]
        return {"accuracy": sum(right) / len(right), "loss": loss.item()}


@healthy(split="wild", odd="a mixture density: its loss is a log-likelihood, which goes below zero")
def inverse_with_mixture_density():
    class Mixture(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.out = (
                nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh()),
                nn.Linear(48, 15),
            )

        def forward(self, x):
            share, mean, spread = self.out(self.body(x)).chunk(3, 1)
            return MixtureSameFamily(Categorical(logits=share), Normal(mean, F.softplus(spread) + 0.01))

    torch.manual_seed(128)
    t = torch.rand(1200) * 2 - 1
    x = (t + 0.6 * torch.sin(2 * math.pi * t) + 0.05 * torch.randn(1200))[:, None]
    net = Mixture()
    opt = torch.optim.RAdam(net.parameters(), lr=3e-2)
    for _ in range(45):
        for i in torch.randperm(1000).split(100):
            opt.zero_grad()
            loss = -net(x[i]).log_prob(t[i]).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            opt.step()
    with torch.no_grad():
        return {"error": 2 - net(x[1000:]).log_prob(t[1000:]).mean().item(), "loss": loss.item()}


@healthy(split="wild", odd="the temperature is learned as well, and the scores are of a batch against itself")
def halves_of_digits_matched():
    torch.manual_seed(129)
    x, _ = digits()
    top, bottom = (nn.Sequential(nn.Linear(32, 96), nn.GELU(), nn.Linear(96, 24)) for _ in range(2))
    heat = nn.Parameter(torch.tensor(math.log(10.0)))
    opt = torch.optim.AdamW([*top.parameters(), *bottom.parameters(), heat], lr=4e-3, weight_decay=0.02)

    def scores(batch):
        a, b = F.normalize(top(batch[:, :32]), dim=1), F.normalize(bottom(batch[:, 32:]), dim=1)
        return heat.exp() * a @ b.T

    for _ in range(15):
        for i in torch.randperm(1500).split(125):
            s, truth = scores(x[i]), torch.arange(len(i))
            loss = (F.cross_entropy(s, truth) + F.cross_entropy(s.T, truth)) / 2
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        held = x[1500:].split(10)
        return {"accuracy": sum(matches(scores(b), torch.arange(len(b))) for b in held) / len(held)}


@healthy(split="wild", odd="class centres are moved by hand, not by the optimizer, which never hears of them")
def quantised_codes_by_moving_average():
    torch.manual_seed(130)
    x, y = digits()
    body, head = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 16)), nn.Linear(16, 10)
    model = nn.Sequential(body, head)
    centre = torch.zeros(10, 16)
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for _ in range(12):
        for i in torch.randperm(1500).split(50):
            z = body(x[i])
            with torch.no_grad():
                kind = F.one_hot(y[i], 10).float()
                mean = kind.T @ z / kind.sum(0).clamp_min(1)[:, None]
                centre.lerp_(mean, 0.1)
            loss = F.cross_entropy(head(z), y[i]) + 0.01 * (z - centre[y[i]]).square().sum(1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x[1500:], y[1500:])}
