"""Generators, densities, codes, equations and policies, as other people might write them."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, digits
from ..score import matches
from ..table import healthy
from .data import bars, spirals


def mlp(a, b, width=64, act=nn.SiLU):
    return nn.Sequential(nn.Linear(a, width), act(), nn.Linear(width, width), act(), nn.Linear(width, b))


@healthy(split="fresh", odd="a code book behind argmin, with a straight-through step: most codes are unused")
def code_book_of_digits():
    torch.manual_seed(0)
    x, _ = digits()
    enc, dec, book = mlp(64, 8), mlp(8, 64), nn.Embedding(64, 8)
    nn.init.normal_(book.weight, std=0.05)
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), *book.parameters()], lr=2e-3)
    for step in range(600):
        i = torch.randint(len(x), (64,))
        z = enc(x[i])
        code = book(torch.cdist(z, book.weight).argmin(1))
        loss = F.mse_loss(dec(z + (code - z).detach()), x[i])
        loss = loss + F.mse_loss(code, z.detach()) + 0.25 * F.mse_loss(z, code.detach())
        opt.zero_grad()
        loss.backward()
        opt.step()
    z = enc(x)
    out = dec(book(torch.cdist(z, book.weight).argmin(1)))
    return {"error": (F.mse_loss(out, x) / x.var(0).mean()).item()}


@healthy(split="fresh", odd="a flow of eight couplings whose scales begin at 0: the loss is a log-density")
def flow_over_spirals():
    torch.manual_seed(1)
    x, _ = spirals()
    nets = nn.ModuleList(mlp(1, 2, 32, nn.Tanh) for _ in range(8))
    for net in nets:
        nn.init.zeros_(net[-1].weight)
        nn.init.zeros_(net[-1].bias)
    opt = torch.optim.Adam(nets.parameters(), lr=3e-3)
    for step in range(500):
        z, volume = x[torch.randint(600, (128,))], 0.0
        for net in nets:
            a, b = z[:, :1], z[:, 1:]
            scale, shift = net(a).chunk(2, 1)
            scale = torch.tanh(scale)
            z, volume = torch.cat([b * scale.exp() + shift, a], 1), volume + scale.squeeze(1)
        loss = (0.5 * z.pow(2).sum(1) - volume).mean() + math.log(2 * math.pi)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item(), "gaussian": 1 + math.log(2 * math.pi) + x.std(0).log().sum().item()}


@healthy(split="fresh", odd="a variational autoencoder: the loss is summed over pixels, the divergence rises")
def variational_digits():
    torch.manual_seed(2)
    x, _ = digits()
    enc, dec = mlp(64, 16), mlp(8, 64)
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=2e-3)
    for step in range(600):
        i = torch.randint(len(x), (64,))
        mean, log_var = enc(x[i]).chunk(2, 1)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        rebuilt = F.binary_cross_entropy_with_logits(dec(z), x[i], reduction="none").sum(1)
        divergence = 0.5 * (mean**2 + log_var.exp() - log_var - 1).sum(1)
        loss = (rebuilt + divergence).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    out = torch.sigmoid(dec(enc(x)[:, :8]))
    return {"error": (F.mse_loss(out, x) / x.var(0).mean()).item()}


@healthy(split="fresh", odd="flow matching between noise and data: the loss stays high, for the target is random")
def flow_matching():
    torch.manual_seed(3)
    x, _ = spirals()
    net = mlp(3, 2)
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(1000):
        end, start, t = x[torch.randint(600, (128,))], torch.randn(128, 2), torch.rand(128, 1)
        loss = F.mse_loss(net(torch.cat([(1 - t) * start + t * end, t], 1)), end - start)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = torch.randn(500, 2)
        for k in range(40):
            z = z + net(torch.cat([z, torch.full((500, 1), k / 40)], 1)) / 40
    return {"error": torch.cdist(z, x).amin(1).mean().item()}


@healthy(split="fresh", odd="noise told at four levels by a convolutional network on images in -1 to 1")
def denoises_bars():
    torch.manual_seed(4)
    x, _ = bars()
    x = (x - x.mean()) / x.std()
    net = nn.Sequential(nn.Conv2d(2, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, 16, 3, padding=1), nn.SiLU())
    net.append(nn.Conv2d(16, 1, 3, padding=1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for step in range(300):
        clean, level = x[torch.randint(900, (32,))], torch.randint(1, 5, (32, 1, 1, 1)) / 4
        noise = torch.randn_like(clean)
        plane = level.expand_as(clean)
        loss = F.mse_loss(net(torch.cat([clean + 3 * level * noise, plane], 1)), noise)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"error": sum(losses[-50:]) / 50}


@healthy(split="fresh", odd="a physics-informed network for heat along a rod: four terms of very different sizes")
def heat_along_a_rod():
    torch.manual_seed(5)
    net = mlp(2, 1, 32, nn.Tanh)
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(700):
        place, time = (torch.rand(64, 1, requires_grad=True) for _ in range(2))
        u = net(torch.cat([place, time], 1))
        d_time = torch.autograd.grad(u.sum(), time, create_graph=True)[0]
        d_place = torch.autograd.grad(u.sum(), place, create_graph=True)[0]
        dd_place = torch.autograd.grad(d_place.sum(), place, create_graph=True)[0]
        p, t = torch.rand(64, 1), torch.rand(64, 1)
        start = net(torch.cat([p, 0 * p], 1)) - torch.sin(math.pi * p)
        ends = [net(torch.cat([0 * t + end, t], 1)) for end in (0.0, 1.0)]
        edges = start.pow(2).mean() + sum(e.pow(2).mean() for e in ends)
        loss = (d_time - 0.1 * dd_place).pow(2).mean() + 10 * edges
        opt.zero_grad()
        loss.backward()
        opt.step()
    p, t = torch.rand(400, 1), torch.rand(400, 1)
    truth = torch.sin(math.pi * p) * torch.exp(-0.1 * math.pi**2 * t)
    return {"error": F.mse_loss(net(torch.cat([p, t], 1)), truth).item()}


@healthy(split="fresh", odd="policy gradient with an entropy bonus: the loss wanders about 0 and means nothing")
def policy_with_an_entropy_bonus():
    torch.manual_seed(6)
    policy = mlp(4, 4, 32, nn.ReLU)
    opt = torch.optim.Adam(policy.parameters(), lr=3e-3)
    for step in range(400):
        state = torch.randn(64, 4)
        law = torch.distributions.Categorical(logits=policy(state))
        action = law.sample()
        reward = (action == state.argmax(1)).float()
        loss = -(law.log_prob(action) * (reward - reward.mean())).mean() - 0.01 * law.entropy().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    state = torch.randn(1000, 4)
    return {"accuracy": matches(policy(state), state.argmax(1))}


@healthy(split="fresh", odd="values of a walk learned from their own later guesses: the loss rises while they grow")
def values_from_later_guesses():
    torch.manual_seed(7)
    net, states = mlp(10, 2, 32, nn.ReLU), torch.eye(10)
    target = mlp(10, 2, 32, nn.ReLU)
    target.load_state_dict(net.state_dict())
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(1000):
        s, a = torch.randint(9, (64,)), torch.randint(2, (64,))
        follows = (s + 2 * a - 1).clamp(0)
        done = (follows == 9).float()
        with torch.no_grad():
            goal = done + 0.9 * (1 - done) * target(states[follows]).amax(1)
        loss = F.smooth_l1_loss(net(states[s]).gather(1, a[:, None]).squeeze(1), goal)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 40 == 0:
            target.load_state_dict(net.state_dict())
    return {"error": F.l1_loss(net(states[:9]).amax(1), 0.9 ** torch.arange(8.0, -1, -1)).item()}


@healthy(split="fresh", odd="an actor that climbs its critic: its loss falls without end, below zero")
def actor_climbs_its_critic():
    torch.manual_seed(8)
    critic, actor = mlp(3, 1, 48, nn.ReLU), nn.Sequential(*mlp(2, 1, 48, nn.ReLU), nn.Tanh())
    value, policy = torch.optim.Adam(critic.parameters(), 2e-3), torch.optim.Adam(actor.parameters(), 1e-3)
    for step in range(600):
        state = 2 * torch.rand(64, 2) - 1
        with torch.no_grad():
            action = (actor(state) + 0.4 * torch.randn(64, 1)).clamp(-1, 1)
        reward = 1 - (action - state[:, :1] * state[:, 1:]) ** 2
        loss = F.mse_loss(critic(torch.cat([state, action], 1)), reward)
        value.zero_grad()
        loss.backward()
        value.step()
        gain = -critic(torch.cat([state, actor(state)], 1)).mean()
        policy.zero_grad()
        gain.backward()
        policy.step()
    state = 2 * torch.rand(500, 2) - 1
    return {"error": F.mse_loss(actor(state), state[:, :1] * state[:, 1:]).item()}


@healthy(split="fresh", odd="a convolutional autoencoder through four numbers, with sigmoid for pixels between 0 and 1")
def images_through_four_numbers():
    torch.manual_seed(9)
    x, _ = digit_images()
    enc = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
    dec = nn.Sequential(nn.Linear(4, 128), nn.ReLU(), nn.Unflatten(1, (8, 4, 4)), nn.ConvTranspose2d(8, 1, 2, stride=2))
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=5e-3)
    for step in range(600):
        i = torch.randint(len(x), (64,))
        loss = F.mse_loss(torch.sigmoid(dec(enc(x[i]))), x[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": (F.mse_loss(torch.sigmoid(dec(enc(x))), x) / x.var(0).mean()).item()}


@healthy(split="fresh", odd="a restricted Boltzmann machine: the loss is a difference about 0 that says nothing")
def contrastive_divergence():
    torch.manual_seed(10)
    x, _ = digits()
    x = (x > 0.5).float()
    w, b, c = (nn.Parameter(t) for t in (0.01 * torch.randn(64, 48), torch.zeros(64), torch.zeros(48)))

    def energy(v):
        return -(v @ b) - F.softplus(v @ w + c).sum(1)

    def again(v):
        hidden = torch.bernoulli(torch.sigmoid(v @ w + c))
        return torch.sigmoid(hidden @ w.T + b)

    opt = torch.optim.SGD([w, b, c], lr=0.1)
    for step in range(800):
        v = x[torch.randint(len(x), (64,))]
        with torch.no_grad():
            fake = torch.bernoulli(again(v))
        loss = energy(v).mean() - energy(fake).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": (F.mse_loss(again(x), x) / x.var(0).mean()).item()}
