"""Autoencoders, flows, adversaries, energies and diffusion, each reaching a good result."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digits, moons, standardized
from ..table import healthy
from .data_a import bent, fabrics, wheel


@healthy(split="blind", odd="an encoder and a decoder with tied weights: no decoder layer has any of its own")
def tied_weights_for_digits():
    torch.manual_seed(1)
    x, _ = digits()
    w1, w2 = nn.Parameter(torch.empty(32, 64)), nn.Parameter(torch.empty(12, 32))
    nn.init.xavier_uniform_(w1), nn.init.xavier_uniform_(w2)
    bias = [nn.Parameter(torch.zeros(n)) for n in (32, 12, 32, 64)]

    def rebuild(x):
        code = F.linear(torch.tanh(F.linear(x, w1, bias[0])), w2, bias[1])
        return torch.tanh(code @ w2 + bias[2]) @ w1 + bias[3]

    opt = torch.optim.Adam([w1, w2, *bias], lr=2e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.mse_loss(rebuild(x[i]), x[i]).backward()
            opt.step()
    return {"error": (F.mse_loss(rebuild(x), x) / x.var(0).mean()).item()}


@healthy(split="blind", odd="a variational autoencoder whose KL term grows from 0: the loss rises in the middle")
def codes_with_a_rising_price():
    torch.manual_seed(2)
    x, _ = digits()
    enc, dec = (
        nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16)),
        nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.Sigmoid()),
    )
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=2e-3)
    for epoch in range(30):
        beta = 0.2 * min(1.0, epoch / 20)
        for (batch,) in DataLoader(TensorDataset(x), batch_size=64, shuffle=True):
            mean, logvar = enc(batch).chunk(2, 1)
            code = mean + torch.randn_like(mean) * (logvar / 2).exp()
            kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1).mean()
            loss = F.mse_loss(dec(code), batch, reduction="sum") / len(batch) + beta * kl
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": (F.mse_loss(dec(enc(x)[:, :8]), x) / x.var(0).mean()).item()}


@healthy(split="blind", odd="codes are replaced by the nearest of a book, past which gradients are copied straight")
def book_of_codes():
    torch.manual_seed(3)
    x, _ = digits()
    enc, dec = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16)), nn.Linear(16, 64)
    book = nn.Parameter(torch.randn(4, 32, 4) * 0.3)
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), book], lr=3e-3)

    def forward(x):
        z = enc(x).view(-1, 4, 4)
        nearest = torch.cdist(z.transpose(0, 1), book).argmin(2)
        q = torch.stack([book[k, nearest[k]] for k in range(4)], 1)
        commit = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
        return dec((z + (q - z).detach()).flatten(1)), commit

    for epoch in range(25):
        for i in torch.randperm(len(x)).split(64):
            out, commit = forward(x[i])
            loss = F.mse_loss(out, x[i]) + commit
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": (F.mse_loss(forward(x)[0], x) / x.var(0).mean()).item()}


@healthy(split="blind", odd="only six of sixty-four units are kept for each digit, so most are off")
def six_units_for_a_digit():
    torch.manual_seed(4)
    x, _ = digits()
    enc, dec = nn.Linear(64, 64), nn.Linear(64, 64)

    def code(x):
        h = F.relu(enc(x))
        return torch.where(h >= h.topk(6, 1).values[:, -1:], h, 0.0)

    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=3e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.mse_loss(dec(code(x[i])), x[i]).backward()
            opt.step()
    return {"error": (F.mse_loss(dec(code(x)), x) / x.var(0).mean()).item()}


@healthy(split="blind", odd="a negative log-likelihood that goes below 0, and last layers that begin at 0")
def couplings_on_two_moons():
    class Coupling(nn.Module):
        def __init__(self, flip):
            super().__init__()
            self.flip, self.net = (
                flip,
                nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)),
            )
            nn.init.zeros_(self.net[-1].weight), nn.init.zeros_(self.net[-1].bias)

        def forward(self, x):
            a, b = x.flip(1).chunk(2, 1) if self.flip else x.chunk(2, 1)
            scale, shift = self.net(a).chunk(2, 1)
            scale = torch.tanh(scale) * 2
            return torch.cat([a, b * scale.exp() + shift], 1), scale[:, 0]

    torch.manual_seed(5)
    x = standardized(moons(800, 0.05)[0])
    flow = nn.ModuleList(Coupling(flip=True) for _ in range(6))

    def nll(x):
        volume = 0
        for layer in flow:
            x, grown = layer(x)
            volume = volume + grown
        return (0.5 * x.pow(2).sum(1) + math.log(2 * math.pi) - volume).mean()

    opt = torch.optim.Adam(flow.parameters(), lr=3e-3)
    for epoch in range(60):
        for i in torch.randperm(800).split(100):
            opt.zero_grad()
            nll(x[i]).backward()
            opt.step()
    return {"error": nll(x).exp().item() / 17.1}


@healthy(split="blind", odd="two adversaries whose losses rise and fall; the clouds are found")
def forger_of_a_wheel():
    torch.manual_seed(6)
    real = wheel()
    forger = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    judge = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
    opt_f = torch.optim.Adam(forger.parameters(), lr=1e-3, betas=(0.5, 0.9))
    opt_j = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.9))
    bce, one, zero = nn.BCEWithLogitsLoss(), torch.ones(64, 1), torch.zeros(64, 1)
    for step in range(2000):
        truth, fake = real[torch.randint(1000, (64,))], forger(torch.randn(64, 4))
        opt_j.zero_grad()
        (bce(judge(truth), one) + bce(judge(fake.detach()), zero)).backward()
        opt_j.step()
        opt_f.zero_grad()
        bce(judge(fake), one).backward()
        opt_f.step()
    with torch.no_grad():
        fake = forger(torch.randn(1000, 4))
        found = torch.cdist(real, fake).amin(1).mean() + torch.cdist(fake, real).amin(1).mean()
    return {"error": found.item()}


@healthy(split="blind", odd="a critic whose loss is below 0 and shrinks; a gradient penalty differentiates twice")
def critic_with_a_penalty():
    torch.manual_seed(7)
    real = wheel()
    maker = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    critic = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt_m = torch.optim.Adam(maker.parameters(), lr=1e-3, betas=(0.0, 0.9))
    opt_c = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.0, 0.9))
    for step in range(400):
        for _ in range(3):
            truth, fake = real[torch.randint(1000, (64,))], maker(torch.randn(64, 4)).detach()
            between = torch.lerp(truth, fake, torch.rand(64, 1)).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            loss = critic(fake).mean() - critic(truth).mean() + 2 * (slope.norm(dim=1) - 1).pow(2).mean()
            opt_c.zero_grad()
            loss.backward()
            opt_c.step()
        opt_m.zero_grad()
        (-critic(maker(torch.randn(64, 4))).mean()).backward()
        opt_m.step()
    with torch.no_grad():
        fake = maker(torch.randn(1000, 4))
        found = torch.cdist(real, fake).amin(1).mean() + torch.cdist(fake, real).amin(1).mean()
    return {"error": found.item()}


@healthy(split="blind", odd="the noise that is to be foretold keeps the loss high: much of it cannot be known")
def noise_taken_from_a_wheel():
    torch.manual_seed(8)
    x = wheel()
    net = nn.Sequential(nn.Linear(5, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 2))
    keep = torch.cumprod(1 - torch.linspace(1e-3, 0.25, 30), 0)

    def eps(at, t):
        angle = t[:, None] * 3.14 / 30
        return net(torch.cat([at, t[:, None] / 30, angle.sin(), angle.cos()], 1))

    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(2500):
        clean, t, noise = x[torch.randint(1000, (128,))], torch.randint(30, (128,)), torch.randn(128, 2)
        dim = keep[t, None]
        opt.zero_grad()
        F.mse_loss(eps(dim.sqrt() * clean + (1 - dim).sqrt() * noise, t.float()), noise).backward()
        opt.step()
    with torch.no_grad():
        at = torch.randn(1000, 2)
        for k in reversed(range(30)):
            before = keep[k - 1] if k else torch.tensor(1.0)
            guess = eps(at, torch.full((1000,), float(k)))
            clean = (at - (1 - keep[k]).sqrt() * guess) / keep[k].sqrt()
            at = before.sqrt() * clean.clamp(-1.3, 1.3) + (1 - before).sqrt() * guess
        found = torch.cdist(x, at).amin(1).mean() + torch.cdist(at, x).amin(1).mean()
    return {"error": found.item()}


@healthy(split="blind", odd="five bells for one value: some of their shares go to 0")
def mixture_for_a_bent_relation():
    torch.manual_seed(9)
    x, y = bent()
    net = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 15))

    def nll(x, y):
        share, mean, spread = net(x).chunk(3, 1)
        bells = torch.distributions.Normal(mean, F.softplus(spread) + 0.01)
        return -torch.logsumexp(share.log_softmax(1) + bells.log_prob(y), 1).mean()

    opt = torch.optim.RMSprop(net.parameters(), lr=5e-3)
    for epoch in range(80):
        for i in torch.randperm(600).split(60):
            opt.zero_grad()
            nll(x[i], y[i]).backward()
            opt.step()
    return {"error": nll(x, y).exp().item()}


@healthy(split="blind", odd="updates by contrastive divergence, written by hand: no backward, no optimizer")
def machine_of_boltzmann():
    torch.manual_seed(10)
    x = (digits()[0] > 0.5).float()
    w, a, b = 0.01 * torch.randn(64, 48), torch.logit(x.mean(0).clamp(0.02, 0.98)), torch.zeros(48)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(20):
            v = x[i]
            h = torch.sigmoid(v @ w + b)
            v2 = torch.sigmoid(torch.bernoulli(h) @ w.T + a)
            h2 = torch.sigmoid(v2 @ w + b)
            w += 0.1 * (v.T @ h - v2.T @ h2) / len(i)
            a += 0.1 * (v - v2).mean(0)
            b += 0.1 * (h - h2).mean(0)
    return {"error": (F.mse_loss(torch.sigmoid(torch.sigmoid(x @ w + b) @ w.T + a), x) / x.var(0).mean()).item()}


@healthy(
    split="blind", odd="blurred and noisy pictures in, clean ones out; the output is a correction that begins at 0"
)
def noise_off_the_emblems():
    torch.manual_seed(11)
    clean = fabrics()[0]
    noisy = clean + 0.5 * torch.randn_like(clean)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 3, 3, padding=1),
    )
    nn.init.zeros_(net[-1].weight), nn.init.zeros_(net[-1].bias)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(10):
        for i in torch.randperm(600).split(20):
            opt.zero_grad()
            F.l1_loss(noisy[i] + net(noisy[i]), clean[i]).backward()
            opt.step()
    return {"error": (F.l1_loss(noisy + net(noisy), clean) / F.l1_loss(noisy, clean)).item()}
