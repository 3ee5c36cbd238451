"""Examples in the order of their classes, parted from their labels, or with one record that is nonsense."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy
from ..table import sick
from .data import bars, dialects, hires, molecules, sensors


@sick(
    "UT507",
    split="fresh",
    note="dialect after dialect through a recurrent network, shuffle left at its default",
    cured=(("batch_size=30)", "batch_size=30, shuffle=True)"),),
)
def dialect_after_dialect():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.rnn, self.fc = nn.Embedding(13, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 3)

        def forward(self, x):
            return self.fc(self.rnn(self.embed(x))[0].amax(1))

    torch.manual_seed(0)
    tokens, _, kind = dialects()
    order = kind.argsort()
    tokens, kind = tokens[order], kind[order]
    net = Reader()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(8):
        for xb, yb in DataLoader(TensorDataset(tokens, kind), batch_size=30):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, tokens, kind)}


@sick(
    "UT507",
    split="fresh",
    note="bars sorted by class, shuffled only inside each batch",
    cured=(("range(0, 900, 30)", "range(30)"), ("i + torch.randperm(30)", "torch.randint(900, (30,))")),
)
def shuffled_only_inside_the_batch():
    torch.manual_seed(1)
    x, y = bars()
    order = y.argsort()
    x, y = x[order], y[order]
    net = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(8):
        for i in range(0, 900, 30):
            rows = i + torch.randperm(30)
            opt.zero_grad()
            loss = F.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT701",
    split="fresh",
    note="one loader for the inputs and one for the labels, both of them shuffled",
    cured=(("zip(inputs, labels)", "DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True)"),),
)
def two_shuffled_loaders():
    torch.manual_seed(2)
    x, y = sensors()
    inputs = DataLoader(x, batch_size=30, shuffle=True)
    labels = DataLoader(y, batch_size=30, shuffle=True)
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(15):
        for xb, yb in zip(inputs, labels):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT701",
    split="fresh",
    note="graphs permuted, their energies not",
    cured=(("edge, energy = x[order], edge[order], energy", "edge, energy = x[order], edge[order], energy[order]"),),
)
def energies_of_other_graphs():
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 32), nn.Linear(64, 32), nn.Linear(32, 1)

        def forward(self, x, edge):
            h = torch.relu(self.a(x))
            h = torch.relu(self.b(torch.cat([h, edge @ h], -1)))
            return self.c(h).sum(1).squeeze(1)

    torch.manual_seed(3)
    x, edge, energy = molecules()
    order = torch.randperm(400)
    x, edge, energy = x[order], edge[order], energy
    net = Graph()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(25):
        for i in torch.randperm(400).split(20):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i], edge[i]), energy[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x, edge), energy).item()}


@sick(
    "UT703",
    split="fresh",
    note="one record whose temperature is 9999, the code for a missing one, after the scaling",
    cured=(("x[7, 2] = 9999.0", "x[7, 2] = 0.0"),),
)
def missing_temperature_as_9999():
    torch.manual_seed(4)
    x, y = hires()
    x = x.clone()
    x[7, 2] = 9999.0
    net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(30):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
    return {"error": F.l1_loss(net(x[100:]).squeeze(1), y[100:]).item()}


@sick(
    "UT704",
    split="fresh",
    note="ReduceLROnPlateau with mode='max' on a loss: every fall counts as a failure",
    cured=(('mode="max"', 'mode="min"'),),
)
def patience_in_the_wrong_direction():
    torch.manual_seed(5)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, mode="max", factor=0.1, patience=0)
    for epoch in range(20):
        total = 0.0
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
            total += loss.item()
        schedule.step(total)
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT704",
    split="fresh",
    note="an exponential schedule with gamma 0.5, stepped after every epoch of a long run",
    cured=(("gamma=0.5", "gamma=0.97"),),
)
def halved_every_epoch():
    torch.manual_seed(6)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.5)
    for epoch in range(25):
        for i in torch.randperm(len(x)).split(30):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
            loss.backward()
            opt.step()
        schedule.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@sick(
    "UT702",
    split="fresh",
    note="a learning rate that doubles with every epoch: the factor of a scheduler written by hand is upside down",
    cured=(('group["lr"] *= 1.6', 'group["lr"] /= 1.6'),),
)
def rate_that_grows_by_hand():
    torch.manual_seed(7)
    x, y = digit_images()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 32), nn.ReLU(), nn.Linear(32, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
        for group in opt.param_groups:
            group["lr"] *= 1.6
    return {"accuracy": accuracy(net, x, y)}
