"""Gradients that vanish on the way back, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits, first_symbol
from ..score import accuracy, matches
from ..table import sick
from .data import communities


@sick(
    "UT101",
    module=tuple(f"encoder.{i}" for i in range(8)) + tuple(f"decoder.{i}" for i in range(8)),
    split="held",
    note="my autoencoder gives the same picture for every input: eight sigmoid layers, SGD",
    cured=(("nn.Sigmoid()", "nn.ELU()"),),
)
def autoencoder_of_sigmoids():
    class DeepAutoencoder(nn.Module):
        def __init__(self, width):
            super().__init__()
            sizes = [64, width, 32, 24, 16]
            self.encoder = nn.Sequential()
            for a, b in zip(sizes, sizes[1:]):
                self.encoder.extend([nn.Linear(a, b), nn.Sigmoid()])
            self.decoder = nn.Sequential()
            for a, b in zip(sizes[::-1], sizes[-2::-1]):
                self.decoder.extend([nn.Linear(a, b), nn.Sigmoid()])

        def forward(self, x):
            return self.decoder(self.encoder(x))

    torch.manual_seed(0)
    x, _ = digits()
    model = DeepAutoencoder(48)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    for epoch in range(40):
        for (batch,) in DataLoader(TensorDataset(x), batch_size=32, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(batch), batch)
            loss.backward()
            optimizer.step()
    return {"error": criterion(model(x), x).item()}


@sick(
    "UT101",
    module=tuple(f"hidden.{i}" for i in range(10)),
    split="held",
    note="ten tanh layers whose weights all start at a standard deviation of 0.01",
    cured=(("nn.init.normal_(m.weight, std=0.01)", "nn.init.xavier_normal_(m.weight)"),),
)
def weights_of_a_hundredth():
    def init_weights(m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, std=0.01)
            nn.init.zeros_(m.bias)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.ModuleList([nn.Linear(64 if i == 0 else 50, 50) for i in range(10)])
            self.out = nn.Linear(50, 10)

        def forward(self, x):
            for layer in self.hidden:
                x = torch.tanh(layer(x))
            return self.out(x)

    torch.manual_seed(1)
    x, y = digits()
    net = Net()
    net.apply(init_weights)
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(60):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT101",
    module=("cell", ""),
    split="held",
    note="the answer stands at the start of 25 symbols; a tanh cell with small recurrent weights",
    cured=(("nn.init.uniform_(self.cell.weight_hh, -0.05, 0.05)", "nn.init.eye_(self.cell.weight_hh)"),),
)
def cell_with_small_recurrent_weights():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.RNNCell(4, 32)
            nn.init.uniform_(self.cell.weight_hh, -0.05, 0.05)
            nn.init.uniform_(self.cell.weight_ih, -0.2, 0.2)
            self.head = nn.Linear(32, 4)

        def forward(self, x):
            h = torch.zeros(len(x), 32)
            for t in range(x.shape[1]):
                h = self.cell(x[:, t], h)
            return self.head(h)

    torch.manual_seed(2)
    x, y = first_symbol(6000, 25)
    model = Tagger()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(800):
        i = torch.randint(6000, (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT101",
    module=tuple(f"features.{i}" for i in range(32)),
    split="held",
    note="sixteen plain convolutions with PyTorch's default weights",
    cured=(
        (
            "layers += [nn.Conv2d(c, 12, 3, padding=1), nn.ReLU()]",
            "layers += [nn.Conv2d(c, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU()]",
        ),
    ),
)
def sixteen_plain_convolutions():
    class VGGish(nn.Module):
        def __init__(self, depth=16):
            super().__init__()
            layers, c = [], 1
            for _ in range(depth):
                layers += [nn.Conv2d(c, 12, 3, padding=1), nn.ReLU()]
                c = 12
            self.features = nn.Sequential(*layers)
            self.classifier = nn.Linear(12, 10)

        def forward(self, x):
            return self.classifier(self.features(x).mean((2, 3)))

    torch.manual_seed(3)
    x, y = digit_images()
    model = VGGish()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    model.train()
    for epoch in range(8):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            loss = F.cross_entropy(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT101",
    module=tuple(f"rounds.{i}" for i in range(12)),
    split="held",
    note="a graph network of twelve rounds with sigmoids between them",
    cured=(("torch.sigmoid(self.adj @ layer(h))", "h + torch.relu(self.adj @ layer(h))"),),
)
def twelve_rounds_on_a_graph():
    class GCN(nn.Module):
        def __init__(self, adj):
            super().__init__()
            self.adj = adj
            self.lift = nn.Linear(12, 24)
            self.rounds = nn.ModuleList(nn.Linear(24, 24) for _ in range(12))
            self.out = nn.Linear(24, 3)

        def forward(self, h):
            h = self.lift(h)
            for layer in self.rounds:
                h = torch.sigmoid(self.adj @ layer(h))
            return self.out(h)

    torch.manual_seed(4)
    x, adj, group = communities()
    model = GCN(adj)
    opt = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=5e-4)
    known = torch.randperm(240)[:160]
    for epoch in range(800):
        out = model(x)
        loss = F.cross_entropy(out[known], group[known])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": matches(model(x), group)}
