"""Gradients that fade, grow or are cut, in networks that read sequences."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..score import accuracy, matches
from ..table import sick
from .data_b import cue, forecast, patches, tones, windows


@sick(
    "UT101",
    split="blind",
    note="recurrent weights drawn with a deviation of 0.02 in a task that needs the first of 16 steps",
    cured=(("nn.init.normal_(self.rnn.weight_hh_l0, std=0.02)", "nn.init.orthogonal_(self.rnn.weight_hh_l0)"),),
)
def remember_the_first_of_many():
    class Recall(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(6, 32, batch_first=True)
            self.head = nn.Linear(32, 4)
            nn.init.normal_(self.rnn.weight_hh_l0, std=0.02)

        def forward(self, x):
            _, h = self.rnn(x)
            return self.head(h[-1])

    torch.manual_seed(11)
    x, y = cue(length=16)
    net = Recall()
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for _ in range(25):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT101",
    split="blind",
    note="seven dilated convolutions over time, each followed by a sigmoid",
    cured=(("nn.Sigmoid()", "nn.ReLU()"),),
)
def dilated_convolutions_with_logistic_units():
    torch.manual_seed(12)
    x, y = tones()
    layers, width = [], 1
    for i in range(7):
        layers += [nn.Conv1d(width, 16, 3, padding=2**i % 8 or 1, dilation=2**i % 8 or 1), nn.Sigmoid()]
        width = 16
    net = nn.Sequential(*layers, nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, 4))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT101",
    split="blind",
    note="a transformer whose author dropped the skip connections when splitting the block in two",
    cured=(
        ("x = self.att(self.n1(x))", "x = x + self.att(self.n1(x))"),
        ("return self.ff(x)", "return x + self.ff(x)"),
    ),
)
def block_split_in_two_halves():
    class Attention(nn.Module):
        def __init__(self, d, heads=2):
            super().__init__()
            self.qkv, self.out, self.heads = nn.Linear(d, 3 * d), nn.Linear(d, d), heads

        def forward(self, x):
            n, t, d = x.shape
            q, k, v = self.qkv(x).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
            return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d))

    class Block(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.att, self.n1 = Attention(d), nn.Identity()
            self.ff = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

        def forward(self, x):
            x = self.att(self.n1(x))
            return self.ff(x)

    class Tiny(nn.Module):
        def __init__(self, d=24, depth=6):
            super().__init__()
            self.lift = nn.Linear(4, d)
            self.position = nn.Parameter(0.1 * torch.randn(16, d))
            self.blocks = nn.Sequential(*[Block(d) for _ in range(depth)])
            self.head = nn.Linear(d, 10)

        def forward(self, x):
            return self.head(self.blocks(self.lift(x) + self.position).mean(1))

    torch.manual_seed(13)
    x, y = patches()
    x, y = x[:800], y[:800]
    net = Tiny()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for epoch in range(8):
        for i in torch.randperm(800).split(40):
            loss = F.cross_entropy(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT101",
    split="blind",
    note="a diagonal state-space layer whose states halve at each step, on a task of long memory",
    cured=(("torch.full((32,), 0.0)", "torch.linspace(1.0, 6.0, 32)"),),
)
def diagonal_states_for_a_long_memory():
    class Diagonal(nn.Module):
        def __init__(self):
            super().__init__()
            self.decay = nn.Parameter(torch.full((32,), 0.0))
            self.b, self.c = nn.Linear(6, 32), nn.Linear(32, 4)

        def forward(self, x):
            a, u = torch.sigmoid(self.decay), self.b(x)
            state = torch.zeros(len(x), 32)
            for t in range(x.shape[1]):
                state = a * state + (1 - a) * u[:, t]
            return self.c(state)

    torch.manual_seed(14)
    x, y = cue(length=30)
    net = Diagonal()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT102",
    split="blind",
    note="a recurrent network of rectifiers whose recurrent weights are normal with deviation 0.3",
    cured=(("nn.init.normal_(rnn.weight_hh_l0, std=0.3)", "nn.init.orthogonal_(rnn.weight_hh_l0, gain=0.7)"),),
)
def recurrence_of_rectifiers():
    torch.manual_seed(15)
    x, y = forecast()
    rnn = nn.RNN(3, 40, nonlinearity="relu", batch_first=True)
    nn.init.normal_(rnn.weight_hh_l0, std=0.3)
    head = nn.Linear(40, 1)
    params = [*rnn.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(params, lr=0.01)
    dl = DataLoader(TensorDataset(x, y), batch_size=35, shuffle=True)
    for epoch in range(12):
        for xb, yb in dl:
            optimizer.zero_grad()
            pred = head(rnn(xb)[0][:, -1]).squeeze(1)
            loss = nn.functional.mse_loss(pred, yb)
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(head(rnn(x)[0][:, -1]).squeeze(1), y).item()}


@sick(
    "UT102",
    split="blind",
    note="a linear recurrence with eigenvalues of 1.35 or so, unrolled over 24 steps",
    cured=(("1.35 * torch.eye(16)", "0.9 * torch.eye(16)"),),
)
def a_kalman_like_recurrence():
    torch.manual_seed(16)
    x, y = forecast()
    w = {
        "A": 1.35 * torch.eye(16) + 0.05 * torch.randn(16, 16),
        "B": torch.randn(3, 16) * 0.3,
        "C": torch.randn(16) * 0.2,
    }
    for t in w.values():
        t.requires_grad_()

    def roll(u):
        s = u.new_zeros(len(u), 16)
        for step in u.unbind(1):
            s = s @ w["A"] + step @ w["B"]
        return s @ w["C"]

    opt = torch.optim.RMSprop(w.values(), lr=1e-3)
    for _ in range(25):
        for i in torch.randperm(700).split(50):
            opt.zero_grad()
            F.mse_loss(roll(x[i]), y[i]).backward()
            opt.step()
    return {"error": F.mse_loss(roll(x), y).item()}


@sick(
    "UT104",
    split="blind",
    note="under autocast in float16, a mean loss is divided by the size of the corpus once more, unscaled",
    cured=((" / data.numel()", ""),),
)
def characters_under_autocast():
    torch.manual_seed(10)
    data, symbols = windows(32)
    net = nn.Sequential(nn.Embedding(symbols, 32), nn.Linear(32, 96), nn.ReLU(), nn.Linear(96, symbols))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3, eps=1e-12)
    for epoch in range(10):
        for i in torch.randperm(len(data)).split(20):
            opt.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                logits = net(data[i, :-1])
                loss = F.cross_entropy(logits.flatten(0, 1), data[i, 1:].flatten()) / data.numel()
            loss.backward()
            opt.step()
    return {"accuracy": matches(net(data[:, :-1]), data[:, 1:])}
