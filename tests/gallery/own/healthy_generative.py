"""Autoencoders, variational and adversarial networks that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

from ..data import digit_images, digits, moons
from ..table import healthy


@healthy(split="build")
def plain_autoencoder():
    torch.manual_seed(0)
    x, _ = digits()
    model = nn.Sequential(
        nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8), nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64)
    )
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(12):
        for batch in DataLoader(x, batch_size=128, shuffle=True):
            loss = F.mse_loss(model(batch), batch)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "variance": x.var(0).mean().item()}


@healthy(split="judge", odd="sigmoid outputs with BCE over pixels, whose floor is the entropy of the pixels")
def convolutional_autoencoder():
    class ConvAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc = nn.Sequential(
                nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.ReLU()
            )
            self.dec = nn.Sequential(
                nn.ConvTranspose2d(8, 8, 2, stride=2), nn.ReLU(), nn.ConvTranspose2d(8, 1, 2, stride=2), nn.Sigmoid()
            )

        def forward(self, x):
            return self.dec(self.enc(x))

    torch.manual_seed(1)
    x, _ = digit_images()
    model = ConvAE()
    criterion = nn.BCELoss()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        batch = x[torch.randint(len(x), (64,))]
        opt.zero_grad()
        loss = criterion(model(batch), batch)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "error": F.mse_loss(model(x), x).item(), "variance": x.var(0).mean().item()}


@healthy(split="build", odd="summed loss of tens of units, a KL term that rises, noise in the forward")
def variational_autoencoder():
    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(64, 48), nn.ReLU())
            self.mu, self.logvar = nn.Linear(48, 4), nn.Linear(48, 4)
            self.dec = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 64))

        def forward(self, x):
            h = self.enc(x)
            mu, logvar = self.mu(h), self.logvar(h)
            z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
            return self.dec(z), mu, logvar

    torch.manual_seed(2)
    x, _ = digits()
    model = VAE()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(12):
        for batch in DataLoader(x, batch_size=100, shuffle=True):
            logits, mu, logvar = model(batch)
            reconstruction = F.binary_cross_entropy_with_logits(logits, batch, reduction="sum") / len(batch)
            kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
            loss = reconstruction + kl
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "kl": kl.item()}


@healthy(split="judge", odd="adversarial losses are not meant to fall; fake samples detached on purpose")
def gan_of_moons():
    torch.manual_seed(3)
    real, _ = moons(1000, 0.05)
    real = real + 2
    generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2))
    critic = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    opt_g = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    opt_c = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999))
    start = torch.cdist(generator(torch.randn(500, 4)), real).min(1).values.mean().item()
    bce = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    for _ in range(300):
        batch = real[torch.randint(1000, (64,))]
        fake = generator(torch.randn(64, 4))
        opt_c.zero_grad()
        loss_c = bce(critic(batch), ones) + bce(critic(fake.detach()), zeros)
        loss_c.backward()
        opt_c.step()
        opt_g.zero_grad()
        loss_g = bce(critic(fake), ones)
        loss_g.backward()
        opt_g.step()
    fake = generator(torch.randn(500, 4)).detach()
    return {"start": start, "distance": torch.cdist(fake, real).min(1).values.mean().item()}


@healthy(split="build", odd="Wasserstein critic, weights clamped by hand after each step")
def wasserstein_gan():
    torch.manual_seed(4)
    generator = nn.Linear(1, 1)
    critic = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 1))
    opt_g = torch.optim.RMSprop(generator.parameters(), lr=0.02)
    opt_c = torch.optim.RMSprop(critic.parameters(), lr=5e-3)
    for step in range(600):
        real = 3 + 0.5 * torch.randn(64, 1)
        fake = generator(torch.randn(64, 1))
        if step % 4:
            loss = critic(fake.detach()).mean() - critic(real).mean()
            opt_c.zero_grad()
            loss.backward()
            opt_c.step()
            with torch.no_grad():
                for p in critic.parameters():
                    p.clamp_(-0.2, 0.2)
        else:
            loss = -critic(fake).mean()
            opt_g.zero_grad()
            loss.backward()
            opt_g.step()
    return {"mean": fake.mean().item(), "wanted": 3.0}


@healthy(split="judge", odd="a negative log-likelihood below 0 is in order")
def affine_flow():
    class Coupling(nn.Module):
        def __init__(self, flip):
            super().__init__()
            self.flip = flip
            self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))
            nn.init.zeros_(self.net[2].weight)
            nn.init.zeros_(self.net[2].bias)

        def forward(self, x):
            a, b = x.flip(1).chunk(2, 1) if self.flip else x.chunk(2, 1)
            scale, shift = self.net(a).chunk(2, 1)
            scale = torch.tanh(scale)
            return torch.cat([a, b * scale.exp() + shift], 1), scale.squeeze(1)

    torch.manual_seed(5)
    x, _ = moons(1000, 0.05)
    x = 0.4 * (x - x.mean(0)) / x.std(0)
    flows = nn.ModuleList([Coupling(k % 2) for k in range(6)])
    opt = torch.optim.Adam(flows.parameters(), lr=5e-3)
    for _ in range(250):
        z, logdet = x[torch.randint(1000, (128,))], 0
        for flow in flows:
            z, d = flow(z)
            logdet = logdet + d
        loss = (0.5 * (z**2).sum(1) + 1.8379 - logdet).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"start": 1.99, "loss": loss.item()}


@healthy(split="build", odd="the loss of a diffusion model stays near the variance of its noise and is very noisy")
def diffusion_of_moons():
    class Denoiser(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))

        def forward(self, x, t):
            return self.net(torch.cat([x, t], 1))

    torch.manual_seed(6)
    x, _ = moons(1000, 0.05)
    model = Denoiser()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(300):
        clean = x[torch.randint(1000, (128,))]
        t = torch.rand(128, 1)
        noise = torch.randn_like(clean)
        loss = F.mse_loss(model((1 - t).sqrt() * clean + t.sqrt() * noise, t), noise)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"start": 1.0, "loss": loss.item()}


@healthy(split="judge", odd="straight-through estimator and detached terms of a vector-quantised autoencoder")
def vector_quantized():
    class VQ(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16))
            self.book = nn.Embedding(24, 4)
            nn.init.normal_(self.book.weight, std=0.15)
            self.dec = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 64))

        def forward(self, x):
            z = self.enc(x).view(-1, 4, 4)
            code = torch.cdist(z, self.book.weight[None].expand(len(z), -1, -1)).argmin(-1)
            q = self.book(code)
            commitment = F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())
            q = z + (q - z).detach()
            return self.dec(q.flatten(1)), commitment

    torch.manual_seed(7)
    x, _ = digits()
    model = VQ()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(250):
        batch = x[torch.randint(len(x), (128,))]
        out, commitment = model(batch)
        loss = F.mse_loss(out, batch) + commitment
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": F.mse_loss(out, batch).item(), "variance": x.var(0).mean().item()}


@healthy(split="build", odd="denoising with decoder weights tied to the encoder")
def tied_denoiser():
    torch.manual_seed(8)
    x, _ = digits()
    weight = nn.Parameter(0.1 * torch.randn(24, 64))
    bias_h, bias_x = nn.Parameter(torch.zeros(24)), nn.Parameter(torch.zeros(64))
    opt = torch.optim.Adam([weight, bias_h, bias_x], lr=0.01)
    for _ in range(150):
        batch = x[torch.randint(len(x), (128,))]
        h = torch.sigmoid(F.linear(batch * (torch.rand_like(batch) > 0.3), weight, bias_h))
        loss = F.mse_loss(h @ weight + bias_x, batch)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": x.var(0).mean().item()}
