"""Models that generate, and do not learn to: autoencoders, GANs, diffusion, flows, energies."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence
from torch.utils.data import DataLoader

from ..data import digits, iris
from ..score import hits
from ..table import sick
from .data_b import ring


@sick(
    "UT103",
    split="wild",
    note="the code is drawn with sample(), not rsample(): only the divergence term reaches the encoder",
    cured=((".sample()", ".rsample()"),),
)
def digit_vae_without_reparametrisation():
    class VAE(nn.Module):
        def __init__(self, code=8):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(64, 64), nn.ELU())
            self.mean, self.spread = nn.Linear(64, code), nn.Linear(64, code)
            self.decode = nn.Sequential(nn.Linear(code, 64), nn.ELU(), nn.Linear(64, 64))

        def forward(self, x):
            h = self.body(x)
            q = Normal(self.mean(h), F.softplus(self.spread(h)) + 1e-3)
            return self.decode(q.sample()), q  # <- fault

    torch.manual_seed(31)
    x, _ = digits()
    vae = VAE()
    opt = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for _ in range(12):
        for i in torch.randperm(len(x)).split(64):
            logits, q = vae(x[i])
            fit = F.binary_cross_entropy_with_logits(logits, x[i], reduction="none").sum(1)
            loss = (fit + 0.3 * kl_divergence(q, Normal(0.0, 1.0)).sum(1)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(vae(x)[0].sigmoid(), x).item(), "loss": loss.item()}


@sick(
    "UT503",
    split="wild",
    note="binary cross-entropy against grey values of 0 to 16",
    cured=(("x = x * 16", "x = x * 1"),),
)
def digit_autoencoder_on_grey_values():
    torch.manual_seed(32)
    x, _ = digits()
    x = x * 16
    encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 12))
    decoder = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 64))
    opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    scale = x.max()
    for _ in range(15):
        for batch in DataLoader(x, batch_size=64, shuffle=True):
            out = decoder(encoder(batch / scale))
            loss = F.binary_cross_entropy_with_logits(out, batch)
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        back = decoder(encoder(x / scale)).sigmoid()
    return {"error": F.mse_loss(back, x / scale).item(), "loss": loss.item()}


@sick(
    "UT405",
    split="wild",
    note="the network that says what noise was added ends in a sigmoid, and noise is of both signs",
    cured=(("nn.Sigmoid()", "nn.Identity()"),),
)
def denoiser_that_sees_positive_noise():
    class Denoiser(nn.Module):
        def __init__(self):
            super().__init__()
            self.time = nn.Embedding(40, 16)
            self.net = nn.Sequential(
                nn.Linear(18, 64),
                nn.SiLU(),
                nn.Linear(64, 64),
                nn.SiLU(),
                nn.Linear(64, 2),
                nn.Sigmoid(),  # <- fault
            )

        def forward(self, x, t):
            return self.net(torch.cat([x, self.time(t)], 1))

    torch.manual_seed(33)
    points, _ = ring()
    points = points / points.std()
    kept = (1 - torch.linspace(1e-3, 0.15, 40)).cumprod(0)
    model = Denoiser()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def loss_of(x):
        t = torch.randint(40, (len(x),))
        a, noise = kept[t, None], torch.randn_like(x)
        return F.mse_loss(model(a.sqrt() * x + (1 - a).sqrt() * noise, t), noise)

    for _ in range(30):
        for i in torch.randperm(len(points)).split(100):
            opt.zero_grad()
            loss_of(points[i]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": loss_of(points.repeat(4, 1)).item()}


@sick(
    "UT409",
    split="wild",
    note="the flow is trained on the log-likelihood itself, which is to be raised",
    cured=(("loss = flow(x[i]).mean()", "loss = -flow(x[i]).mean()"),),
)
def flow_that_lowers_the_likelihood():
    class Coupling(nn.Module):
        def __init__(self, first):
            super().__init__()
            self.first = first
            self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))

        def forward(self, x):
            a, b = x[:, self.first, None], x[:, 1 - self.first, None]
            scale, shift = self.net(a).chunk(2, 1)
            scale = torch.tanh(scale)
            b = b * scale.exp() + shift
            return torch.cat([a, b] if self.first == 0 else [b, a], 1), scale.squeeze(1)

    class Flow(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(Coupling(k % 2) for k in range(4))

        def forward(self, x):
            total = 0
            for layer in self.layers:
                x, det = layer(x)
                total = total + det
            return total - 0.5 * (x * x).sum(1) - math.log(2 * math.pi)

    torch.manual_seed(34)
    x, _ = ring()
    flow = Flow()
    opt = torch.optim.Adam(flow.parameters(), lr=3e-3)
    for _ in range(15):
        for i in torch.randperm(len(x)).split(100):
            loss = flow(x[i]).mean()  # <- fault
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
            opt.step()
    with torch.no_grad():
        return {"error": -flow(x).mean().item(), "loss": loss.item()}


@sick(
    "UT403",
    split="wild",
    note="a discriminator of one output trained with cross_entropy over classes",
    cured=(("F.cross_entropy", "F.binary_cross_entropy_with_logits"),),
)
def discriminator_of_one_class():
    torch.manual_seed(36)
    x, _ = ring()
    maker = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    opt = torch.optim.Adam(critic.parameters(), lr=3e-3)
    for _ in range(200):
        real = x[torch.randint(len(x), (64,))]
        with torch.no_grad():
            fake = maker(torch.randn(64, 4))
        label = torch.cat([torch.ones(64), torch.zeros(64)]).unsqueeze(1)
        loss = F.cross_entropy(critic(torch.cat([real, fake])), label)  # <- fault
        opt.zero_grad()
        loss.backward()
        opt.step()
    probe = torch.cat([x, maker(torch.randn(len(x), 4))])
    truth = torch.arange(len(probe)) < len(x)
    return {"accuracy": hits(critic(probe), truth), "loss": loss.item()}


@sick(
    "UT306",
    split="wild",
    note="of the two optimizers only that of the discriminator steps",
    cured=((".backward()  # <- fault", ".backward(); opt_g.step()"),),
)
def generator_that_never_moves():
    class Net(nn.Module):
        def __init__(self, *sizes):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False))

        def forward(self, x):
            for layer in self.layers[:-1]:
                x = F.leaky_relu(layer(x), 0.1)
            return self.layers[-1](x)

    torch.manual_seed(37)
    x, _ = iris()
    generator, discriminator = Net(3, 32, 4), Net(4, 32, 1)
    opt_g = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.9))
    opt_d = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.9))
    for _ in range(500):
        real, fake = x[torch.randint(len(x), (50,))], generator(torch.randn(50, 3))
        loss_d = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake.detach())).mean()
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        opt_g.zero_grad()
        F.softplus(-discriminator(fake)).mean().backward()  # <- fault
    with torch.no_grad():
        drawn = generator(torch.randn(600, 3))
    return {"error": torch.cdist(x, drawn).min(1).values.mean().item()}
