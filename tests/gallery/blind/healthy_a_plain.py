"""Ordinary trainings of ordinary nets, as many people write them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_linnerud
from torch.utils.data import DataLoader, TensorDataset, random_split

from ..data import cancer, digit_images, iris, raw_diabetes, standardized, wine
from ..score import accuracy, hits, matches
from ..table import healthy
from .data_a import emblems, fabrics, houses, loans, rentals


@healthy(split="blind", odd="nothing: a residual net with batch norms, a cosine schedule and weight decay")
def residual_net_for_fabrics():
    class BasicBlock(nn.Module):
        def __init__(self, c_in, c_out, stride=1):
            super().__init__()
            self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(c_out)
            self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(c_out)
            self.shortcut = nn.Identity() if c_in == c_out else nn.Conv2d(c_in, c_out, 1, stride, bias=False)

        def forward(self, x):
            out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
            return F.relu(out + self.shortcut(x))

    torch.manual_seed(1)
    x, y = fabrics()
    model = nn.Sequential(
        BasicBlock(3, 12), BasicBlock(12, 24, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 6)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8)
    for epoch in range(8):
        model.train()
        for inputs, labels in DataLoader(TensorDataset(x[:500], y[:500]), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
        scheduler.step()
    return {"accuracy": accuracy(model, x[500:], y[500:])}


@healthy(split="blind", odd="nothing: a table, a split, a scaler and a binary loss")
def cells_with_a_split():
    torch.manual_seed(2)
    x, y = cancer()
    train, test = random_split(TensorDataset(x, y.float()), [400, 169])
    model = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(25):
        model.train()
        for inputs, labels in DataLoader(train, batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels.unsqueeze(1))
            loss.backward()
            optimizer.step()
    model.eval()
    inputs, labels = test[:]
    return {"accuracy": hits(model(inputs), labels)}


@healthy(split="blind", odd="noisy data: half of the variance cannot be learned")
def progression_with_what_can_be_known():
    torch.manual_seed(3)
    x, y = raw_diabetes()
    x, y = standardized(x), standardized(y)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1), nn.Flatten(0))
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.1)
    for epoch in range(30):
        for i in torch.randperm(350).split(32):
            opt.zero_grad()
            F.mse_loss(net(x[i]), y[i]).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            opt.step()
    return {"error": F.mse_loss(net(x[350:]), y[350:]).item()}


@healthy(split="blind", odd="twenty rows and three targets, linear: the error is what exceeds that of least squares")
def exercise_and_body():
    torch.manual_seed(4)
    data = load_linnerud()
    x, y = (standardized(torch.tensor(a, dtype=torch.float32)) for a in (data.data, data.target))
    net = nn.Linear(3, 3)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(500):
        opt.zero_grad()
        F.mse_loss(net(x), y).backward()
        opt.step()
    best = F.mse_loss(x @ torch.linalg.lstsq(x, y).solution, y)
    return {"error": (F.mse_loss(net(x), y) / best).item() - 1}


@healthy(split="blind", odd="nothing: a convolutional autoencoder with a narrow code")
def digits_through_twelve_numbers():
    class AutoEncoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(1, 16, 3, 2, 1),
                nn.ReLU(),
                nn.Conv2d(16, 16, 3, 2, 1),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(64, 12),
            )
            self.decoder = nn.Sequential(
                nn.Linear(12, 64),
                nn.ReLU(),
                nn.Unflatten(1, (16, 2, 2)),
                nn.ConvTranspose2d(16, 16, 4, 2, 1),
                nn.ReLU(),
            )
            self.last = nn.ConvTranspose2d(16, 1, 4, 2, 1)

        def forward(self, x):
            return torch.sigmoid(self.last(self.decoder(self.encoder(x))))

    torch.manual_seed(5)
    x, _ = digit_images()
    model = AutoEncoder()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(12):
        for (batch,) in DataLoader(TensorDataset(x), batch_size=64, shuffle=True):
            opt.zero_grad()
            F.mse_loss(model(batch), batch).backward()
            opt.step()
    return {"error": (F.mse_loss(model(x), x) / x.var(0).mean()).item()}


@healthy(split="blind", odd="prices are learned by their logarithm, and judged in dollars")
def logarithms_of_prices():
    torch.manual_seed(6)
    x, y = houses()
    x, level = standardized(x), y.log().mean()
    net = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(30):
        for xb, yb in DataLoader(TensorDataset(x, y.log() - level), batch_size=32, shuffle=True):
            opt.zero_grad()
            F.mse_loss(net(xb).squeeze(1), yb).backward()
            opt.step()
    return {"error": (F.mse_loss((net(x).squeeze(1) + level).exp(), y) / y.var()).item()}


@healthy(split="blind", odd="nothing: a class weight for the rare class")
def borrowers_with_a_weight():
    torch.manual_seed(7)
    x, y = loans(2000, 0.1)
    net = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(9.0))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        net.train()
        for i in torch.randperm(2000).split(64):
            opt.zero_grad()
            criterion(net(x[i])[:, 0], y[i].float()).backward()
            opt.step()
    net.eval()
    yes = net(x)[:, 0] > 0
    return {"accuracy": (yes[y == 1].float().mean().item() + (~yes)[y == 0].float().mean().item()) / 2}


@healthy(split="blind", odd="five nets at once, as one with a batch of matrices")
def five_nets_in_one():
    torch.manual_seed(8)
    x, y = wine()
    w1 = nn.Parameter(torch.randn(5, 13, 24) / 13**0.5)
    b1 = nn.Parameter(torch.zeros(5, 1, 24))
    w2 = nn.Parameter(torch.randn(5, 24, 3) / 24**0.5)

    def forward(x):
        return torch.einsum("knh,khc->knc", torch.relu(torch.einsum("nf,kfh->knh", x, w1) + b1), w2)

    opt = torch.optim.Adam([w1, b1, w2], lr=5e-3)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(16):
            opt.zero_grad()
            F.cross_entropy(forward(x[i]).flatten(0, 1), y[i].repeat(5)).backward()
            opt.step()
    return {"accuracy": matches(forward(x).softmax(2).mean(0), y)}


@healthy(split="blind", odd="three flowers, a small net and SGD with Nesterov momentum")
def flowers_by_nesterov():
    torch.manual_seed(9)
    x, y = iris()
    net = nn.Sequential(nn.Linear(4, 10), nn.Tanh(), nn.Linear(10, 3), nn.LogSoftmax(dim=1))
    criterion = nn.NLLLoss()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for epoch in range(60):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=15, shuffle=True):
            opt.zero_grad()
            criterion(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="blind", odd="a mean and a spread for each count, by the Gaussian likelihood, which goes below 0")
def spread_beside_the_mean():
    torch.manual_seed(10)
    x, y = rentals()
    y = (y + 0.375).sqrt() / 3
    net = nn.Sequential(nn.Linear(4, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 2))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(30):
        for i in torch.randperm(800).split(40):
            mean, spread = net(x[i]).unbind(1)
            loss = F.gaussian_nll_loss(mean, y[i], F.softplus(spread) + 1e-4)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": (F.mse_loss(net(x)[:, 0], y) / y.var()).item()}


@healthy(split="blind", odd="nothing: depthwise convolutions and hard swishes on emblems")
def depthwise_on_emblems():
    def block(a, b, stride):
        return [
            nn.Conv2d(a, a, 3, stride, 1, groups=a, bias=False),
            nn.BatchNorm2d(a),
            nn.Hardswish(),
            nn.Conv2d(a, b, 1, bias=False),
            nn.BatchNorm2d(b),
            nn.Hardswish(),
        ]

    torch.manual_seed(11)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3, 1, 1), *block(12, 24, 2), *block(24, 32, 2), nn.Flatten(), nn.Linear(288, 4)
    )
    opt = torch.optim.AdamW(net.parameters(), lr=5e-3, weight_decay=1e-2)
    for epoch in range(8):
        net.train()
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
