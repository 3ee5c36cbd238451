"""Gradients that vanish on the way back."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, first_symbol, moons, wine
from ..score import accuracy, matches
from ..table import sick


@sick("UT101", module=tuple(str(i) for i in range(1, 16, 2)), split="build")
def sigmoid_tower():
    torch.manual_seed(0)
    x, y = digits()
    layers = [nn.Linear(64, 32), nn.Sigmoid()]
    for _ in range(7):
        layers += [nn.Linear(32, 32), nn.Sigmoid()]
    model = nn.Sequential(*layers, nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    for _ in range(150):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT101", module=tuple(f"hidden.{i}" for i in range(10)), split="judge", note="weights drawn with std 0.02")
def tanh_small_weights():
    class Net(nn.Module):
        def __init__(self, features, width, depth, classes):
            super().__init__()
            sizes = [features] + [width] * depth
            self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes, sizes[1:]))
            self.out = nn.Linear(width, classes)
            for layer in self.hidden:
                nn.init.normal_(layer.weight, std=0.02)
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


@sick("UT101", module=tuple(f"body.{i}" for i in range(30)), split="build", note="PyTorch's default initialisation")
def plain_relu_thirty():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Linear(2, 16)
            self.body = nn.ModuleList([nn.Linear(16, 16) for _ in range(30)])
            self.head = nn.Linear(16, 2)

        def forward(self, x):
            x = F.relu(self.stem(x))
            for layer in self.body:
                x = F.relu(layer(x))
            return self.head(x)

    torch.manual_seed(2)
    x, y = moons()
    loader = DataLoader(TensorDataset(x, y), batch_size=100, shuffle=True)
    model = Deep()
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for _ in range(40):
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT101", module="rnn", split="judge")
def rnn_forgets_first_symbol():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(4, 24, batch_first=True)
            self.out = nn.Linear(24, 4)

        def forward(self, x):
            _, h = self.rnn(x)
            return self.out(h[-1])

    torch.manual_seed(3)
    x, y = first_symbol(4000, 100)
    model = Reader()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(150):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT101", module=("cell", "cell.hidden", "cell.inputs"), split="build")
def sigmoid_cell_by_hand():
    class Cell(nn.Module):
        def __init__(self, inputs, hidden):
            super().__init__()
            self.inputs = nn.Linear(inputs, hidden)
            self.hidden = nn.Linear(hidden, hidden)

        def forward(self, x, h):
            return torch.sigmoid(self.inputs(x) + self.hidden(h))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = Cell(4, 32)
            self.decode = nn.Linear(32, 4)

        def forward(self, x):
            h = x.new_zeros(len(x), 32)
            for t in range(x.shape[1]):
                h = self.cell(x[:, t], h)
            return self.decode(h)

    torch.manual_seed(4)
    x, y = first_symbol(2000, 25)
    model = Model()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for _ in range(120):
        optimizer.zero_grad()
        i = torch.randperm(2000)[:200]
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT101", module=tuple(f"features.{i}" for i in range(1, 16, 2)), split="judge")
def sigmoid_convolutions():
    class ConvNet(nn.Module):
        def __init__(self):
            super().__init__()
            layers, channels = [], 1
            for _ in range(8):
                layers += [nn.Conv2d(channels, 8, 3, padding=1), nn.Sigmoid()]
                channels = 8
            self.features = nn.Sequential(*layers)
            self.classifier = nn.Linear(8 * 64, 10)

        def forward(self, x):
            return self.classifier(self.features(x).flatten(1))

    torch.manual_seed(5)
    x, y = digit_images()
    x, y = x[:640], y[:640]
    model = ConvNet()
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@sick("UT101", module=("lstm", ""), split="build", note="gates half closed at birth, 80 steps")
def lstm_long_gap():
    torch.manual_seed(6)
    x, y = first_symbol(3000, 80)
    model = nn.ModuleDict({"lstm": nn.LSTM(4, 20, batch_first=True), "head": nn.Linear(20, 4)})
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(80):
        i = torch.randint(len(x), (96,))
        out, _ = model["lstm"](x[i])
        logits = model["head"](out[:, -1])
        loss = nn.functional.cross_entropy(logits, y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(logits, y[i])}


@sick("UT101", module=tuple(f"layers.{i}" for i in range(12)), split="judge", note="mean over neighbours, 12 times")
def oversmoothed_graph():
    class GraphNet(nn.Module):
        def __init__(self, features, hidden, classes, depth):
            super().__init__()
            sizes = [features] + [hidden] * (depth - 1) + [classes]
            self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])])

        def forward(self, x, adjacency):
            for layer in self.layers[:-1]:
                x = torch.relu(adjacency @ layer(x))
            return self.layers[-1](x)

    torch.manual_seed(7)
    x, y = wine()
    adjacency = (torch.rand(len(x), len(x)) < 0.1).float() + 10 * torch.eye(len(x)) + (torch.cdist(x, x) < 2.5).float()
    adjacency = adjacency / adjacency.sum(1, keepdim=True)
    net = GraphNet(13, 16, 3, 12)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=5e-4)
    for _ in range(150):
        opt.zero_grad()
        scores = net(x, adjacency)
        loss = F.cross_entropy(scores, y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, y)}


@sick("UT101", module=tuple(f"{i}" for i in range(0, 24, 2)), split="build", note="autoencoder, weights of std 0.01")
def small_weight_autoencoder():
    torch.manual_seed(8)
    x, _ = digits()
    sizes = [64, 48, 40, 32, 24, 16, 8, 16, 24, 32, 40, 48]
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(48, 64))
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)
    opt = torch.optim.Adagrad(model.parameters(), lr=0.03)
    for _ in range(250):
        batch = x[torch.randint(len(x), (256,))]
        loss = F.mse_loss(model(batch), batch)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": x.var(0).mean().item()}


@sick(
    "UT101", module=tuple(f"stages.{i}" for i in range(20)), split="judge", note="gates of a highway net shut both ways"
)
def shrinking_stages():
    class Stage(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.value = nn.Linear(width, width)
            self.gate = nn.Linear(width, width)

        def forward(self, x):
            return torch.tanh(self.value(x)) * torch.sigmoid(self.gate(x))

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.stages = nn.Sequential(*[Stage(64) for _ in range(20)])
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            return self.head(self.stages(x))

    torch.manual_seed(9)
    x, y = digits()
    x, y = x[:512], y[:512]
    model = Gated()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-4)
    for _ in range(80):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}
