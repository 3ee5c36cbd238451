"""More trainings on pictures and traces that go well."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, PolynomialLR
from torch.utils.data import DataLoader, Dataset

from ..data import digit_images, digits
from ..score import accuracy
from ..table import healthy
from .data_a import beats, figures


@healthy(split="wild", odd="eight layers without a norm or a shortcut, SELU and LeCun's draw, which hold the signal")
def digits_through_eight_selu_layers():
    torch.manual_seed(260)
    x, y = digits()
    x = (x - x[:1400].mean()) / x[:1400].std()
    sizes = [64] + [48] * 7
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.SELU()]
    net = nn.Sequential(*layers, nn.Linear(48, 10))
    for m in net:
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=m.in_features**-0.5)
            nn.init.zeros_(m.bias)
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    sched = PolynomialLR(opt, total_iters=350, power=1.0)
    for epoch in range(10):
        for b in torch.randperm(1400).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[b]), y[b]).backward()
            opt.step()
            sched.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@healthy(split="wild", odd="mixed labels: training accuracy is low and says nothing")
def pulses_by_mixup():
    torch.manual_seed(261)
    x, kind = beats()
    onehot = F.one_hot(kind, 4).float()
    net = nn.Sequential(
        *[nn.Conv1d(1, 16, 7, stride=2, padding=3), nn.BatchNorm1d(16), nn.ReLU()],
        *[nn.Conv1d(16, 24, 5, padding=2), nn.BatchNorm1d(24), nn.ReLU(), nn.AdaptiveMaxPool1d(1)],
        *[nn.Flatten(), nn.Linear(24, 4)],
    )
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=0.01)
    law = torch.distributions.Beta(0.4, 0.4)
    for epoch in range(20):
        net.train()
        for b in torch.randperm(400).split(40):
            other, share = b[torch.randperm(len(b))], law.sample()
            out = net(share * x[b] + (1 - share) * x[other])
            loss = F.cross_entropy(out, share * onehot[b] + (1 - share) * onehot[other])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[400:], kind[400:])}


@healthy(split="wild", odd="a shallow net of one convolution, max over time, Adamax at 0.02")
def pulses_by_one_convolution():
    torch.manual_seed(262)
    x, kind = beats()
    net = nn.Sequential(nn.Conv1d(1, 24, 15), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(24, 4))
    opt = torch.optim.Adamax(net.parameters(), lr=0.02)
    for step in range(250):
        b = torch.randint(400, (32,))
        opt.zero_grad()
        F.cross_entropy(net(x[b]), kind[b]).backward()
        opt.step()
    return {"accuracy": accuracy(net, x[400:], kind[400:])}


@healthy(split="wild", odd="pictures shifted and flipped at random; shuffled by the loader, batches of unequal size")
def figures_shifted_and_flipped():
    class Augmented(Dataset):
        def __init__(self, x, y):
            self.x, self.y = x, y

        def __len__(self):
            return len(self.x)

        def __getitem__(self, i):
            image = self.x[i]
            if torch.rand(()) < 0.5:
                image = image.flip(-1)
            return image.roll(int(torch.randint(-1, 2, ())), -1), self.y[i]

    torch.manual_seed(263)
    x, kind = figures()
    mean, std = x[:500].mean(), x[:500].std()
    x = (x - mean) / std
    net = nn.Sequential(
        *[nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(3)],
        *[nn.Flatten(), nn.Dropout(0.25), nn.Linear(96, 4)],
    )
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    for epoch in range(10):
        net.train()
        for xb, kb in DataLoader(Augmented(x[:500], kind[:500]), 24, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), kb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[500:], kind[500:])}


@healthy(split="wild", odd="the target network gets no gradient and no optimizer: it follows by an average")
def views_with_a_slow_teacher():
    torch.manual_seed(264)
    x, y = digits()
    online = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32), nn.BatchNorm1d(32))
    slow = copy.deepcopy(online).requires_grad_(False)
    predictor = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 32))
    opt = torch.optim.AdamW([*online.parameters(), *predictor.parameters()], lr=4e-3)

    def view(batch):
        return (batch + 0.1 * torch.randn_like(batch)) * (torch.rand_like(batch) > 0.15)

    for step in range(250):
        batch = x[torch.randint(1400, (96,))]
        a, b = view(batch), view(batch)
        loss = -F.cosine_similarity(predictor(online(a)), slow(b)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        with torch.no_grad():
            for p, q in zip(slow.parameters(), online.parameters()):
                p.lerp_(q, 0.05)
    online.eval()
    with torch.no_grad():
        z = F.normalize(online(x), dim=1)
    near = (z[1400:] @ z[:1400].T).argmax(1)
    return {"accuracy": (y[near] == y[1400:]).float().mean().item()}


@healthy(split="wild", odd="no class is named in the loss, whose triplets are drawn by class")
def digits_by_triplets():
    torch.manual_seed(265)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    criterion = nn.TripletMarginLoss(margin=1.0)
    opt = torch.optim.Adam(net.parameters(), lr=1.2e-2)
    rows = [torch.nonzero(y[:1400] == k).flatten() for k in range(10)]

    def pick(k):
        return rows[k][torch.randint(len(rows[k]), ())]

    for step in range(250):
        one = torch.randint(10, (48,))
        two = (one + torch.randint(1, 10, (48,))) % 10
        a, p, n = (torch.stack([pick(k) for k in ks.tolist()]) for ks in (one, one, two))
        loss = criterion(net(x[a]), net(x[p]), net(x[n]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x)
    near = torch.cdist(z[1400:], z[:1400]).argmin(1)
    return {"accuracy": (y[near] == y[1400:]).float().mean().item()}


@healthy(split="wild", odd="two heads, one for the class and one for the ink, weighted 1 to 5")
def digits_and_their_ink():
    class TwoHeads(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten())
            self.kind, self.ink = nn.Linear(256, 10), nn.Linear(256, 1)

        def forward(self, x):
            h = self.trunk(x)
            return self.kind(h), self.ink(h)

    torch.manual_seed(266)
    x, y = digit_images()
    ink = (x.mean((1, 2, 3)) - 0.3).unsqueeze(1) * 10
    net = TwoHeads()
    opt = torch.optim.NAdam(net.parameters(), lr=1e-2)
    sched = CosineAnnealingLR(opt, 210)
    for epoch in range(6):
        for b in torch.randperm(1400).split(40):
            kind, amount = net(x[b])
            loss = F.cross_entropy(kind, y[b]) + 5 * F.mse_loss(amount, ink[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
    with torch.no_grad():
        return {"accuracy": (net(x[1400:])[0].argmax(1) == y[1400:]).float().mean().item()}


@healthy(
    split="wild", odd="weights of the decoder are the encoder's, turned over: fewer parameters than layers suggest"
)
def traces_by_tied_weights():
    class Tied(nn.Module):
        def __init__(self, d, h):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(h, d))
            nn.init.orthogonal_(self.weight)
            self.inner, self.outer = nn.Parameter(torch.zeros(h)), nn.Parameter(torch.zeros(d))

        def forward(self, x):
            return F.linear(F.linear(x, self.weight, self.inner), self.weight.T, self.outer)

    torch.manual_seed(267)
    x, _ = beats()
    x = x.squeeze(1)
    net = Tied(64, 12)
    opt = torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9)
    sched = LambdaLR(opt, lambda n: min(1, n / 30) * (1 - n / 400))
    for step in range(400):
        b = torch.randint(400, (50,))
        opt.zero_grad()
        F.mse_loss(net(x[b]), x[b]).backward()
        opt.step()
        sched.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[400:]), x[400:]).item()}


@healthy(split="wild", odd="depthwise convolutions and a squeeze: gates near a half at the start")
def figures_by_gated_channels():
    class Gate(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.depth, self.point = nn.Conv2d(c, c, 3, padding=1, groups=c), nn.Conv2d(c, c, 1)
            self.norm = nn.BatchNorm2d(c)
            self.squeeze = nn.Sequential(nn.Linear(c, c // 4), nn.ReLU(), nn.Linear(c // 4, c), nn.Hardsigmoid())

        def forward(self, x):
            h = F.hardswish(self.norm(self.point(self.depth(x))))
            return x + h * self.squeeze(h.mean((2, 3)))[:, :, None, None]

    torch.manual_seed(268)
    x, kind = figures()
    net = nn.Sequential(nn.Conv2d(1, 16, 3, stride=2), Gate(16), Gate(16), nn.Flatten(), nn.Linear(400, 4))
    opt = torch.optim.AdamW(net.parameters(), lr=6e-3, weight_decay=0.02)
    for epoch in range(6):
        net.train()
        for b in torch.randperm(500).split(25):
            opt.zero_grad()
            F.cross_entropy(net(4 * x[b] - 1), kind[b]).backward()
            opt.step()
    return {"accuracy": accuracy(net, 4 * x[500:] - 1, kind[500:])}
