"""Very deep networks that learn because something keeps their signal alive."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, moons, wine
from ..score import accuracy
from ..table import healthy


@healthy(split="build", odd="40 pre-norm residual blocks")
def residual_forty():
    class Block(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.net = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

        def forward(self, x):
            return x + self.net(x)

    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 32), *[Block(32) for _ in range(40)], nn.LayerNorm(32), nn.Linear(32, 10))
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(100):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="blocks skipped at random: some get no gradient in a step")
def stochastic_depth():
    class Block(nn.Module):
        def __init__(self, dim, keep):
            super().__init__()
            self.keep = keep
            self.norm = nn.LayerNorm(dim)
            self.fc = nn.Linear(dim, dim)

        def forward(self, x):
            if not self.training:
                return x + self.keep * F.gelu(self.fc(self.norm(x)))
            if torch.rand(()) > self.keep:
                return x
            return x + F.gelu(self.fc(self.norm(x)))

    torch.manual_seed(1)
    x, y = digits()
    blocks = [Block(48, 1 - 0.5 * k / 11) for k in range(12)]
    model = nn.Sequential(nn.Linear(64, 48), *blocks, nn.Linear(48, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="ReZero: every branch starts multiplied by 0")
def rezero():
    class Block(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.fc1, self.fc2 = nn.Linear(dim, dim), nn.Linear(dim, dim)
            self.alpha = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return x + self.alpha * self.fc2(F.relu(self.fc1(x)))

    torch.manual_seed(2)
    x, y = wine()
    model = nn.Sequential(nn.Linear(13, 24), *[Block(24) for _ in range(20)], nn.Linear(24, 3))
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="15 layers of ReLU with Kaiming weights")
def kaiming_fifteen():
    torch.manual_seed(3)
    x, y = digits()
    layers = [nn.Linear(64, 48), nn.ReLU()]
    for _ in range(14):
        layers += [nn.Linear(48, 48), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(48, 10))
    for layer in layers[::2]:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(6):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="20 layers of SELU, which normalise themselves")
def self_normalizing():
    torch.manual_seed(4)
    x, y = digits()
    x = (x - x.mean()) / x.std()
    layers, width = [], 64
    for _ in range(20):
        linear = nn.Linear(width, 40)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="linear")
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.SELU()]
        width = 40
    model = nn.Sequential(*layers, nn.Linear(40, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(150):
        i = torch.randint(len(x), (100,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="16 convolutions with batch norm and residuals whose last gain starts at 0")
def zero_gain_resnet():
    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
            self.conv2, self.bn2 = nn.Conv2d(c, c, 3, padding=1, bias=False), nn.BatchNorm2d(c)
            nn.init.zeros_(self.bn2.weight)

        def forward(self, x):
            return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))

    torch.manual_seed(5)
    x, y = digit_images()
    x, y = x[:800], y[:800]
    model = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), *[Block(8) for _ in range(8)], nn.Flatten(), nn.Linear(72, 10))
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for epoch in range(6):
        for i in torch.randperm(800).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="12 sigmoid layers, each behind a batch norm")
def normalized_sigmoids():
    torch.manual_seed(6)
    x, y = digits()
    layers, width = [], 64
    for _ in range(8):
        layers += [nn.Linear(width, 48), nn.BatchNorm1d(48), nn.Sigmoid()]
        width = 48
    model = nn.Sequential(*layers, nn.Linear(48, 10))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="highway gates nearly shut at the start carry the input through 25 layers")
def highway():
    class Highway(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.value, self.gate = nn.Linear(dim, dim), nn.Linear(dim, dim)
            nn.init.constant_(self.gate.bias, -2.0)

        def forward(self, x):
            g = torch.sigmoid(self.gate(x))
            return g * torch.tanh(self.value(x)) + (1 - g) * x

    torch.manual_seed(7)
    x, y = moons()
    model = nn.Sequential(nn.Linear(2, 16), *[Highway(16) for _ in range(25)], nn.Linear(16, 2))
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(150):
        loss = F.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="dense connections: every layer sees every earlier one")
def densely_connected():
    class DenseNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(64 + 12 * k, 12) for k in range(10)])
            self.out = nn.Linear(64 + 120, 10)

        def forward(self, x):
            for layer in self.layers:
                x = torch.cat([x, F.relu(layer(x))], 1)
            return self.out(x)

    torch.manual_seed(8)
    x, y = digits()
    net = DenseNet()
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}
