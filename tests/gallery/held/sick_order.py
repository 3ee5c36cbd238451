"""Classes, batches and pairs that are out of order, from questions that people ask."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digit_images, digits
from ..score import accuracy, hits
from ..table import sick
from .data import blobs, reviews, vocabulary, waveforms


@sick(
    "UT505",
    split="held",
    note="three in a hundred are positive; nothing weighs them, none is ever found",
    cured=(
        (
            "F.binary_cross_entropy_with_logits(net(xb).squeeze(1), yb.float())",
            "F.binary_cross_entropy_with_logits(net(xb).squeeze(1), yb.float(), pos_weight=torch.tensor(30.0))",
        ),
    ),
)
def rare_class_never_found():
    torch.manual_seed(7)
    x, y = blobs()
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1))
    opt = torch.optim.SGD(net.parameters(), lr=0.02)
    for epoch in range(60):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(xb).squeeze(1), yb.float())
            loss.backward()
            opt.step()
    net.eval()
    return {"accuracy": (hits(net(x[y == 1]), y[y == 1]) + hits(net(x[y == 0]), y[y == 0])) / 2}


@sick(
    "UT506",
    split="held",
    note="next(iter(loader)) inside the loop of a loader that does not shuffle",
    cured=(("iter(loader)", "iter(DataLoader(loader.dataset, 32, shuffle=True))"),),
)
def next_of_a_fresh_iterator():
    torch.manual_seed(8)
    x, y = digit_images()
    loader = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=32)
    model = nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(108, 10))
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(800):
        xb, yb = next(iter(loader))
        opt.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(model, x[1400:], y[1400:])}


@sick(
    "UT507",
    split="held",
    note="files are read folder by folder, one folder a class, and not shuffled",
    cured=(("batch_size=32)", "batch_size=32, shuffle=True)"),),
)
def folder_by_folder():
    torch.manual_seed(9)
    x, y = digits()
    order = y.argsort(stable=True)
    loader = DataLoader(TensorDataset(x[order], y[order]), batch_size=32)
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(30):
        for xb, yb in loader:
            opt.zero_grad()
            loss = F.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT701",
    split="held",
    note="features are sorted, or shuffled, without the labels",
    cured=(("x = x[torch.randperm(len(x))]", "x = x[torch.arange(len(x))]"),),
)
def features_shuffled_without_labels():
    torch.manual_seed(11)
    x, y = waveforms()
    x = x[torch.randperm(len(x))]
    net = nn.Sequential(
        nn.Conv1d(1, 12, 9, stride=2), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(12, 3)
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(40):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT701",
    split="held",
    note="(time, batch) is turned into (batch, time) by view, which mixes the sentences",
    cured=((".view(len(i), -1)", ".T"),),
)
def view_in_place_of_transpose():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(60, 16, padding_idx=0)
            self.rnn = nn.GRU(16, 16, batch_first=True)
            self.fc = nn.Linear(16, 2)

        def forward(self, tokens):
            return self.fc(self.rnn(self.embed(tokens))[0].mean(1))

    torch.manual_seed(12)
    tokens, _, mood = reviews()
    time_first = tokens.T.contiguous()
    model = Reader()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(800).split(40):
            batch = time_first[:, i].view(len(i), -1)
            opt.zero_grad()
            loss = F.cross_entropy(model(batch), mood[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, tokens, mood)}


@sick(
    "UT701",
    split="held",
    note="next-word targets taken from another shuffling than the inputs",
    cured=(("again = torch.randperm(len(starts))", "again = order"),),
)
def targets_of_another_shuffling():
    torch.manual_seed(13)
    words, n = vocabulary()
    starts = torch.arange(len(words) - 9)
    model = nn.Sequential(nn.Embedding(n, 16), nn.Flatten(), nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, n))
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        order = torch.randperm(len(starts))
        again = torch.randperm(len(starts))
        for a, b in zip(order.split(32), again.split(32)):
            opt.zero_grad()
            loss = F.cross_entropy(model(words[starts[a, None] + torch.arange(4)]), words[starts[b] + 4])
            loss.backward()
            opt.step()
    return {"error": F.cross_entropy(model(words[starts[:, None] + torch.arange(4)]), words[starts + 4]).item()}
