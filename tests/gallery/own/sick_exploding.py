"""Gradients that explode on the way back."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import diabetes, digit_images, digits, waves, wine
from ..score import accuracy, matches
from ..table import sick


@sick(
    "UT102", module=tuple(str(i) for i in range(0, 16, 2)), split="build", note="nn.init.normal_ with its default std"
)
def weights_of_std_one():
    torch.manual_seed(0)
    x, y = digits()
    widths = [64] + [64] * 7 + [10]
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    for p in model.parameters():
        nn.init.normal_(p)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loader = DataLoader(TensorDataset(x, y), batch_size=128, shuffle=True)
    for _ in range(12):
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT102", module="rnn", split="judge", note="recurrence of gain 2.2")
def relu_rnn_gain():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(1, 32, nonlinearity="relu", batch_first=True)
            self.fc = nn.Linear(32, 1)
            nn.init.orthogonal_(self.rnn.weight_hh_l0, gain=2.2)

        def forward(self, x):
            out, _ = self.rnn(x)
            return self.fc(out[:, -1])

    torch.manual_seed(1)
    x, y = waves(256, 40)
    model = Forecaster()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(150):
        i = torch.randint(0, 256, (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@sick("UT102", module=None, split="build", note="functional linear recurrence, spectral radius 1.4")
def linear_recurrence():
    torch.manual_seed(2)
    x, y = waves(128, 30)
    w_in = (0.5 * torch.randn(1, 24)).requires_grad_()
    w_rec = (0.3 * torch.randn(24, 24)).requires_grad_()
    w_out = (0.2 * torch.randn(24, 1)).requires_grad_()
    optimizer = torch.optim.SGD([w_in, w_rec, w_out], lr=1e-3)
    for _ in range(100):
        h = torch.zeros(128, 24)
        for t in range(30):
            h = x[:, t] @ w_in + h @ w_rec
        loss = ((h @ w_out - y) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"loss": loss.item()}


@sick("UT102", module=tuple(f"blocks.{i}" for i in range(28)), split="judge", note="residual sum, nothing normalises")
def residual_without_norm():
    class Block(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.fc1 = nn.Linear(dim, dim)
            self.fc2 = nn.Linear(dim, dim)
            nn.init.kaiming_normal_(self.fc1.weight, nonlinearity="relu")
            nn.init.kaiming_normal_(self.fc2.weight, nonlinearity="relu")

        def forward(self, x):
            return x + self.fc2(F.relu(self.fc1(x)))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Linear(13, 32)
            self.blocks = nn.Sequential(*[Block(32) for _ in range(28)])
            self.head = nn.Linear(32, 3)

        def forward(self, x):
            return self.head(self.blocks(self.stem(x)))

    torch.manual_seed(3)
    x, y = wine()
    model = ResNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(80):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT102", module=tuple(f"convs.{i}" for i in range(8)), split="build", note="Xavier with gain 4")
def convolutions_with_gain():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList([nn.Conv2d(1 if i == 0 else 12, 12, 3, padding=1) for i in range(8)])
            self.fc = nn.Linear(12 * 64, 10)
            for conv in self.convs:
                nn.init.xavier_uniform_(conv.weight, gain=4.0)

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


@sick("UT102", module=tuple(f"layers.{i}" for i in range(20)), split="judge", note="uniform weights in -0.5..0.5")
def uniform_elu_stack():
    class Regressor(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(10, 48)] + [nn.Linear(48, 48) for _ in range(19)])
            self.output = nn.Linear(48, 1)
            for layer in self.layers:
                nn.init.uniform_(layer.weight, -0.5, 0.5)

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


@sick("UT102", module=tuple(f"rounds.{i}" for i in range(5)), split="build", note="sum over neighbours, not a mean")
def summed_neighbours():
    class GraphNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(13, 16)
            self.rounds = nn.ModuleList([nn.Linear(16, 16) for _ in range(5)])
            self.readout = nn.Linear(16, 3)

        def forward(self, x, neighbours):
            x = self.embed(x)
            for layer in self.rounds:
                x = F.relu(layer(neighbours @ x))
            return self.readout(x)

    torch.manual_seed(6)
    x, y = wine()
    neighbours = (torch.cdist(x, x) < 3).float()
    net = GraphNet()
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(100):
        scores = net(x, neighbours)
        loss = F.cross_entropy(scores, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, y)}


@sick("UT102", module=tuple(f"encoder.{i}" for i in range(10)), split="judge", note="attention without LayerNorm")
def transformer_without_norm():
    class Layer(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.qkv = nn.Linear(dim, 3 * dim)
            self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
            for p in self.parameters():
                if p.dim() > 1:
                    nn.init.kaiming_uniform_(p, nonlinearity="relu")

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, -1)
            x = x + F.scaled_dot_product_attention(q, k, v)
            return x + self.mlp(x)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(8, 24)
            self.encoder = nn.ModuleList([Layer(24) for _ in range(10)])
            self.head = nn.Linear(24, 10)

        def forward(self, x):
            x = self.embed(x)
            for layer in self.encoder:
                x = layer(x)
            return self.head(x.mean(1))

    torch.manual_seed(7)
    x, y = digits()
    x = x.view(-1, 8, 8)
    model = Model()
    opt = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for _ in range(120):
        i = torch.randint(len(x), (64,))
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}
