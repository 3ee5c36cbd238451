"""Pictures: small convolutional nets and residual nets that learn, with what is unusual about them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, digits_255
from ..score import accuracy, matches
from ..table import healthy
from .data_a import emblems, fabrics


@healthy(split="blind", odd="residual branches end in a scale of 0, and so give nothing at first")
def branches_that_begin_at_nothing():
    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.a, self.b = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)
            self.scale = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return x + self.scale * self.b(F.relu(self.a(F.relu(x))))

    torch.manual_seed(1)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, 2), *[Block(12) for _ in range(5)], nn.ReLU(), nn.Flatten(), nn.Linear(300, 4)
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    for epoch in range(8):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="whole blocks are skipped at random (stochastic depth): they have no gradient then")
def blocks_that_sleep():
    class Block(nn.Module):
        def __init__(self, c, keep):
            super().__init__()
            self.keep = keep
            self.body = nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.GroupNorm(2, c), nn.ReLU(), nn.Conv2d(c, c, 1))

        def forward(self, x):
            if self.training and torch.rand(()) > self.keep:
                return x
            return x + self.body(x) * (1 if self.training else self.keep)

    torch.manual_seed(2)
    x, y = fabrics()
    blocks = [Block(16, 1 - 0.1 * k) for k in range(6)]
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2), *blocks, nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 6)
    )
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(15):
        net.train()
        for i in torch.randperm(600).split(30):
            opt.zero_grad(set_to_none=True)
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="squeeze and excitation: gates near a half")
def channels_with_gates():
    class Gate(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.fc = nn.Sequential(nn.Linear(c, 4), nn.ReLU(), nn.Linear(4, c), nn.Sigmoid())

        def forward(self, x):
            return x * self.fc(x.mean((2, 3)))[:, :, None, None]

    torch.manual_seed(3)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12), nn.ReLU(), Gate(12), nn.Conv2d(12, 16, 3), nn.ReLU(), Gate(16)
    )
    net.append(nn.Flatten()).append(nn.Linear(256, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(8):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="pixels of 0 to 255 at a rate that suits them: 1e-5 for the first layer's group")
def bytes_with_a_small_rate_for_them():
    torch.manual_seed(4)
    x, y = digits_255()
    first, rest = nn.Linear(64, 64), nn.Sequential(nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(
        [{"params": first.parameters(), "lr": 1e-5}, {"params": rest.parameters()}], lr=0.05, momentum=0.9
    )
    for epoch in range(12):
        rest.train()
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(rest(first(x[i])), y[i]).backward()
            opt.step()
    rest.eval()
    return {"accuracy": matches(rest(first(x)), y)}


@healthy(split="blind", odd="cutout, flips of labels and mixup: a loss that cannot come near 0")
def mixed_pictures():
    torch.manual_seed(5)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3),
        nn.BatchNorm2d(12),
        nn.SiLU(),
        nn.Conv2d(12, 16, 3, 2),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(256, 4),
    )
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.05)
    for epoch in range(12):
        net.train()
        for i in torch.randperm(900).split(30):
            share, other = torch.distributions.Beta(1.0, 1.0).sample(), i[torch.randperm(len(i))]
            out = net(share * x[i] + (1 - share) * x[other])
            loss = share * F.cross_entropy(out, y[i]) + (1 - share) * F.cross_entropy(out, y[other])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="label smoothing of 0.3, so a loss that stays near 1")
def smooth_labels_of_fabrics():
    torch.manual_seed(6)
    x, y = fabrics()
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2), nn.ReLU(), nn.Conv2d(16, 24, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 6)
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=0.3)
    opt = torch.optim.NAdam(net.parameters(), lr=2e-3)
    for epoch in range(25):
        for i in torch.randperm(600).split(25):
            opt.zero_grad()
            criterion(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="convolutions run under autocast in bfloat16")
def autocast_on_emblems():
    torch.manual_seed(7)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4)
    )
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for epoch in range(6):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="dropout of 0.7 in a wide layer")
def wide_layer_with_heavy_dropout():
    torch.manual_seed(8)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Dropout(0.7), nn.Linear(512, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="a mask of a tenth of the pixels, learned with a Dice loss that lies between 0 and 1")
def where_the_emblem_is():
    torch.manual_seed(9)
    x, y = emblems()
    mask = (F.avg_pool2d(x, 3, 1, 1) > 0.45).float()
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 1, 1),
        nn.Sigmoid(),
    )
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(6):
        for i in torch.randperm(900).split(30):
            p, t = net(x[i]).flatten(1), mask[i].flatten(1)
            loss = (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": (net(x).round() - mask).abs().mean().item() / mask.mean().item()}
