"""Examples that make pictures, points and series, rebuilt small."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, waves
from ..table import healthy


@healthy(split="wild", odd="super-resolution by PixelShuffle, orthogonal weights, a tiny MSE from the start")
def super_resolution_by_pixel_shuffle():
    torch.manual_seed(119)
    images, _ = digit_images()
    small = F.avg_pool2d(images, 2)
    net = nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 24, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(24, 4, 3, padding=1),
        nn.PixelShuffle(2),
    )
    for k, gain in ((0, 2**0.5), (2, 2**0.5), (4, 1.0)):
        nn.init.orthogonal_(net[k].weight, gain)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(5):
        for b in torch.randperm(len(images)).split(32):
            optimizer.zero_grad()
            loss = F.mse_loss(net(small[b]), images[b])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(small), images).item()}


@healthy(split="wild", odd="the time-sequence example: LSTM cells stepped by hand, LBFGS at 0.8 over the whole set")
def sine_waves_with_lbfgs():
    class Sequence(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm1, self.linear = nn.LSTMCell(1, 20), nn.Linear(20, 1)

        def forward(self, x):
            h, c = torch.zeros(2, len(x), 20)
            for t in x.split(1, dim=1):
                h, c = self.lstm1(t, (h, c))
            return self.linear(h)

    torch.manual_seed(120)
    past, following = waves(96, 12)
    past = past.squeeze(-1)
    seq = Sequence()
    optimizer = torch.optim.LBFGS(seq.parameters(), lr=0.8, max_iter=8)

    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(seq(past), following)
        loss.backward()
        return loss

    for step in range(16):
        optimizer.step(closure)
    with torch.no_grad():
        return {"error": F.mse_loss(seq(past), following).item()}


@healthy(
    split="wild", odd="a DCGAN-like pair on a ring of points: two optimizers with beta1 of 0.5, the losses do not fall"
)
def gan_on_a_ring():
    def real(count):
        angle = torch.rand(count) * 2 * math.pi
        return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(count, 2)

    torch.manual_seed(108)
    net_g = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
    net_d = nn.Sequential(nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
    optimizer_d = torch.optim.Adam(net_d.parameters(), lr=5e-3, betas=(0.5, 0.999))
    optimizer_g = torch.optim.Adam(net_g.parameters(), lr=5e-3, betas=(0.5, 0.999))
    criterion = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(128, 1), torch.zeros(128, 1)
    for i in range(500):
        net_d.zero_grad()
        fake = net_g(torch.randn(128, 8))
        loss_d = criterion(net_d(real(128)), ones) + criterion(net_d(fake.detach()), zeros)
        loss_d.backward()
        optimizer_d.step()
        net_g.zero_grad()
        loss_g = criterion(net_d(fake), ones)
        loss_g.backward()
        optimizer_g.step()
    with torch.no_grad():
        radius = net_g(torch.randn(1000, 8)).norm(dim=1)
    return {"error": (radius - 1).abs().mean().item(), "d": loss_d.item(), "g": loss_g.item()}
