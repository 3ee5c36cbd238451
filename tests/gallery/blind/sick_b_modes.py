"""Modes, normalisation, dropout, accumulation, numbers that are none, and weights learned before."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..score import accuracy, matches
from ..table import sick
from .data_b import forecast, motifs, patches, snippets, tones, windows


@sick(
    "UT601",
    split="blind",
    note="model.eval() for a look at the first batch, and never train() again: batch norm stays the identity",
    cured=(("(2, 4)\n", "(2, 4)\n    model.train()\n"),),
)
def a_look_before_the_training():
    torch.manual_seed(111)
    x, y = tones()
    x = 12 * x + 40
    layers, width = [], 1
    for out in (16, 24, 24):
        layers += [nn.Conv1d(width, out, 5), nn.BatchNorm1d(out), nn.ReLU()]
        width = out
    model = nn.Sequential(nn.BatchNorm1d(1), *layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(24, 4))

    def shape_of(net, batch):
        net.eval()
        with torch.no_grad():
            return net(batch).shape

    assert shape_of(model, x[:2]) == (2, 4)
    opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(12):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT602",
    split="blind",
    note="batch norm over the batch with two sequences in a batch",
    cured=(("BatchNorm1d", "LayerNorm"),),
)
def two_sequences_at_a_time():
    torch.manual_seed(112)
    x, y = motifs()
    net = nn.Sequential(
        nn.Embedding(12, 12),
        nn.Flatten(),
        nn.Linear(360, 48),
        nn.BatchNorm1d(48),
        nn.ReLU(),
        nn.Linear(48, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 4),
    )
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(4):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=2, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    net.eval()
    return {"accuracy": matches(net(x), y)}


@sick(
    "UT602",
    split="blind",
    note="LayerNorm(1) over the single feature of a series: every value becomes 0",
    cured=(("nn.LayerNorm(1)", "nn.Identity()"),),
)
def a_series_of_one_feature():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.gru, self.fc = nn.LayerNorm(1), nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)

        def forward(self, x):
            return self.fc(self.gru(self.norm(x))[0][:, -1]).squeeze(-1)

    torch.manual_seed(113)
    x, y = forecast()
    x = x[:, :, :1]
    net = Forecaster()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item()}


@sick(
    "UT603",
    split="blind",
    note="keep_prob=0.95 of another framework became Dropout(0.95)",
    cured=(("keep_prob: float = 0.95", "keep_prob: float = 0.05"),),
)
def ported_from_another_framework():
    class Classifier(nn.Module):
        def __init__(self, keep_prob: float = 0.95):
            super().__init__()
            self.emb, self.drop = nn.Embedding(400, 32, padding_idx=0), nn.Dropout(keep_prob)
            self.gru, self.fc = nn.GRU(32, 32, batch_first=True), nn.Linear(32, 4)

        def forward(self, x):
            h = self.drop(self.emb(x))
            h = self.gru(h)[0].amax(1)
            return self.fc(self.drop(h))

    torch.manual_seed(114)
    x, y = snippets()
    net = Classifier()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(6):
        net.train()
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT603",
    split="blind",
    note="dropout of 0.8 in every one of a small transformer's sublayers",
    cured=(("dropout=0.8", "dropout=0.0"),),
)
def patches_under_dropout():
    torch.manual_seed(115)
    x, y = patches()
    x, y = x[:900], y[:900]
    body = nn.ModuleDict(
        {
            "lift": nn.Linear(4, 32),
            "layers": nn.TransformerEncoder(
                nn.TransformerEncoderLayer(32, 4, 64, dropout=0.8, batch_first=True), 2, enable_nested_tensor=False
            ),
            "head": nn.Linear(32, 10),
        }
    )
    body.register_parameter("pos", nn.Parameter(0.5 * torch.randn(16, 32)))
    opt = torch.optim.AdamW(body.parameters(), lr=2e-3)
    net = lambda u: body["head"](body["layers"](body["lift"](u) + body.pos).mean(1))  # noqa: E731
    for epoch in range(10):
        body.train()
        for i in torch.randperm(900).split(45):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    body.eval()
    return {"accuracy": matches(net(x), y)}


@sick(
    "UT604",
    split="blind",
    note="gradients of sixteen micro-batches are added up, and nobody divides by sixteen",
    cured=(("loss.backward()", "(loss / every).backward()"),),
)
def sixteen_micro_batches_of_text():
    torch.manual_seed(116)
    data, symbols = windows(20)
    emb, rnn, fc = nn.Embedding(symbols, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, symbols)
    opt = torch.optim.SGD([*emb.parameters(), *rnn.parameters(), *fc.parameters()], lr=0.6, momentum=0.9)
    every, seen = 16, 0
    for epoch in range(12):
        for i in torch.randperm(len(data)).split(10):
            logits = fc(rnn(emb(data[i, :-1]))[0])
            loss = F.cross_entropy(logits.flatten(0, 1), data[i, 1:].flatten())
            loss.backward()
            seen += 1
            if seen % every == 0:
                opt.step()
                opt.zero_grad()
    return {"accuracy": matches(fc(rnn(emb(data[:, :-1]))[0]), data[:, 1:])}
