"""Images learned in ways that look odd and are not, as other people might."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.nn.utils.prune
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, digits_255
from ..score import accuracy, hits
from ..table import healthy
from .data import discs, waveforms


def epochs(net, x, y, opt, count, batch=32):
    for epoch in range(count):
        net.train()
        for i in torch.randperm(len(x)).split(batch):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()


@healthy(split="held", odd="twelve residual blocks, each starts as the identity: its last scale is 0")
def residual_blocks_from_zero():
    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
            self.conv2, self.bn2 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
            nn.init.zeros_(self.bn2.weight)

        def forward(self, x):
            return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))

    torch.manual_seed(0)
    x, y = digit_images()
    body = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), *(Block(8) for _ in range(12)))
    net = nn.Sequential(body, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 10))
    epochs(net, x, y, torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4), 3)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="fourteen plain layers of ReLU without normalisation, well initialised")
def fourteen_plain_layers():
    torch.manual_seed(1)
    x, y = digits()
    layers = []
    for a in [64] + [80] * 13:
        layers += [nn.Linear(a, 80), nn.ReLU()]
        nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")
        nn.init.zeros_(layers[-2].bias)
    net = nn.Sequential(*layers, nn.Linear(80, 10))
    epochs(net, x, y, torch.optim.SGD(net.parameters(), lr=5e-3, momentum=0.9), 30)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="separable convolutions, hard swish, squeezing and exciting through a sigmoid")
def separable_and_excited():
    class Excite(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.down, self.up = nn.Linear(c, c // 4), nn.Linear(c // 4, c)

        def forward(self, x):
            return x * torch.sigmoid(self.up(F.relu(self.down(x.mean((2, 3))))))[:, :, None, None]

    torch.manual_seed(2)
    x, y = digit_images()
    layers, c = [], 1
    for d in (16, 16, 24):
        layers += [nn.Conv2d(c, c, 3, padding=1, groups=c), nn.Conv2d(c, d, 1), nn.BatchNorm2d(d), nn.Hardswish()]
        layers += [Excite(d)]
        c = d
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(96, 10))
    epochs(net, x, y, torch.optim.RMSprop(net.parameters(), lr=2e-3), 8)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="whole blocks are left out at random, half of the last ones")
def blocks_left_out_at_random():
    class Dropped(nn.Module):
        def __init__(self, dim, drop):
            super().__init__()
            self.body = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
            self.drop = drop

        def forward(self, x):
            if self.training and torch.rand(()) < self.drop:
                return x
            return x + self.body(x)

    torch.manual_seed(3)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 48), *(Dropped(48, 0.06 * k) for k in range(9)), nn.Linear(48, 10))
    epochs(net, x, y, torch.optim.AdamW(net.parameters(), lr=1e-3), 15)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="SELU with alpha dropout, normal weights of the paper")
def selu_with_alpha_dropout():
    torch.manual_seed(4)
    x, y = digits()
    x = (x - x.mean()) / x.std()
    net = nn.Sequential()
    for a, b in ((64, 64), (64, 64), (64, 64), (64, 10)):
        layer = nn.Linear(a, b)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
        net.extend([layer, nn.SELU(), nn.AlphaDropout(0.1)] if b > 10 else [layer])
    epochs(net, x, y, torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9), 25)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="batches of two, but the groups are normalised and not the batch")
def groups_normalized_on_pairs():
    torch.manual_seed(5)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3),
        nn.GroupNorm(4, 16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3),
        nn.GroupNorm(4, 16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    epochs(net, x, y, torch.optim.SGD(net.parameters(), lr=5e-3, momentum=0.9), 3, batch=2)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="half of each picture is wiped out and noise put on the rest")
def half_of_each_picture_wiped():
    torch.manual_seed(6)
    x, y = digit_images()
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            mask = F.interpolate((torch.rand(len(xb), 1, 4, 4) > 0.5).float(), scale_factor=2)
            opt.zero_grad()
            loss = F.cross_entropy(net(xb * mask + 0.1 * torch.randn_like(xb)), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "loss": loss.item()}


@healthy(split="held", odd="pixels of 0 to 255 go straight into batch normalisation")
def bytes_into_batch_normalization():
    torch.manual_seed(7)
    x, y = digits_255()
    x = x.view(-1, 1, 8, 8)
    net = nn.Sequential(
        nn.BatchNorm2d(1),
        nn.Conv2d(1, 16, 3),
        nn.ReLU(),
        nn.BatchNorm2d(16),
        nn.Conv2d(16, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 10),
    )
    epochs(net, x, y, torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9), 8)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="segmentation by the Dice loss of soft masks")
def soft_dice():
    torch.manual_seed(8)
    x, mask = discs()
    net = nn.Sequential(nn.Conv2d(1, 12, 5, padding=2), nn.ReLU(), nn.Conv2d(12, 1, 5, padding=2), nn.Sigmoid())
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(40):
        for i in torch.randperm(400).split(20):
            p = net(x[i])
            loss = 1 - (2 * (p * mask[i]).sum() + 1) / (p.sum() + mask[i].sum() + 1)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), mask, 0.5)}


@healthy(split="held", odd="a small U-Net takes noise away; skips carry most of the signal")
def u_net_against_noise():
    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
            self.c = nn.ConvTranspose2d(16, 8, 2, stride=2)
            self.d = nn.Conv2d(16, 1, 3, padding=1)

        def forward(self, x):
            fine = F.silu(self.a(x))
            coarse = F.silu(self.b(F.avg_pool2d(fine, 2)))
            return x - self.d(torch.cat([fine, self.c(coarse)], 1))

    torch.manual_seed(9)
    x, _ = digit_images()
    net = UNet()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        for (clean,) in DataLoader(TensorDataset(x), batch_size=32, shuffle=True):
            loss = F.mse_loss(net(clean + 0.4 * torch.randn_like(clean)), clean)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": loss.item(), "noise": 0.16}


@healthy(split="held", odd="three heads at three depths, the losses of the early ones count a little")
def heads_at_three_depths():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.steps = nn.ModuleList([nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)])
            self.heads = nn.ModuleList([nn.Linear(64, 10) for _ in range(3)])

        def forward(self, x):
            scores = []
            for step, head in zip(self.steps, self.heads):
                x = F.relu(step(x))
                scores.append(head(x))
            return scores

    torch.manual_seed(10)
    x, y = digits()
    net = Deep()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(32):
            losses = [F.cross_entropy(s, y[i]) for s in net(x[i])]
            loss = losses[2] + 0.1 * losses[1] + 0.05 * losses[0]
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": (net(x)[2].argmax(1) == y).float().mean().item()}


@healthy(split="held", odd="weight normalisation and spectral normalisation")
def normalized_weights():
    torch.manual_seed(11)
    x, kind = waveforms()
    wn, sn = nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm
    look = nn.Sequential(wn(nn.Conv1d(1, 16, 9, stride=2)), nn.LeakyReLU(0.1), sn(nn.Conv1d(16, 16, 5)), nn.ReLU())
    net = nn.Sequential(look, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 3))
    epochs(net, x, kind, torch.optim.Adam(net.parameters(), lr=5e-3), 20)
    return {"accuracy": accuracy(net, x, kind)}


@healthy(split="held", odd="eight in ten weights are pruned and held at zero by a mask")
def eight_in_ten_pruned():
    torch.manual_seed(12)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    epochs(net, x, y, opt, 8)
    nn.utils.prune.l1_unstructured(net[0], "weight", 0.8)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    epochs(net, x, y, opt, 20)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="held", odd="focal loss: it is a tenth of the cross-entropy, and so are its gradients")
def focal_loss():
    torch.manual_seed(13)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Flatten(), nn.Linear(432, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            ce = F.cross_entropy(net(x[i]), y[i], reduction="none")
            loss = ((1 - torch.exp(-ce)) ** 2 * ce).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
