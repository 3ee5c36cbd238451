"""Losses summed, turned round or cut short, and modes of training."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, digit_images, digits, standardized
from ..score import accuracy
from ..table import sick
from .data_a import beats, calls, discs, flats, friedman, patients, tags


@sick(
    "UT405",
    split="wild",
    note="a ReLU after the last layer for a target with both signs",
    cured=(("return F.relu(self.layers[-1](x))", "return self.layers[-1](x)"),),
)
def friedman_never_negative():
    class MLP(nn.Module):
        def __init__(self, *sizes):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))

        def forward(self, x):
            for layer in self.layers[:-1]:
                x = F.relu(layer(x))
            return F.relu(self.layers[-1](x))  # <- fault

    torch.manual_seed(60)
    x, y = friedman()
    y = y.unsqueeze(1)
    net = MLP(10, 48, 48, 1)
    opt = torch.optim.RMSprop(net.parameters(), lr=2e-3)
    for epoch in range(30):
        for b in torch.randperm(480).split(40):
            loss = F.mse_loss(net(x[b]), y[b])
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]), y[480:]).item()}


@sick(
    "UT406",
    split="wild",
    note="instance norm, then the mean over the same pixels: nothing of the picture is left",
    cured=(("nn.InstanceNorm2d(24, affine=True)", "nn.GroupNorm(4, 24)"),),
)
def digits_averaged_after_instance_norm():
    def conv(a, b):
        return nn.Conv2d(a, b, 3, padding=1, bias=False)

    torch.manual_seed(61)
    x, y = digit_images()
    net = nn.Sequential(
        *[conv(1, 16), nn.InstanceNorm2d(16, affine=True), nn.ReLU(), nn.MaxPool2d(2)],
        *[conv(16, 24), nn.InstanceNorm2d(24, affine=True), nn.AdaptiveAvgPool2d(1)],
        *[nn.Flatten(), nn.Linear(24, 10)],
    )
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
    for step in range(200):
        b = torch.randint(1400, (48,))
        opt.zero_grad()
        F.cross_entropy(net(x[b]), y[b]).backward()
        opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@sick(
    "UT406",
    split="wild",
    note="the gate multiplies by a mask of zeros that was meant to be of ones",
    cured=(("torch.zeros(n_features)", "torch.ones(n_features)"),),
)
def tumours_behind_a_mask():
    class Masked(nn.Module):
        def __init__(self, n_features, hidden=20):
            super().__init__()
            self.register_buffer("keep", torch.zeros(n_features))  # <- fault
            self.embed = nn.Linear(n_features, hidden)
            self.norm = nn.LayerNorm(hidden)
            self.out = nn.Linear(hidden, 2)

        def forward(self, x):
            return self.out(F.gelu(self.norm(self.embed(x * self.keep))))

    torch.manual_seed(62)
    x, y = cancer()
    model = Masked(30)
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(10):
        model.train()
        for xb, yb in DataLoader(TensorDataset(x[:450], y[:450]), 30, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(model(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(model, x[450:], y[450:])}


@sick(
    "UT407",
    split="wild",
    note="Poisson likelihood summed over the batch, momentum",
    cured=(("loss.sum()", "loss.mean()"),),
)
def calls_summed_over_the_batch():
    torch.manual_seed(63)
    x, y = calls()
    net = nn.Sequential(nn.Linear(5, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(40):
        for b in torch.randperm(480).split(48):
            rate = net(x[b]).squeeze(1)
            loss = rate.exp() - y[b] * rate
            opt.zero_grad()
            loss.sum().backward()
            opt.step()
    with torch.no_grad():
        rate = net(x[480:]).squeeze(1)
        return {"error": (rate.exp() - y[480:]).abs().mean().item()}


@sick(
    "UT409",
    split="wild",
    note="the Dice coefficient itself as the loss",
    cured=(("return dice.mean()", "return 1 - dice.mean()"),),
)
def discs_by_the_wrong_end_of_dice():
    def dice_loss(logits, truth):
        p = logits.sigmoid().flatten(1)
        t = truth.flatten(1)
        dice = (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)
        return dice.mean()

    torch.manual_seed(64)
    image, mask = discs()
    net = nn.Sequential(
        *[nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU()],
        *[nn.Conv2d(12, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.Conv2d(12, 1, 1)],
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(10):
        net.train()
        for i in torch.randperm(260).split(20):
            loss = dice_loss(net(image[i]), mask[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    net.eval()
    with torch.no_grad():
        found, truth = net(image[260:]) > 0, mask[260:] > 0
    return {"accuracy": ((found & truth).sum() / (found | truth).sum().clamp_min(1)).item()}


@sick(
    "UT409",
    split="wild",
    note="partial likelihood of Cox without its minus",
    cured=(("return (risk - norm)[seen == 1].mean()", "return (norm - risk)[seen == 1].mean()"),),
)
def survival_the_wrong_way_round():
    def cox(risk, time, seen):
        order = time.argsort(descending=True)
        risk, seen = risk[order], seen[order]
        norm = risk.logcumsumexp(0)
        return (risk - norm)[seen == 1].mean()

    def concordance(risk, time, seen):
        earlier = (time[:, None] < time[None]) & (seen[:, None] == 1)
        return (risk[:, None] > risk[None])[earlier].float().mean().item()

    torch.manual_seed(65)
    x, time, seen = patients()
    net = nn.Sequential(nn.Linear(8, 24), nn.SELU(), nn.Dropout(0.1), nn.Linear(24, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    for epoch in range(25):
        net.train()
        for b in torch.randperm(400).split(100):
            opt.zero_grad()
            cox(net(x[b]).squeeze(1), time[b], seen[b]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            opt.step()
    net.eval()
    with torch.no_grad():
        return {"accuracy": concordance(net(x[400:]).squeeze(1), time[400:], seen[400:])}


@sick(
    "UT601",
    split="wild",
    note="eval() for a validation and never train() again: norms as they were made, inputs far from 0",
    cured=(
        ("for b in torch.randperm(480).split(32):", "net.train()\n        for b in torch.randperm(480).split(32):"),
    ),
)
def rents_validated_first():
    torch.manual_seed(66)
    x, rent = flats()
    y = standardized(rent)
    net = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    best = float("inf")
    for epoch in range(20):
        net.eval()
        with torch.no_grad():
            best = min(best, F.mse_loss(net(x[480:]), y[480:]).item())
        for b in torch.randperm(480).split(32):
            opt.zero_grad()
            F.mse_loss(net(x[b]), y[b]).backward()
            opt.step()
    net.eval()
    with torch.no_grad():
        return {"error": F.mse_loss(net(x[480:]), y[480:]).item()}


@sick(
    "UT602",
    split="wild",
    note="batch norm over two traces at a time after pooling to one value for each channel",
    module=("bn", "bn2"),
    cured=(("batch_size=2,", "batch_size=24,"), ("range(2)", "range(15)")),
)
def pulses_two_by_two():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 16, 9, padding=4)
            self.pool = nn.AdaptiveMaxPool1d(1)
            self.bn = nn.BatchNorm1d(16)
            self.fc = nn.Linear(16, 32)
            self.bn2 = nn.BatchNorm1d(32)
            self.head = nn.Linear(32, 4)

        def forward(self, x):
            x = self.bn(self.pool(F.relu(self.conv(x))).flatten(1))
            return self.head(F.relu(self.bn2(self.fc(x))))

    torch.manual_seed(67)
    x, kind = beats()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(2):
        net.train()
        for xb, kb in DataLoader(TensorDataset(x[:400], kind[:400]), batch_size=2, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), kb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[400:], kind[400:])}


@sick(
    "UT603",
    split="wild",
    note="dropout of 0.9 after each layer, meant as the share to keep",
    cured=(("keep=0.9", "keep=0.1"),),
)
def tags_nine_tenths_dropped():
    def dense(a, b, keep=0.9):
        return [nn.Linear(a, b), nn.ReLU(), nn.Dropout(keep)]

    torch.manual_seed(68)
    x, y = tags()
    net = nn.Sequential(*dense(20, 64), *dense(64, 64), nn.Linear(64, 5))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        net.train()
        for b in torch.randperm(560).split(40):
            opt.zero_grad()
            F.multilabel_soft_margin_loss(net(x[b]), y[b]).backward()
            opt.step()
    net.eval()
    return {"accuracy": ((net(x[560:]) > 0) == (y[560:] > 0)).float().mean().item()}


@sick(
    "UT604",
    split="wild",
    note="gradients of 16 small batches added and never divided, SGD",
    cured=(("F.cross_entropy(net(xb), yb).backward()", "(F.cross_entropy(net(xb), yb) / 16).backward()"),),
)
def digits_in_sixteen_pieces():
    torch.manual_seed(69)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.5)
    loader = DataLoader(TensorDataset(x[:1408], y[:1408]), batch_size=8, shuffle=True, drop_last=True)
    for epoch in range(8):
        for i, (xb, yb) in enumerate(loader):
            F.cross_entropy(net(xb), yb).backward()  # <- fault
            if (i + 1) % 16 == 0:
                opt.step()
                opt.zero_grad()
    return {"accuracy": accuracy(net, x[1408:], y[1408:])}
