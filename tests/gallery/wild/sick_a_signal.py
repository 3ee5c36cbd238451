"""Signals that die, blow up, are cut or never leave their units, in deep and in shallow networks."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, wine
from ..score import accuracy
from ..table import sick
from .data_a import beats, figures, friedman


@sick(
    "UT101",
    split="wild",
    note="seven layers of sigmoids",
    cured=(("layers += [nn.Linear(width, width), nn.Sigmoid()]", "layers += [nn.Linear(width, width), nn.ReLU()]"),),
)
def seven_sigmoids_for_digits():
    def build(width=64, depth=6):
        layers = [nn.Linear(64, width), nn.Sigmoid()]
        for _ in range(depth):
            layers += [nn.Linear(width, width), nn.Sigmoid()]
        return nn.Sequential(*layers, nn.Linear(width, 10))

    torch.manual_seed(80)
    x, kind = digits()
    net = build()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for b in torch.randperm(1400).split(40):
            loss = F.cross_entropy(net(x[b]), kind[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1400:], kind[1400:])}


@sick(
    "UT101",
    split="wild",
    note="eight convolutions drawn with a deviation of 0.01",
    cured=(("nn.init.normal_(m.weight, 0.0, 0.01)", 'nn.init.kaiming_normal_(m.weight, nonlinearity="relu")'),),
)
def digits_through_small_filters():
    def weights_init(m):
        if isinstance(m, nn.Conv2d):
            nn.init.normal_(m.weight, 0.0, 0.01)  # <- fault
            nn.init.zeros_(m.bias)

    torch.manual_seed(81)
    x, y = digit_images()
    trunk = [nn.Conv2d(1, 12, 3, padding=1), nn.ReLU()]
    for _ in range(7):
        trunk += [nn.Conv2d(12, 12, 3, padding=1), nn.ReLU()]
    net = nn.Sequential(*trunk, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12 * 16, 10))
    net.apply(weights_init)
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    for step in range(160):
        b = torch.randint(1400, (32,))
        opt.zero_grad()
        F.cross_entropy(net(x[b]), y[b]).backward()
        opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@sick(
    "UT102",
    split="wild",
    note="weights of a deep tower drawn from randn without dividing by the width",
    cured=(("torch.randn(b, a)", "torch.randn(b, a) * (2 / a) ** 0.5"),),
)
def tower_of_plain_randn():
    class Dense(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(b, a))  # <- fault
            self.bias = nn.Parameter(torch.zeros(b))

        def forward(self, x):
            return x @ self.weight.T + self.bias

    torch.manual_seed(82)
    x, y = wine()
    net = nn.Sequential(
        *[Dense(13, 64), nn.ReLU(), Dense(64, 64), nn.ReLU(), Dense(64, 64), nn.ReLU()],
        *[Dense(64, 64), nn.ReLU(), Dense(64, 64), nn.ReLU(), Dense(64, 3)],
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.01)
    for epoch in range(30):
        for b in torch.randperm(140).split(20):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT102",
    split="wild",
    note="residual branches multiplied by 4 and added up through fourteen blocks",
    cured=(("x + self.gain * self.f(x)", "x + self.f(x) / 14**0.5"),),
)
def friedman_through_loud_branches():
    class Block(nn.Module):
        def __init__(self, d, gain=4.0):
            super().__init__()
            self.gain = gain
            self.f = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))

        def forward(self, x):
            return x + self.gain * self.f(x)  # <- fault

    torch.manual_seed(83)
    x, y = friedman()
    net = nn.Sequential(nn.Linear(10, 32), *[Block(32) for _ in range(14)], nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for step in range(150):
        b = torch.randint(480, (40,))
        opt.zero_grad()
        F.mse_loss(net(x[b]).squeeze(1), y[b]).backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]).squeeze(1), y[480:]).item()}


@sick(
    "UT103",
    split="wild",
    note="features taken under no_grad, from an encoder that is to be trained too",
    module="encoder",
    cured=(("with torch.no_grad():\n                h =", "if True:\n                h ="),),
)
def pulses_with_features_under_no_grad():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Conv1d(1, 4, 9, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(56, 6))
            self.head = nn.Sequential(nn.ReLU(), nn.Linear(6, 4))

        def forward(self, x):
            with torch.no_grad():
                h = self.encoder(x)
            return self.head(h)

    torch.manual_seed(84)
    x, kind = beats()
    net = Classifier()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(20):
        for xb, kb in DataLoader(TensorDataset(x[:400], kind[:400]), 40, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), kb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[400:], kind[400:])}


@sick(
    "UT103",
    split="wild",
    note="codes rounded to bits with no way round for the gradient",
    module="enc",
    cured=(("torch.round(p)", "p + (torch.round(p) - p).detach()"),),
)
def codes_of_sixteen_bits():
    class BinaryAutoencoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
            self.dec = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64))

        def forward(self, x):
            p = torch.sigmoid(self.enc(x))
            bits = torch.round(p)  # <- fault
            return torch.sigmoid(self.dec(bits))

    torch.manual_seed(85)
    x, _ = digits()
    net = BinaryAutoencoder()
    opt = torch.optim.AdamW(net.parameters(), lr=4e-3)
    for step in range(400):
        b = torch.randint(1500, (64,))
        loss = F.mse_loss(net(x[b]), x[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[1500:]), x[1500:]).item()}


@sick(
    "UT104",
    split="wild",
    note="float16 autocast with a loss weighted by 1e-6 and no scaling",
    cured=(("loss.backward()", "(loss * 2**18).backward()"),),
)
def weighted_pixels_in_half_precision():
    torch.manual_seed(86)
    x, _ = digits()
    net = nn.Sequential(
        nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 12), nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 64)
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3, eps=1e-16)
    weight = 1e-6  # so as to add up with the other terms
    for step in range(200):
        b = torch.randint(1500, (48,))
        with torch.autocast("cpu", dtype=torch.float16):
            out = net(x[b])
            loss = weight * F.mse_loss(out.float(), x[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[1500:]), x[1500:]).item()}


@sick(
    "UT107",
    split="wild",
    note="a stem that was never trained is frozen as if it had been",
    module="stem",
    cured=(("p.requires_grad = False", "p.requires_grad = True"),),
)
def figures_on_a_frozen_stem():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Sequential(
                nn.Conv2d(1, 4, 5), nn.ReLU(), nn.Conv2d(4, 6, 5), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
            )
            self.head = nn.Linear(6, 4)

        def forward(self, x):
            return self.head(self.stem(x).flatten(1))

    torch.manual_seed(87)
    x, kind = figures()
    net = Net()
    for p in net.stem.parameters():
        p.requires_grad = False  # <- fault
    opt = torch.optim.Adam((p for p in net.parameters() if p.requires_grad), lr=1e-2)
    for epoch in range(20):
        for b in torch.randperm(500).split(25):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), kind[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[500:], kind[500:])}


@sick(
    "UT205",
    split="wild",
    note="two noisy views pulled together with nothing to hold the rest apart",
    cured=(("loss = F.mse_loss(a, b)", "loss = F.mse_loss(a, b) + F.relu(1 - a.std(0)).mean() + spread(a)"),),
)
def views_pulled_together():
    def spread(z):
        z = z - z.mean(0)
        cov = z.T @ z / (len(z) - 1)
        return (cov - torch.diag(cov.diagonal())).pow(2).sum() / z.shape[1]

    torch.manual_seed(88)
    x, y = digits()
    encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 24))
    opt = torch.optim.AdamW(encoder.parameters(), lr=2e-3)
    for step in range(300):
        batch = x[torch.randint(1400, (96,))]
        a = encoder(batch + 0.15 * torch.randn_like(batch))
        b = encoder(batch * (torch.rand_like(batch) > 0.15))
        loss = F.mse_loss(a, b)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = encoder(x)
    near = torch.cdist(z[1400:], z[:1400]).argmin(1)
    return {"accuracy": (y[near] == y[1400:]).float().mean().item()}
