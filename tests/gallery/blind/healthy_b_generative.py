"""Autoencoders, diffusions, flows and other models that make things, which learn."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..table import healthy
from .data_b import patches, pixels


@healthy(
    split="blind", odd="the divergence is switched on slowly, so the loss rises for a while; some latents stay unused"
)
def a_bound_that_is_tightened():
    torch.manual_seed(241)
    x, _ = pixels()
    enc = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 32))
    dec = nn.Sequential(nn.Linear(16, 96), nn.ReLU(), nn.Linear(96, 64), nn.Sigmoid())
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=2e-3)
    epochs = 25
    for epoch in range(epochs):
        beta = min(1.0, epoch / 15)
        for i in torch.randperm(len(x)).split(64):
            mean, logvar = enc(x[i]).chunk(2, 1)
            z = mean + torch.randn_like(mean) * (logvar / 2).exp()
            kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1).mean()
            loss = 20 * (dec(z) - x[i]).square().sum(1).mean() + beta * kl
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        seen = dec(enc(x).chunk(2, 1)[0])
        return {"error": F.mse_loss(seen, x).item(), "trivial": x.var(0).mean().item()}


@healthy(
    split="blind",
    odd="a diffusion: the loss has a floor well above 0 and jumps with the noise; weights are averaged",
)
def noise_to_a_ring():
    torch.manual_seed(242)
    angle = torch.rand(2000) * 2 * math.pi
    x = torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(2000, 2)
    alpha = (1 - torch.linspace(1e-3, 0.2, 40)).cumprod(0)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.time = nn.Embedding(40, 16)
            self.mlp = nn.Sequential(nn.Linear(18, 96), nn.SiLU(), nn.Linear(96, 96), nn.SiLU(), nn.Linear(96, 2))
            nn.init.zeros_(self.mlp[-1].weight)

        def forward(self, u, t):
            return self.mlp(torch.cat([u, self.time(t)], 1))

    def loss_of(model, batch):
        t, noise = torch.randint(40, (len(batch),)), torch.randn_like(batch)
        a = alpha[t, None]
        return F.mse_loss(model(a.sqrt() * batch + (1 - a).sqrt() * noise, t), noise)

    net = Net()
    average = copy.deepcopy(net).requires_grad_(False)
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for i in torch.randperm(2000).split(100):
            opt.zero_grad()
            loss_of(net, x[i]).backward()
            opt.step()
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), net.parameters()):
                    slow.lerp_(fast, 0.02)
    return {"error": loss_of(average, x.repeat(5, 1)).item(), "trivial": 1.0}


@healthy(split="blind", odd="codes are chosen by argmin and passed straight through; many codes are never chosen")
def patches_by_a_book_of_codes():
    torch.manual_seed(243)
    x = patches()[0].reshape(-1, 4)
    enc = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 4))
    dec = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 4))
    book = nn.Parameter(torch.randn(64, 4) * 0.3)
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), book], lr=2e-3)

    def run(p):
        z = enc(p)
        code = book[torch.cdist(z, book).argmin(1)]
        through = z + (code - z).detach()
        return dec(through), F.mse_loss(code, z.detach()) + 0.25 * F.mse_loss(z, code.detach())

    for epoch in range(3):
        for i in torch.randperm(len(x)).split(128):
            seen, commit = run(x[i])
            opt.zero_grad()
            (F.mse_loss(seen, x[i]) + commit).backward()
            opt.step()
    return {"error": F.mse_loss(run(x)[0], x).item(), "trivial": x.var(0).mean().item()}


@healthy(split="blind", odd="a flow: the loss is a density, becomes negative, and its scales begin at exactly 0")
def a_flow_to_two_moons():
    from sklearn.datasets import make_moons

    class Coupling(nn.Module):
        def __init__(self, flip):
            super().__init__()
            self.flip = flip
            self.net = nn.Sequential(nn.Linear(1, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 2))
            nn.init.zeros_(self.net[-1].weight)
            nn.init.zeros_(self.net[-1].bias)

        def forward(self, x):
            a, b = x.flip(1).chunk(2, 1) if self.flip else x.chunk(2, 1)
            scale, shift = self.net(a).chunk(2, 1)
            b = b * torch.tanh(scale).exp() + shift
            return torch.cat([b, a] if self.flip else [a, b], 1), torch.tanh(scale).squeeze(1)

    torch.manual_seed(244)
    points, _ = make_moons(1500, noise=0.05, random_state=0)
    x = torch.tensor(points, dtype=torch.float32)
    x = (x - x.mean(0)) / x.std(0)
    flow = nn.ModuleList(Coupling(k % 2 == 1) for k in range(6))
    opt = torch.optim.Adam(flow.parameters(), lr=3e-3)

    def nll(u):
        logdet = 0.0
        for layer in flow:
            u, s = layer(u)
            logdet = logdet + s
        return (0.5 * u.square().sum(1) - logdet + math.log(2 * math.pi)).mean()

    for epoch in range(30):
        for i in torch.randperm(1500).split(100):
            opt.zero_grad()
            nll(x[i]).backward()
            opt.step()
    return {"error": nll(x).item(), "trivial": 2.84}


@healthy(split="blind", odd="half of the patches are hidden and stand for one learned token; only they are scored")
def patches_from_the_others():
    torch.manual_seed(245)
    x, _ = patches()
    hidden = nn.Parameter(torch.zeros(4))
    body = nn.Sequential(nn.Flatten(), nn.Linear(64, 192), nn.GELU(), nn.Linear(192, 64), nn.Unflatten(1, (16, 4)))
    opt = torch.optim.AdamW([hidden, *body.parameters()], lr=2e-3)

    def loss_of(u):
        mask = torch.rand(u.shape[:2]) < 0.5
        return F.mse_loss(body(torch.where(mask[..., None], hidden, u))[mask], u[mask])

    for epoch in range(25):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            loss_of(x[i]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": loss_of(x).item(), "trivial": x.var(0).mean().item()}


@healthy(split="blind", odd="a bottleneck of categories by gumbel_softmax(hard=True) with a falling temperature")
def categories_in_the_middle():
    torch.manual_seed(246)
    x, _ = pixels()
    enc = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 10 * 8))
    dec = nn.Sequential(nn.Linear(80, 96), nn.ReLU(), nn.Linear(96, 64), nn.Sigmoid())
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=2e-3)
    for epoch in range(20):
        tau = max(0.5, 1.5 * 0.93**epoch)
        for i in torch.randperm(len(x)).split(50):
            z = F.gumbel_softmax(enc(x[i]).view(-1, 10, 8), tau=tau, hard=True)
            loss = F.binary_cross_entropy(dec(z.flatten(1)), x[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = F.one_hot(enc(x).view(-1, 10, 8).argmax(-1), 8).float()
        return {"error": F.mse_loss(dec(z.flatten(1)), x).item(), "trivial": x.var(0).mean().item()}


@healthy(
    split="blind", odd="flow matching: targets are differences to noise, so most of the loss cannot be learned away"
)
def straight_lines_to_two_spots():
    torch.manual_seed(247)
    x = torch.randn(1500, 2) * 0.1 + torch.where(torch.rand(1500, 1) < 0.5, 2.0, -2.0)
    field = nn.Sequential(nn.Linear(3, 96), nn.GELU(), nn.Linear(96, 96), nn.GELU(), nn.Linear(96, 2))
    opt = torch.optim.RMSprop(field.parameters(), lr=1e-3)

    def loss_of(goal):
        t, start = torch.rand(len(goal), 1), torch.randn_like(goal)
        return F.mse_loss(field(torch.cat([(1 - t) * start + t * goal, t], 1)), goal - start)

    for epoch in range(30):
        for i in torch.randperm(1500).split(75):
            opt.zero_grad()
            loss_of(x[i]).backward()
            opt.step()
    u = torch.randn(1000, 2)
    with torch.no_grad():
        for k in range(20):
            u = u + field(torch.cat([u, torch.full((1000, 1), k / 20)], 1)) / 20
    spread = torch.minimum((u - 2).norm(dim=1), (u + 2).norm(dim=1)).mean()
    return {"error": spread.item(), "trivial": 2.1}


@healthy(
    split="blind",
    odd="pixels of sixteen greys one after the other; most are 0, so the first guess is right half the time",
)
def greys_one_after_the_other():
    torch.manual_seed(248)
    x, _ = pixels()
    t = (x[:600] * 15).round().long()
    emb, gru, fc = nn.Embedding(17, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, 16)
    place = nn.Parameter(torch.zeros(64, 24))
    opt = torch.optim.Adam([*emb.parameters(), *gru.parameters(), *fc.parameters(), place], lr=1e-2)
    before = F.pad(t[:, :-1], (1, 0), value=16)
    for epoch in range(8):
        for i in torch.randperm(600).split(40):
            logits = fc(gru(emb(before[i]) + place)[0])
            loss = F.cross_entropy(logits.flatten(0, 1), t[i].flatten())
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        loss = F.cross_entropy(fc(gru(emb(before) + place)[0]).flatten(0, 1), t.flatten())
    share = t.flatten().bincount() / t.numel()
    return {"error": loss.item(), "trivial": -(share * share.clamp(min=1e-9).log()).sum().item()}


@healthy(
    split="blind", odd="a generator and a critic, whose losses play against each other, on one number of three means"
)
def a_critic_of_one_number():
    torch.manual_seed(250)
    real = 3 + 0.5 * torch.randn(2000, 1)
    maker = nn.Sequential(nn.Linear(4, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    critic = nn.Sequential(nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    make_opt = torch.optim.Adam(maker.parameters(), lr=1e-3, betas=(0.0, 0.9))
    critic_opt = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))
    for step in range(1600):
        i = torch.randint(2000, (64,))
        fake = maker(torch.randn(64, 4))
        critic_opt.zero_grad()
        loss = F.softplus(-critic(real[i])).mean() + F.softplus(critic(fake.detach())).mean()
        loss.backward()
        critic_opt.step()
        make_opt.zero_grad()
        F.softplus(-critic(fake)).mean().backward()
        make_opt.step()
    with torch.no_grad():
        made = maker(torch.randn(2000, 4))
    return {"error": (made.mean() - 3).abs().item() + (made.std() - 0.5).abs().item(), "trivial": 3.2}
