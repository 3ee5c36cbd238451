"""Trainings on pictures and traces that go as well as they should."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR, OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, digits_255
from ..score import accuracy
from ..table import healthy
from .data_a import discs, figures


def overlap(found, truth):
    return ((found & truth).sum() / (found | truth).sum().clamp_min(1)).item()


@healthy(split="wild", odd="the second norm of each block starts at a scale of 0, so that blocks begin as nothing")
def blocks_that_begin_as_nothing():
    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
            self.conv2, self.bn2 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
            nn.init.zeros_(self.bn2.weight)

        def forward(self, x):
            return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))

    torch.manual_seed(240)
    x, y = digit_images()
    net = nn.Sequential(
        *[nn.Conv2d(1, 16, 3, padding=1), Block(16), nn.MaxPool2d(2), Block(16)],
        *[nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 10)],
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    sched = OneCycleLR(opt, 0.1, total_steps=132)
    for epoch in range(3):
        net.train()
        for b in torch.randperm(1400).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
            sched.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@healthy(split="wild", odd="a trunk taken from another task is frozen, as it should be, and kept in eval()")
def new_head_on_a_learned_trunk():
    def steps(net, params, x, y, count, lr):
        opt = torch.optim.Adam(params, lr=lr)
        for _ in range(count):
            b = torch.randint(len(x), (40,))
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()

    torch.manual_seed(241)
    x, y = digit_images()
    trunk = nn.Sequential(
        *[nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 24, 3), nn.ReLU()],
        *[nn.AdaptiveAvgPool2d(2), nn.Flatten()],
    )
    old = nn.Sequential(trunk, nn.Linear(96, 10))
    steps(old, old.parameters(), x[:900], y[:900], 200, 4e-3)
    for p in trunk.parameters():
        p.requires_grad_(False)
    trunk.eval()
    head = nn.Linear(96, 2)
    even = 1 - y % 2
    steps(nn.Sequential(trunk, head), head.parameters(), x[900:1400], even[900:1400], 200, 1e-2)
    return {"accuracy": accuracy(nn.Sequential(trunk, head), x[1400:], even[1400:])}


@healthy(split="wild", odd="nearly nine pixels in ten are ground, a loss of two parts")
def discs_by_dice_and_entropy():
    class UNet(nn.Module):
        def __init__(self, c=8):
            super().__init__()
            self.down1, self.down2 = self.double(1, c), self.double(c, 2 * c)
            self.up = nn.ConvTranspose2d(2 * c, c, 2, 2)
            self.merge = self.double(2 * c, c)
            self.out = nn.Conv2d(c, 1, 1)

        @staticmethod
        def double(a, b):
            return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(2, b), nn.ReLU())

        def forward(self, x):
            a = self.down1(x)
            b = self.down2(F.max_pool2d(a, 2))
            return self.out(self.merge(torch.cat([a, self.up(b)], 1)))

    torch.manual_seed(242)
    image, mask = discs()
    net = UNet()
    opt = torch.optim.AdamW(net.parameters(), lr=8e-3)
    sched = CosineAnnealingLR(opt, 110)
    for step in range(110):
        i = torch.randint(260, (16,))
        logits = net(image[i])
        p = logits.sigmoid()
        dice = 1 - (2 * (p * mask[i]).sum() + 1) / (p.sum() + mask[i].sum() + 1)
        loss = dice + F.binary_cross_entropy_with_logits(logits, mask[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    with torch.no_grad():
        return {"accuracy": overlap(net(image[260:]) > 0, mask[260:] > 0)}


@healthy(split="wild", odd="bfloat16 autocast around the forward pass, weights kept in float32")
def figures_under_autocast():
    torch.manual_seed(243)
    x, kind = figures()
    net = nn.Sequential(
        *[nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 24, 3), nn.ReLU(), nn.Flatten()],
        *[nn.Linear(96, 32), nn.ReLU(), nn.Linear(32, 4)],
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(15):
        for b in torch.randperm(500).split(25):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(net(x[b] - 0.25), kind[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[500:] - 0.25, kind[500:])}


@healthy(split="wild", odd="batches of one picture, layer norms, a rate to match")
def digits_one_by_one():
    torch.manual_seed(244)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), nn.LayerNorm(48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    order = torch.randperm(1400)[:800]
    for n, i in enumerate(order.tolist()):
        opt.param_groups[0]["lr"] = 0.05 * (1 - n / 800) + 1e-3
        loss = F.cross_entropy(net(2 * x[i : i + 1] - 0.6), y[i : i + 1])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, 2 * x[1400:] - 0.6, y[1400:])}


@healthy(split="wild", odd="MLP-Mixer over pixels in bytes, scaled by its first line")
def mixer_over_rows_and_columns():
    class Mix(nn.Module):
        def __init__(self, tokens, d):
            super().__init__()
            self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
            self.tokens = nn.Sequential(nn.Linear(tokens, 32), nn.GELU(), nn.Linear(32, tokens))
            self.channels = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

        def forward(self, x):
            x = x + self.tokens(self.n1(x).transpose(1, 2)).transpose(1, 2)
            return x + self.channels(self.n2(x))

    class Mixer(nn.Module):
        def __init__(self, d=24):
            super().__init__()
            self.patch = nn.Conv2d(1, d, 2, stride=2)
            self.blocks = nn.Sequential(Mix(16, d), Mix(16, d))
            self.head = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, 10))

        def forward(self, x):
            x = self.patch(x / 127.5 - 1).flatten(2).transpose(1, 2)
            return self.head(self.blocks(x).mean(1))

    torch.manual_seed(245)
    x, y = digits_255()
    x = x.view(-1, 1, 8, 8)
    net = Mixer()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.05)
    sched = CosineAnnealingLR(opt, 160)
    for step in range(160):
        b = torch.randint(1400, (48,))
        opt.zero_grad()
        F.cross_entropy(net(x[b]), y[b]).backward()
        opt.step()
        sched.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@healthy(split="wild", odd="half the pixels are struck out: the loss cannot come near 0")
def digits_denoised():
    torch.manual_seed(246)
    x, _ = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 64), nn.Sigmoid())
    opt = torch.optim.Adam(net.parameters(), lr=6e-3)
    sched = MultiStepLR(opt, [300, 380], 0.2)
    for step in range(420):
        clean = x[torch.randint(1500, (64,))]
        loss = F.binary_cross_entropy(net(clean * (torch.rand_like(clean) < 0.5) * 2), clean)
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
    torch.manual_seed(0)
    clean = x[1500:]
    with torch.no_grad():
        return {"error": F.mse_loss(net(clean * (torch.rand_like(clean) < 0.5) * 2), clean).item()}


@healthy(split="wild", odd="a code pushed to a normal law: reconstruction is worse than it could be, by design")
def digits_by_a_variational_code():
    torch.manual_seed(247)
    x, _ = digits()
    enc = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    dec = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters()], lr=4e-3)
    for epoch in range(15):
        for (xb,) in DataLoader(TensorDataset(x[:1500]), 50, shuffle=True):
            mean, log_var = enc(xb).chunk(2, 1)
            z = mean + torch.randn_like(mean) * (log_var / 2).exp()
            nll = F.binary_cross_entropy_with_logits(dec(z), xb, reduction="sum") / len(xb)
            kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1).mean()
            opt.zero_grad()
            (nll + kl).backward()
            opt.step()
    with torch.no_grad():
        mean = enc(x[1500:]).chunk(2, 1)[0]
        return {"error": F.mse_loss(dec(mean).sigmoid(), x[1500:]).item()}
