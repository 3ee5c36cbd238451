"""Networks that make data, and losses that are not meant to fall, as other people might train them."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digits, moons
from ..table import healthy


@healthy(split="held", odd="the weight of the divergence grows from 0: the loss rises while all is well")
def divergence_grows_from_zero():
    torch.manual_seed(0)
    x, _ = digits()
    enc = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    dec = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=2e-3)
    for epoch in range(30):
        beta = min(1.0, epoch / 15)
        for (xb,) in DataLoader(TensorDataset(x), batch_size=64, shuffle=True):
            mu, log_var = enc(xb).chunk(2, 1)
            z = mu + torch.randn_like(mu) * (log_var / 2).exp()
            kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1).mean()
            loss = F.binary_cross_entropy_with_logits(dec(z), xb, reduction="none").sum(1).mean() + beta * kl
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(torch.sigmoid(dec(enc(x)[:, :8])), x).item(), "variance": x.var(0).mean().item()}


@healthy(split="held", odd="a GAN at its equilibrium: both losses stand still, and should")
def generator_at_equilibrium():
    torch.manual_seed(1)
    gen = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    disc = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    opt_g = torch.optim.Adam(gen.parameters(), lr=1e-3, betas=(0.5, 0.9))
    opt_d = torch.optim.Adam(disc.parameters(), lr=1e-3, betas=(0.5, 0.9))
    bce, centre = nn.BCEWithLogitsLoss(), torch.tensor([1.0, -1.0])
    for step in range(1500):
        real = centre + 0.5 * torch.randn(64, 2)
        fake = gen(torch.randn(64, 4))
        loss_d = bce(disc(real), torch.ones(64, 1)) + bce(disc(fake.detach()), torch.zeros(64, 1))
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        loss_g = bce(disc(fake), torch.ones(64, 1))
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
    with torch.no_grad():
        made = gen(torch.randn(2000, 4))
    return {"error": (made.mean(0) - centre).norm().item(), "spread": made.std(0).mean().item()}


@healthy(split="held", odd="a critic with clipped weights, trained by RMSprop; its loss is negative")
def critic_with_clipped_weights():
    torch.manual_seed(2)
    x, _ = moons(1000, 0.05)
    gen = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
    critic = nn.Sequential(nn.Linear(2, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    opt_g = torch.optim.RMSprop(gen.parameters(), lr=2e-4)
    opt_c = torch.optim.RMSprop(critic.parameters(), lr=5e-4)
    for step in range(400):
        for _ in range(5):
            real = x[torch.randint(1000, (64,))]
            loss_c = critic(gen(torch.randn(64, 4)).detach()).mean() - critic(real).mean()
            opt_c.zero_grad()
            loss_c.backward()
            opt_c.step()
            with torch.no_grad():
                for p in critic.parameters():
                    p.clamp_(-0.1, 0.1)
        loss_g = -critic(gen(torch.randn(64, 4))).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
    return {"error": (gen(torch.randn(1000, 4)).mean(0) - x.mean(0)).norm().item()}


@healthy(split="held", odd="noise is foretold at random times (diffusion); the loss is mostly noise and stays near 0.5")
def noise_foretold_at_random_times():
    torch.manual_seed(3)
    x, _ = moons(1000, 0.03)
    net = nn.Sequential(nn.Linear(4, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 2))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    keep = torch.cumprod(1 - torch.linspace(1e-3, 0.2, 50), 0)
    losses = []
    for step in range(2500):
        i, t = torch.randint(1000, (64,)), torch.randint(50, (64,))
        noise, a = torch.randn(64, 2), keep[t, None]
        phase = t[:, None] / 50 * math.pi
        loss = F.mse_loss(
            net(torch.cat([a.sqrt() * x[i] + (1 - a).sqrt() * noise, phase.sin(), phase.cos()], 1)), noise
        )
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"error": sum(losses[-200:]) / 200, "first": losses[0]}


@healthy(split="held", odd="affine couplings maximise a likelihood; their last layers start at 0")
def affine_couplings():
    torch.manual_seed(4)
    x, _ = moons(1000, 0.08)
    x = (x - x.mean(0)) / x.std(0)
    nets = nn.ModuleList(nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2)) for _ in range(6))
    for net in nets:
        nn.init.zeros_(net[2].weight)
        nn.init.zeros_(net[2].bias)
    opt = torch.optim.Adam(nets.parameters(), lr=3e-3)
    for step in range(1200):
        z, log_det = x[torch.randint(1000, (100,))], 0.0
        for net in nets:
            a, b = z.unbind(1)
            s, t = net(a[:, None]).unbind(1)
            s = torch.tanh(s)
            z, log_det = torch.stack([b * s.exp() + t, a], 1), log_det + s
        loss = (0.5 * z.pow(2).sum(1) + math.log(2 * math.pi) - log_det).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item(), "gauss": 2.84}


@healthy(split="held", odd="codes are looked up, the gradient goes straight through")
def codes_with_straight_through():
    torch.manual_seed(5)
    x, _ = digits()
    enc = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    dec = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64))
    book = nn.Embedding(16, 4)
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), *book.parameters()], lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(64):
            z = enc(x[i]).view(-1, 4)
            code = book(torch.cdist(z.detach(), book.weight.detach()).argmin(1))
            out = dec((z + (code - z).detach()).view(-1, 16))
            loss = F.mse_loss(out, x[i]) + F.mse_loss(code, z.detach()) + 0.25 * F.mse_loss(z, code.detach())
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(out, x[i]).item(), "variance": x.var(0).mean().item()}


@healthy(split="held", odd="an autoencoder of sparse codes: a penalty keeps most units at 0")
def sparse_codes():
    torch.manual_seed(6)
    x, _ = digits()
    enc, dec = nn.Linear(64, 128), nn.Linear(128, 64)
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(64):
            h = F.relu(enc(x[i]))
            loss = F.mse_loss(dec(h), x[i]) + 5e-4 * h.sum(1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(dec(F.relu(enc(x))), x).item(), "on": (h > 0).float().mean().item()}


@healthy(split="held", odd="a choice of ten codes by Gumbel's trick, hard, its temperature falls")
def choice_by_gumbel():
    torch.manual_seed(7)
    x, _ = digits()
    enc, dec = nn.Linear(64, 40), nn.Linear(40, 64)
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=5e-3)
    for epoch in range(40):
        for i in torch.randperm(len(x)).split(64):
            code = F.gumbel_softmax(enc(x[i]).view(-1, 4, 10), tau=max(0.5, 2 * 0.95**epoch), hard=True)
            loss = F.mse_loss(dec(code.flatten(1)), x[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": loss.item(), "variance": x.var(0).mean().item()}


@healthy(split="held", odd="a score is matched by its divergence: second derivatives, a loss below zero")
def score_matched():
    torch.manual_seed(8)
    x, _ = moons(1000, 0.1)
    net = nn.Sequential(nn.Linear(2, 48), nn.Softplus(), nn.Linear(48, 48), nn.Softplus(), nn.Linear(48, 2))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(1000):
        xb = (x[torch.randint(1000, (64,))] + 0.2 * torch.randn(64, 2)).requires_grad_()
        score = net(xb)
        trace = sum(torch.autograd.grad(score[:, k].sum(), xb, create_graph=True)[0][:, k] for k in range(2))
        loss = (trace + 0.5 * score.pow(2).sum(1)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item()}


@healthy(split="held", odd="next pixel from the ones before (masked weights), most weights held at 0")
def pixels_from_those_before():
    class Masked(nn.Linear):
        def __init__(self, a, b, mask):
            super().__init__(a, b)
            self.register_buffer("mask", mask.float())

        def forward(self, x):
            return F.linear(x, self.weight * self.mask, self.bias)

    torch.manual_seed(9)
    x, _ = digits()
    x = (x > 0.5).float()
    order, degree = torch.arange(64), torch.randint(1, 64, (128,))
    net = nn.Sequential(
        Masked(64, 128, degree[:, None] > order[None, :]),
        nn.ReLU(),
        Masked(128, 64, order[:, None] >= degree[None, :]),
    )
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(64):
            loss = F.binary_cross_entropy_with_logits(net(x[i]), x[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": loss.item()}
