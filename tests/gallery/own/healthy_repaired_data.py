"""Sick runs of the gallery with the one line at fault repaired: updates, data, numerics."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters, digit_images, digits, digits_255, iris, regression, waves, wine
from ..score import accuracy
from ..table import healthy


@healthy(split="build", odd="gradients zeroed at each step")
def sgd_with_zero_grad():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    for epoch in range(15):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True):
            loss = F.cross_entropy(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="a ModuleList in place of a list")
def layers_in_a_module_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(64, 16), nn.Linear(16, 6)])
            self.out = nn.Linear(6, 10)

        def forward(self, x):
            for layer in self.layers:
                x = F.relu(layer(x))
            return self.out(x)

    torch.manual_seed(0)
    x, y = digits()
    model = Net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(250):
        i = torch.randint(len(x), (256,))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="head replaced before the optimizer was made")
def head_replaced_in_time():
    class CNN(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3, stride=2)
            self.fc = nn.Linear(36, classes)

        def forward(self, x):
            return self.fc(F.relu(self.conv(x)).flatten(1))

    torch.manual_seed(2)
    x, y = digit_images()
    model = CNN(1000)
    model.fc = nn.Linear(36, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(5):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="pixels divided by 255")
def scaled_pixels_cnn():
    class CNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 8, 3)
            self.conv2 = nn.Conv2d(8, 8, 3)
            self.fc = nn.Linear(8 * 16, 10)

        def forward(self, x):
            x = F.relu(self.conv2(F.relu(self.conv(x))))
            return self.fc(x.flatten(1))

    torch.manual_seed(1)
    x, y = digits_255()
    x = x / 255
    loader = DataLoader(TensorDataset(x.view(-1, 1, 8, 8), y), batch_size=64, shuffle=True)
    net = CNN()
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(5):
        for xb, yb in loader:
            opt.zero_grad()
            loss = nn.CrossEntropyLoss()(net(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x.view(-1, 1, 8, 8), y)}


@healthy(split="judge", odd="a series scaled before use")
def series_scaled():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(1, 16, batch_first=True)
            self.fc = nn.Linear(16, 1)

        def forward(self, x):
            return self.fc(self.gru(x)[0][:, -1])

    torch.manual_seed(5)
    x, y = waves(256, 15)
    x = 20_000 + 5_000 * x
    x = (x - x.mean()) / x.std()
    model = Forecaster()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(120):
        i = torch.randint(256, (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="build", odd="inputs and targets in step")
def rightly_joined_regression():
    torch.manual_seed(12)
    x, y = regression(2000, 8)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        i = torch.randint(2000, (100,))
        loss = F.mse_loss(model(x[i]).squeeze(1), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="judge", odd="a row of zeros, guarded")
def zero_row_guarded():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))

        def forward(self, x):
            x = x / x.norm(dim=1, keepdim=True).clamp_min(1e-6)
            return self.layers(x)

    torch.manual_seed(1)
    x, y = wine()
    x = x.clone()
    x[40] = 0
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(15):
        for i in torch.randperm(178).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="gradients of 1e4 near distance 0, guarded")
def distance_with_floor():
    torch.manual_seed(2)
    x, y = iris()
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    same = (y[:, None] == y).float()
    for _ in range(80):
        z = net(x)
        distance = ((z[:, None] - z) ** 2).sum(-1).add(1e-8).sqrt()
        loss = (same * distance + (1 - same) * F.relu(2 - distance)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="judge", odd="scores of -inf, but never a whole row")
def partly_masked_row():
    class Attention(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))

        def forward(self, x, mask):
            scores = self.q(x) @ self.k(x).transpose(1, 2) / x.size(-1) ** 0.5
            scores = scores.masked_fill(~mask[:, None], float("-inf"))
            return scores.softmax(-1) @ self.v(x)

    class Model(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.attention = Attention(16)
            self.head = nn.Linear(16, vocab)

        def forward(self, tokens, mask):
            return self.head(self.attention(self.embed(tokens), mask)[:, -1])

    torch.manual_seed(7)
    ids, vocab = characters()
    windows = ids.unfold(0, 7, 1)
    model = Model(vocab)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        w = windows[torch.randint(len(windows), (64,))]
        length = torch.randint(1, 7, (64, 1))
        mask = torch.arange(6) < length
        loss = F.cross_entropy(model(w[:, :-1], mask), w[:, -1])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}
