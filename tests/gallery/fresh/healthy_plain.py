"""Ordinary trainings of ordinary networks, as other people might write them."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import cancer, iris, wine
from ..score import accuracy, hits, matches
from ..table import healthy
from .data import bars, bikes, dialects, films, hires, load, program, scenes


def batches(size, *tensors, epochs=10):
    for _ in range(epochs):
        yield from DataLoader(TensorDataset(*tensors), batch_size=size, shuffle=True)


@healthy(split="fresh")
def wine_by_a_small_network():
    torch.manual_seed(0)
    x, y = wine()
    net = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for xb, yb in batches(16, x, y, epochs=20):
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh")
def iris_by_rmsprop():
    torch.manual_seed(1)
    x, y = iris()
    net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    opt = torch.optim.RMSprop(net.parameters(), lr=5e-3)
    for xb, yb in batches(15, x, y, epochs=30):
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh")
def bikes_by_a_trainer():
    class Trainer:
        def __init__(self, net, lr):
            self.net, self.opt = net, torch.optim.AdamW(net.parameters(), lr=lr)
            self.history = []

        def fit(self, loader):
            for xb, yb in loader:
                loss = F.smooth_l1_loss(self.net(xb).squeeze(1), yb)
                self.opt.zero_grad(set_to_none=False)
                loss.backward()
                self.opt.step()
                self.history.append(loss.item())
            return self

    torch.manual_seed(2)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 1))
    Trainer(net, 3e-3).fit(batches(50, x, y, epochs=20))
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}


@healthy(split="fresh", odd="an hour and a day as sine and cosine, targets as logarithms")
def bikes_with_cyclic_features():
    torch.manual_seed(3)
    raw, hired = bikes()
    turns = torch.stack([raw[:, 0] / 24, raw[:, 1] / 365], 1) * 2 * math.pi
    rest = (raw[:, 2:] - raw[:, 2:].mean(0)) / raw[:, 2:].std(0)
    x, y = torch.cat([turns.sin(), turns.cos(), rest], 1), hired.log1p()
    net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for xb, yb in batches(50, x, y, epochs=15):
        opt.zero_grad()
        loss = F.l1_loss(net(xb).squeeze(1), yb)
        loss.backward()
        opt.step()
    return {"error": (F.mse_loss(net(x).squeeze(1), y) / y.var()).item()}


@healthy(split="fresh")
def bars_by_a_residual_network():
    class Block(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.ReLU(), nn.Conv2d(b, b, 3, 1, 1), nn.BatchNorm2d(b)
            )
            self.skip = nn.Conv2d(a, b, 1, 2)

        def forward(self, x):
            return F.relu(self.body(x) + self.skip(x))

    torch.manual_seed(4)
    x, y = bars()
    net = nn.Sequential(Block(1, 8), Block(8, 16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    for xb, yb in batches(30, x, y, epochs=6):
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="three quarters of the pixels are background")
def scenes_segmented():
    torch.manual_seed(5)
    x, y = scenes()
    down = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU())
    net = nn.Sequential(down, nn.Conv2d(12, 3, 1))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for xb, yb in batches(20, x, y, epochs=10):
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    found, there = net(x).argmax(1) > 0, y > 0
    return {"accuracy": ((found & there).sum() / (found | there).sum()).item()}


@healthy(split="fresh", odd="padded words: half of the places are 0, masked in the mean")
def dialects_by_a_masked_mean():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.conv, self.fc = nn.Embedding(13, 16, 0), nn.Conv1d(16, 32, 2), nn.Linear(32, 3)

        def forward(self, tokens):
            h = F.relu(self.conv(self.embed(tokens).transpose(1, 2)))
            mask = (tokens[:, 1:] > 0).float()[:, None]
            return self.fc((h * mask).sum(2) / mask.sum(2))

    torch.manual_seed(6)
    tokens, _, kind = dialects()
    net = Reader()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for xb, yb in batches(30, tokens, kind, epochs=10):
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, tokens, kind)}


@healthy(split="fresh", odd="packed sequences, two layers, dropout between them, and a norm clip that seldom acts")
def dialects_by_packed_lstm():
    torch.manual_seed(7)
    tokens, lengths, kind = dialects()
    embed, lstm, fc = nn.Embedding(13, 16, 0), nn.LSTM(16, 24, 2, batch_first=True, dropout=0.2), nn.Linear(24, 3)
    parameters = [*embed.parameters(), *lstm.parameters(), *fc.parameters()]
    opt = torch.optim.Adam(parameters, lr=5e-3)

    def scores(tokens, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(embed(tokens), lengths, True, enforce_sorted=False)
        return fc(lstm(packed)[1][0][-1])

    for xb, lb, yb in batches(45, tokens, lengths, kind, epochs=12):
        opt.zero_grad()
        loss = F.cross_entropy(scores(xb, lb), yb)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        opt.step()
    lstm.eval()
    return {"accuracy": matches(scores(tokens, lengths), kind)}


@healthy(split="fresh", odd="each curve is scaled by its own mean, and the forecast scaled back")
def load_scaled_by_its_own_mean():
    torch.manual_seed(8)
    curve, after = load()
    net = nn.GRU(1, 24, batch_first=True)
    out = nn.Linear(24, 1)
    opt = torch.optim.Adam([*net.parameters(), *out.parameters()], lr=1e-2)

    def forecast(x):
        level = x.mean(1, keepdim=True)
        return (1 + out(net(4 * (x / level - 1))[0][:, -1])) * level[:, 0]

    for xb, yb in batches(25, curve, after, epochs=15):
        opt.zero_grad()
        loss = F.mse_loss(forecast(xb) / 1000, yb / 1000)
        loss.backward()
        opt.step()
    return {"error": (F.mse_loss(forecast(curve), after) / after.var()).item()}


@healthy(split="fresh")
def letters_by_a_transformer():
    class LM(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.embed, self.place = nn.Embedding(n, 32), nn.Embedding(24, 32)
            layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=True)
            self.body, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, n)

        def forward(self, t):
            n = t.shape[1]
            mask = nn.Transformer.generate_square_subsequent_mask(n)
            return self.out(self.body(self.embed(t) + self.place(torch.arange(n)), mask, is_causal=True))

    torch.manual_seed(9)
    text, n = program()
    net = LM(n)
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(300):
        at = torch.randint(len(text) - 25, (16,))
        piece = text[at[:, None] + torch.arange(25)]
        loss = F.cross_entropy(net(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    rows = text[:10000].view(-1, 25)
    return {"accuracy": matches(net(rows[:, :-1]), rows[:, 1:])}


@healthy(split="fresh", odd="biases of people and films about a fixed mean, decay on the factors only")
def stars_from_biases_and_factors():
    class Factors(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Embedding(60, 5), nn.Embedding(80, 5)
            self.u, self.v = nn.Embedding(60, 1), nn.Embedding(80, 1)
            for e in (self.a, self.b, self.u, self.v):
                nn.init.normal_(e.weight, std=0.1)

        def forward(self, who, what):
            return 3 + (self.a(who) * self.b(what)).sum(1) + (self.u(who) + self.v(what)).squeeze(1)

    torch.manual_seed(10)
    who, what, stars = films()
    net = Factors()
    groups = [
        {"params": [net.a.weight, net.b.weight], "weight_decay": 1e-3},
        {"params": [net.u.weight, net.v.weight], "weight_decay": 0.0},
    ]
    opt = torch.optim.AdamW(groups, lr=0.02)
    for a, b, s in batches(100, who, what, stars, epochs=15):
        opt.zero_grad()
        loss = F.mse_loss(net(a, b), s)
        loss.backward()
        opt.step()
    return {"error": F.mse_loss(net(who, what), stars).item()}


@healthy(split="fresh")
def cancer_by_logits():
    torch.manual_seed(11)
    x, y = cancer()
    net = nn.Sequential(nn.Linear(30, 16), nn.ELU(), nn.Linear(16, 1))
    opt = torch.optim.Adagrad(net.parameters(), lr=0.05)
    for xb, yb in batches(32, x, y, epochs=12):
        opt.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(xb).squeeze(1), yb.float())
        loss.backward()
        opt.step()
    return {"accuracy": hits(net(x), y)}
