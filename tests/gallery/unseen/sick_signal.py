"""Gradients that vanish, explode or are cut, as other people might meet them."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset, random_split

from ..data import cancer, diabetes, digit_images, digits, first_symbol, waves
from ..score import accuracy
from ..table import sick


class Trainer:
    def __init__(self, model, optimizer, criterion, epochs):
        self.model, self.optimizer, self.criterion, self.epochs = model, optimizer, criterion, epochs
        self.history = []

    def fit(self, loader):
        for _ in range(self.epochs):
            self.model.train()
            total = 0.0
            for inputs, targets in loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(inputs), targets)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            self.history.append(total / len(loader))
        return self


@sick("UT101", module=tuple(f"trunk.{i}" for i in range(28)), split="unseen", note="14 softsigns, default weights")
def softsign_trunk():
    class Tabular(nn.Module):
        def __init__(self, n_in, n_out, depth=14):
            super().__init__()
            trunk = []
            for d in range(depth):
                trunk.append(nn.Linear(n_in if d == 0 else 40, 40))
                trunk.append(nn.Softsign())
            self.trunk = nn.Sequential(*trunk)
            self.classify = nn.Linear(40, n_out)

        def forward(self, rows):
            return self.classify(self.trunk(rows))

    torch.manual_seed(101)
    features, labels = cancer()
    net = Tabular(30, 2)
    loader = DataLoader(TensorDataset(features, labels), batch_size=64, shuffle=True)
    trainer = Trainer(net, torch.optim.SGD(net.parameters(), lr=0.05), nn.CrossEntropyLoss(), 20)
    trainer.fit(loader)
    return {"loss": trainer.history[-1], "accuracy": accuracy(net, features, labels)}


@sick(
    "UT101",
    module=("step", "step.recur", "step.drive", ""),
    split="unseen",
    note="contracting recurrence of 0.3, 30 steps",
)
def contracting_recurrence():
    class Step(nn.Module):
        def __init__(self, n, m):
            super().__init__()
            self.drive = nn.Linear(n, m)
            self.recur = nn.Linear(m, m, bias=False)
            nn.init.orthogonal_(self.recur.weight, gain=0.3)

        def forward(self, u, s):
            return torch.tanh(self.drive(u) + self.recur(s))

    class Recall(nn.Module):
        def __init__(self):
            super().__init__()
            self.step = Step(4, 48)
            self.answer = nn.Linear(48, 4)

        def forward(self, seq):
            state = seq.new_zeros(seq.shape[0], 48)
            for u in seq.transpose(0, 1):
                state = self.step(u, state)
            return self.answer(state)

    torch.manual_seed(102)
    seqs, firsts = first_symbol(1500, 30)
    recall = Recall()
    optim = torch.optim.RMSprop(recall.parameters(), lr=1e-3)
    for it in range(150):
        pick = torch.randperm(1500)[:64]
        loss = F.cross_entropy(recall(seqs[pick]), firsts[pick])
        optim.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(recall.parameters(), 5.0)
        optim.step()
    return {"loss": loss.item(), "accuracy": accuracy(recall, seqs, firsts)}


@sick(
    "UT101",
    module=tuple(f"blocks.{i}" for i in range(8)),
    split="unseen",
    note="layer scale of 0.1, the residual is missing",
)
def layer_scale_without_residual():
    class Block(nn.Module):
        def __init__(self, ch):
            super().__init__()
            self.conv = nn.Conv2d(ch, ch, 3, padding=1)
            self.scale = nn.Parameter(torch.full((ch, 1, 1), 0.1))

        def forward(self, img):
            return self.scale * F.gelu(self.conv(img))

    class Vision(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(1, 8, 3, padding=1)
            self.blocks = nn.ModuleList(Block(8) for _ in range(8))
            self.fc = nn.Linear(512, 10)

        def forward(self, img):
            img = self.stem(img)
            for block in self.blocks:
                img = block(img)
            return self.fc(img.flatten(1))

    torch.manual_seed(103)
    images, classes = digit_images()
    vision = Vision()
    adam = torch.optim.SGD(vision.parameters(), lr=0.05, momentum=0.9)
    for _ in range(100):
        b = torch.randint(len(images), (32,))
        loss = F.cross_entropy(vision(images[b]), classes[b])
        adam.zero_grad()
        loss.backward()
        adam.step()
    return {"loss": loss.item(), "accuracy": accuracy(vision, images, classes)}


@sick(
    "UT102",
    module=(*(f"layers.{i}" for i in range(9)), ""),
    split="unseen",
    note="a dense layer of one's own, torch.randn",
)
def home_made_dense():
    class Dense(nn.Module):
        def __init__(self, fan_in, fan_out):
            super().__init__()
            self.w = nn.Parameter(torch.randn(fan_in, fan_out))
            self.b = nn.Parameter(torch.zeros(fan_out))

        def forward(self, v):
            return v @ self.w + self.b

    class Regressor(nn.Module):
        def __init__(self, dims):
            super().__init__()
            self.layers = nn.ModuleList(Dense(i, o) for i, o in zip(dims[:-1], dims[1:]))

        def forward(self, v):
            *hidden, last = self.layers
            for layer in hidden:
                v = F.leaky_relu(layer(v))
            return last(v)

    torch.manual_seed(104)
    v, amount = diabetes()
    model = Regressor([10] + [64] * 8 + [1])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(30):
        for idx in torch.randperm(len(v)).chunk(4):
            optimiser.zero_grad()
            loss = F.mse_loss(model(v[idx]).squeeze(1), amount[idx])
            loss.backward()
            optimiser.step()
    return {"loss": loss.item(), "variance": amount.var().item()}


@sick("UT102", module=("rnn", ""), split="unseen", note="rectified recurrence that starts at 1.5 times identity")
def identity_recurrence_times_one_and_a_half():
    class IRNN(nn.Module):
        def __init__(self, units=20):
            super().__init__()
            self.rnn = nn.RNN(1, units, nonlinearity="relu", batch_first=True)
            self.readout = nn.Linear(units, 1)
            with torch.no_grad():
                self.rnn.weight_hh_l0.copy_(1.5 * torch.eye(units))

        def forward(self, series):
            hidden, _ = self.rnn(series)
            return self.readout(hidden[:, -1])

    torch.manual_seed(105)
    series, following = waves(300, 25)
    model = IRNN()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    mse = nn.MSELoss()
    losses = []
    for epoch in range(15):
        for part in torch.arange(300).split(50):
            optimizer.zero_grad()
            loss = mse(model(series[part]), following[part])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {"loss": losses[-1], "variance": following.var().item()}


@sick(
    "UT102",
    module=(*(f"layers.{i}" for i in range(24)), ""),
    split="unseen",
    note="each layer adds up all earlier ones",
)
def sum_of_all_earlier_layers():
    class SkipEverything(nn.Module):
        def __init__(self, depth=24, dim=32):
            super().__init__()
            self.lift = nn.Linear(64, dim)
            self.layers = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))
            self.drop = nn.Linear(dim, 10)

        def forward(self, pixels):
            seen = [self.lift(pixels)]
            for layer in self.layers:
                total = torch.stack(seen).sum(0)
                seen.append(total + F.relu(layer(total)))
            return self.drop(seen[-1])

    torch.manual_seed(106)
    pixels, digit = digits()
    train, valid = random_split(TensorDataset(pixels, digit), [1500, 297])
    model = SkipEverything()
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(3):
        for px, dg in DataLoader(train, batch_size=50, shuffle=True):
            sgd.zero_grad()
            loss = F.cross_entropy(model(px), dg)
            loss.backward()
            sgd.step()
    px, dg = valid[:]
    return {"loss": loss.item(), "accuracy": accuracy(model, px, dg)}
