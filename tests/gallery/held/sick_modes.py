"""Modes that were left on, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy
from ..table import sick
from .data import houses


@sick(
    "UT601",
    split="held",
    note="model.eval() in the validation of each epoch, model.train() only once before",
    cured=(("        for xb, yb in train:", "        model.train()\n        for xb, yb in train:"),),
)
def left_in_eval_after_validation():
    torch.manual_seed(8)
    x, y = digit_images()
    layers = []
    for c in (1, 8, 8, 8, 8, 8):
        layers += [nn.Conv2d(c, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    train = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=50, shuffle=True)
    best = accuracy(model, x[1400:], y[1400:])
    for epoch in range(8):
        for xb, yb in train:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xb), yb)
            loss.backward()
            optimizer.step()
        best = max(best, accuracy(model, x[1400:], y[1400:]))
    return {"accuracy": accuracy(model, x[1400:], y[1400:])}


@sick(
    "UT602",
    module=("1", "4", "bn", "net.1", "net.4"),
    split="held",
    note="batch normalisation on batches of two because the memory was full",
    cured=(("batch_size=2", "batch_size=40"),),
)
def batch_norm_on_pairs():
    torch.manual_seed(9)
    x, y = digits()
    net = nn.Sequential(
        nn.Linear(64, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(4):
        for xb, yb in DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=2, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1200:], y[1200:])}


@sick(
    "UT603",
    module=("drop", "2", "5", "", "body.2", "body.5"),
    split="held",
    note="nn.Dropout(0.95), where 0.95 was the share to keep in another framework",
    cured=(("nn.Dropout(keep)", "nn.Dropout(1 - keep)"),),
)
def share_to_keep_as_share_to_drop():
    torch.manual_seed(10)
    keep = 0.95
    x, y = digits()
    net = nn.Sequential(
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(keep),
        nn.Linear(64, 64),
        nn.ReLU(),
        nn.Dropout(keep),
        nn.Linear(64, 10),
    )
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(40):
        net.train()
        for i in torch.randperm(1400).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1400:], y[1400:])}


@sick(
    "UT604",
    split="held",
    note="thirty-two micro-batches are summed up, at the rate that was found for one",
    cured=(("        loss.backward()\n", "        (loss / 32).backward()\n"),),
)
def thirty_two_micro_batches_summed():
    torch.manual_seed(11)
    x, y = houses()
    x, y = (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()
    net = nn.Sequential(nn.Linear(8, 48), nn.Tanh(), nn.Linear(48, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    opt.zero_grad()
    for step in range(1, 6001):
        i = torch.randint(2000, (16,))
        loss = F.mse_loss(net(x[i]).squeeze(1), y[i])
        loss.backward()
        if step % 32 == 0:
            opt.step()
            opt.zero_grad()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}
