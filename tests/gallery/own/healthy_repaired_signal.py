"""Sick runs of the gallery with the one line at fault repaired: signal and units."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import adding, cancer, diabetes, digit_images, digits, raw_diabetes, wine
from ..score import accuracy, hits, matches
from ..table import healthy


@healthy(split="build", odd="eight layers of tanh in place of sigmoids")
def tanh_tower():
    torch.manual_seed(0)
    x, y = digits()
    layers = [nn.Linear(64, 32), nn.Tanh()]
    for _ in range(7):
        layers += [nn.Linear(32, 32), nn.Tanh()]
    model = nn.Sequential(*layers, nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for _ in range(250):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="ten layers of tanh, Xavier in place of std 0.02")
def tanh_xavier_weights():
    class Net(nn.Module):
        def __init__(self, features, width, depth, classes):
            super().__init__()
            sizes = [features] + [width] * depth
            self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
            self.out = nn.Linear(width, classes)
            for layer in self.hidden:
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, x):
            for layer in self.hidden:
                x = torch.tanh(layer(x))
            return self.out(x)

    torch.manual_seed(1)
    x, y = wine()
    net = Net(13, 50, 10, 3)
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(200):
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="build", odd="Xavier with gain 1.4 in place of 4")
def convolutions_with_xavier():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList([nn.Conv2d(1 if i == 0 else 12, 12, 3, padding=1) for i in range(8)])
            self.fc = nn.Linear(12 * 64, 10)
            for conv in self.convs:
                nn.init.xavier_uniform_(conv.weight, gain=1.4)

        def forward(self, x):
            for conv in self.convs:
                x = F.leaky_relu(conv(x), 0.1)
            return self.fc(x.flatten(1))

    torch.manual_seed(4)
    x, y = digit_images()
    x, y = x[:600], y[:600]
    net = Net()
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for _ in range(8):
        for i in torch.randperm(600).split(60):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(net, x, y)}


@healthy(split="judge", odd="20 layers of ELU, Kaiming")
def kaiming_elu_stack():
    class Regressor(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(10, 48)] + [nn.Linear(48, 48) for _ in range(19)])
            self.output = nn.Linear(48, 1)
            for layer in self.layers:
                nn.init.kaiming_normal_(layer.weight)

        def forward(self, x):
            for layer in self.layers:
                x = F.elu(layer(x))
            return self.output(x).squeeze(1)

    torch.manual_seed(5)
    x, y = diabetes()
    model = Regressor()
    opt = torch.optim.RMSprop(model.parameters(), lr=1e-4)
    for _ in range(120):
        loss = F.mse_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="a narrow encoder that does get its gradient")
def attached_encoder():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
            self.head = nn.Sequential(nn.ReLU(), nn.Linear(4, 10))

        def forward(self, x):
            features = self.encoder(x)
            return self.head(features)

    torch.manual_seed(0)
    x, y = digits()
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="a GRU outside no_grad")
def encoder_with_grad():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(2, 24, batch_first=True)
            self.fc = nn.Linear(24, 1)

        def forward(self, x):
            _, h = self.gru(x)
            return self.fc(h[-1])

    torch.manual_seed(3)
    x, y = adding(512, 10)
    model = Forecaster()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, 100, 0.5)
    for _ in range(200):
        i = torch.randint(512, (128,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        scheduler.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="judge", odd="steep sigmoids in place of a step")
def soft_threshold():
    class Binary(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))
            self.out = nn.Linear(10, 10)

        def forward(self, x):
            bits = torch.sigmoid(4 * self.hidden(x))
            return self.out(bits)

    torch.manual_seed(7)
    x, y = digits()
    net = Binary()
    opt = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9)
    for _ in range(150):
        opt.zero_grad()
        scores = net(x)
        loss = F.cross_entropy(scores, y, label_smoothing=0.05)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, y)}


@healthy(split="build", odd="the same net with live units")
def bias_of_zero():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    nn.init.constant_(model[2].bias, 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(200):
        i = torch.randint(len(x), (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="no rectifier at the end")
def linear_output():
    class Price(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
            self.net[4].bias.data.fill_(-2.0)

        def forward(self, x):
            return self.net(x)

    torch.manual_seed(4)
    x, _ = diabetes()
    _, y = raw_diabetes()
    y = (y / 100).unsqueeze(1)
    model = Price()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(200):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="judge", odd="sigmoid units within their slope")
def bias_of_one():
    torch.manual_seed(5)
    x, y = cancer()
    y = y.float().unsqueeze(1)
    net = nn.Sequential(nn.Linear(30, 16), nn.Tanh(), nn.Linear(16, 8), nn.Sigmoid(), nn.Linear(8, 1))
    nn.init.constant_(net[2].bias, 1.0)
    criterion = nn.BCEWithLogitsLoss()
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(150):
        opt.zero_grad()
        out = net(x)
        loss = criterion(out, y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(out, y)}
