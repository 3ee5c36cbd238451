"""Generative, contrastive, reinforced, graph and fine-tuned networks that learn as they should."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, digits, moons
from ..score import accuracy
from ..table import healthy


@healthy(split="late", odd="no negatives: a predictor and a moving target hold the views apart")
def bootstrap_your_digits():
    torch.manual_seed(90)
    x, y = digits()
    online = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32))
    target = copy.deepcopy(online).requires_grad_(False)
    predictor = nn.Sequential(nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32))
    opt = torch.optim.Adam([*online.parameters(), *predictor.parameters()], lr=2e-3)

    def view(batch):
        return batch * (torch.rand_like(batch) > 0.15) + 0.1 * torch.randn_like(batch)

    for epoch in range(10):
        for i in torch.randperm(len(x)).split(120):
            a, b = view(x[i]), view(x[i])
            with torch.no_grad():
                ta, tb = target(a), target(b)
            loss = 2 - F.cosine_similarity(predictor(online(a)), tb).mean()
            loss = loss - F.cosine_similarity(predictor(online(b)), ta).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            with torch.no_grad():
                for slow, fast in zip(target.parameters(), online.parameters()):
                    slow.lerp_(fast, 0.02)
    online.eval()
    with torch.no_grad():
        z = F.normalize(online(x), dim=1)
    near = (z @ z.T - 2 * torch.eye(len(z))).argmax(1)
    return {"accuracy": (y[near] == y).float().mean().item()}


@healthy(split="late", odd="policy gradient: the loss is negative or positive and does not fall")
def bandit_by_reinforce():
    torch.manual_seed(91)
    means = torch.linalg.qr(torch.randn(8, 8))[0][:5]
    policy = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 5))
    opt = torch.optim.Adam(policy.parameters(), lr=5e-3)
    baseline = 0.0
    for step in range(400):
        context = torch.randn(64, 8)
        choice = torch.distributions.Categorical(logits=policy(context))
        action = choice.sample()
        reward = (context @ means.T).gather(1, action[:, None]).squeeze(1) + 0.3 * torch.randn(64)
        loss = -(choice.log_prob(action) * (reward - baseline)).mean() - 0.01 * choice.entropy().mean()
        baseline = 0.95 * baseline + 0.05 * reward.mean().item()
        opt.zero_grad()
        loss.backward()
        opt.step()
    context = torch.randn(1000, 8)
    right = policy(context).argmax(1) == (context @ means.T).argmax(1)
    return {"accuracy": right.float().mean().item(), "loss": loss.item()}


@healthy(split="late", odd="the losses of both sides hover, as they do in a GAN")
def ring_gan():
    torch.manual_seed(92)

    def ring(n):
        angle = 6.2832 * torch.rand(n)
        return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)

    generator = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
    critic = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
    opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    opt_d = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.99))
    for step in range(600):
        fake = generator(torch.randn(96, 4))
        loss_d = F.softplus(-critic(ring(96))).mean() + F.softplus(critic(fake.detach())).mean()
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        loss_g = F.softplus(-critic(fake)).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
    with torch.no_grad():
        fake = generator(torch.randn(1000, 4))
    radius = fake.norm(dim=1)
    return {"accuracy": ((radius - 1).abs() < 0.3).float().mean().item(), "centre": fake.mean(0).norm().item()}


@healthy(split="late", odd="the pretrained body is frozen and stays in eval mode, only the head learns")
def head_on_frozen_body():
    torch.manual_seed(93)
    x, y = digit_images()
    body = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3),
        nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
    )  # fmt: skip
    first = nn.Sequential(body, nn.Linear(128, 10))
    opt = torch.optim.Adam(first.parameters(), lr=3e-3)
    for i in torch.cat([torch.randperm(1000) for _ in range(4)]).split(50):
        opt.zero_grad()
        F.cross_entropy(first(x[i]), y[i]).backward()
        opt.step()

    body.requires_grad_(False).eval()
    even = (y % 2 == 0).long()
    head = nn.Linear(128, 2)
    opt = torch.optim.Adam(head.parameters(), lr=1e-2)
    for step in range(150):
        i = torch.randint(1000, 1300, (50,))
        with torch.no_grad():
            features = body(x[i])
        loss = F.cross_entropy(head(features), even[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(nn.Sequential(body, head), x[1300:], even[1300:])}


@healthy(split="late", odd="low-rank adapters: one factor starts at zero and all else is frozen")
def adapters_of_rank_six():
    class Adapted(nn.Module):
        def __init__(self, base, rank=6):
            super().__init__()
            self.base = base.requires_grad_(False)
            self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
            self.up = nn.Parameter(torch.zeros(base.out_features, rank))

        def forward(self, x):
            return self.base(x) + x @ self.down.T @ self.up.T

    def fit(net, data, target, rate, steps):
        opt = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=rate)
        for _ in range(steps):
            i = torch.randint(len(data), (64,))
            opt.zero_grad()
            F.cross_entropy(net(data[i]), target[i]).backward()
            opt.step()

    torch.manual_seed(94)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    fit(net, x[:1200], y[:1200], 3e-3, 250)
    turned = x.view(-1, 8, 8).transpose(1, 2).flatten(1)
    for k in (0, 2, 4):
        net[k] = Adapted(net[k])
    fit(net, turned[:1200], y[:1200], 2e-2, 400)
    return {"accuracy": accuracy(net, turned[1200:], y[1200:])}


@healthy(split="late", odd="only 20 of 300 nodes have a label")
def semi_supervised_graph():
    torch.manual_seed(95)
    n = 300
    community = torch.arange(n) % 3
    chance = torch.where(community[:, None] == community, 0.08, 0.008)
    links = torch.triu((torch.rand(n, n) < chance).float(), 1)
    links = links + links.T + torch.eye(n)
    scale = links.sum(1).rsqrt()
    a = scale[:, None] * links * scale
    x = torch.randn(n, 12)
    x[torch.arange(n), community] += 0.8
    known = torch.randperm(n)[:20]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.w1, self.w2 = nn.Linear(12, 16), nn.Linear(16, 3)

        def forward(self, x):
            x = F.dropout(x, 0.3, self.training)
            h = F.dropout(F.relu(a @ self.w1(x)), 0.5, self.training)
            return a @ self.w2(h)

    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2, weight_decay=5e-3)
    for epoch in range(150):
        net.train()
        loss = F.cross_entropy(net(x)[known], community[known])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, community)}


@healthy(split="late", odd="a loss that stays near a half: noise is predicted, and much of it cannot be")
def moon_diffusion():
    torch.manual_seed(96)
    x, _ = moons(1000, 0.03)
    x = (x - x.mean(0)) / x.std(0)
    levels = 40
    keep = torch.cumprod(1 - torch.linspace(1e-3, 0.15, levels), 0)
    net = nn.Sequential(nn.Linear(2 + 1, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    first, last = [], []
    for step in range(600):
        clean, t = x[torch.randint(1000, (128,))], torch.randint(levels, (128,))
        noise = torch.randn_like(clean)
        k = keep[t, None]
        guess = net(torch.cat([k.sqrt() * clean + (1 - k).sqrt() * noise, t[:, None] / levels], 1))
        loss = F.mse_loss(guess, noise)
        opt.zero_grad()
        loss.backward()
        opt.step()
        (first if step < 20 else last).append(loss.item())
    return {"error": sum(last[-50:]) / 50, "start": sum(first) / 20}


@healthy(split="late", odd="a value network whose targets move with a copy of itself, and whose loss rises meanwhile")
def walk_values_by_td():
    torch.manual_seed(97)
    cells, gamma = 11, 0.9
    eye = torch.eye(cells)
    value = nn.Sequential(nn.Linear(cells, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    slow = copy.deepcopy(value)
    opt = torch.optim.Adam(value.parameters(), lr=3e-3)
    p = torch.zeros(cells, cells)
    for s in range(1, cells - 1):
        p[s, s - 1], p[s, s + 1] = 0.3, 0.7
    reward = p[:, -1] * 5.0
    exact = torch.linalg.solve(torch.eye(cells) - gamma * p, reward)
    for step in range(500):
        s = torch.randint(1, cells - 1, (64,))
        after = s + 2 * (torch.rand(64) < 0.7).long() - 1
        done = ((after == 0) | (after == cells - 1)).float()
        gain = 5.0 * (after == cells - 1)
        with torch.no_grad():
            goal = gain + gamma * (1 - done) * slow(eye[after])
        loss = F.smooth_l1_loss(value(eye[s]), goal)
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 10 == 9:
            slow.load_state_dict(value.state_dict())
    with torch.no_grad():
        error = F.mse_loss(value(eye[1:-1]), exact[1:-1])
    return {"error": (error / exact[1:-1].var()).item()}
