"""Losses and outputs that do not go together, as they turn up in questions and post-mortems."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import digits
from ..score import accuracy, matches
from ..table import sick
from .data import bars, dialects, hires, program


@sick(
    "UT401",
    split="fresh",
    note="sigmoid on every class score, then cross-entropy, under plain SGD",
    cured=((", nn.Sigmoid())", ")"),),
)
def sigmoid_scores_into_cross_entropy():
    torch.manual_seed(0)
    x, y = digits()
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10), nn.Sigmoid())
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT401",
    split="fresh",
    note="an LSTM returns softmax; a focal loss written by hand calls cross_entropy",
    cured=(("F.softmax(self.out(h[-1]), dim=1)", "self.out(h[-1])"),),
)
def focal_loss_over_probabilities():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(13, 16, padding_idx=0)
            self.rnn = nn.LSTM(16, 32, batch_first=True)
            self.out = nn.Linear(32, 3)

        def forward(self, tokens):
            _, (h, _) = self.rnn(self.embed(tokens))
            return F.softmax(self.out(h[-1]), dim=1)

    def focal(scores, target, gamma=2.0):
        nll = F.cross_entropy(scores, target, reduction="none")
        return ((1 - torch.exp(-nll)) ** gamma * nll).mean()

    torch.manual_seed(1)
    tokens, lengths, kind = dialects()
    model = Reader()
    opt = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    for epoch in range(12):
        for i in torch.randperm(900).split(30):
            loss = focal(model(tokens[i]), kind[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, tokens, kind)}


@sick(
    "UT401",
    split="fresh",
    note="a residual network ends in nn.Softmax and is trained with smoothed labels",
    cured=(("nn.Softmax(dim=1)", "nn.Identity()"),),
)
def residual_network_with_softmax_layer():
    class Block(nn.Module):
        def __init__(self, c):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(c, c, 3, padding=1), nn.BatchNorm2d(c)

        def forward(self, x):
            return F.relu(x + self.norm(self.conv(x)))

    torch.manual_seed(2)
    x, y = bars()
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4), nn.Softmax(dim=1)]
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), Block(8), nn.MaxPool2d(2), Block(8), *head)
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    for epoch in range(6):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=30, shuffle=True):
            opt.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT402",
    split="fresh",
    note="connectionist temporal classification of raw scores: log_softmax was forgotten",
    cured=(("return self.out(h)", "return self.out(h).log_softmax(-1)"),),
)
def temporal_classification_of_raw_scores():
    class Listener(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(6, 32, batch_first=True, bidirectional=True)
            self.out = nn.Linear(64, 6)

        def forward(self, x):
            h, _ = self.rnn(x)
            return self.out(h)

    torch.manual_seed(3)
    words = torch.randint(1, 6, (200, 4))
    sound = F.one_hot(words.repeat_interleave(3, 1), 6).float() + 0.3 * torch.randn(200, 12, 6)
    model = Listener()
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    frames, letters = torch.full((40,), 12), torch.full((40,), 4)
    for epoch in range(20):
        for i in torch.randperm(200).split(40):
            loss = F.ctc_loss(model(sound[i]).transpose(0, 1), words[i], frames, letters)
            opt.zero_grad()
            loss.backward()
            opt.step()
    best = model(sound).argmax(-1).tolist()
    read = [[a for a, b in zip(row, [0, *row]) if a and a != b] for row in best]
    same = [[a for a, b in zip(row, [0, *row]) if a != b] for row in words.tolist()]
    return {"accuracy": sum(a == b for a, b in zip(read, same)) / 200}


@sick(
    "UT402",
    split="fresh",
    note="log_softmax over time (dim 1 of batch, time, class) in place of the classes",
    cured=(("log_softmax(self.out(h), dim=1)", "log_softmax(self.out(h), dim=-1)"),),
)
def log_softmax_over_time():
    class CharRNN(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.embed, self.rnn, self.out = nn.Embedding(n, 24), nn.GRU(24, 48, batch_first=True), nn.Linear(48, n)

        def forward(self, x):
            h, _ = self.rnn(self.embed(x))
            return F.log_softmax(self.out(h), dim=1)

    torch.manual_seed(4)
    text, n = program()
    net = CharRNN(n)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for step in range(250):
        at = torch.randint(len(text) - 25, (16,))
        piece = text[at[:, None] + torch.arange(25)]
        loss = F.nll_loss(net(piece[:, :-1]).flatten(0, 1), piece[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    rows = text[:10000].view(-1, 25)
    return {"accuracy": matches(net(rows[:, :-1]), rows[:, 1:])}


@sick(
    "UT403",
    split="fresh",
    note="a softmax over one column at the end of a regression, taken over from a classifier",
    cured=(("return F.softmax(self.out(h), dim=1)", "return self.out(h)"),),
)
def softmax_of_one_regressor():
    class Regressor(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.out = nn.Linear(6, 64), nn.Linear(64, 32), nn.Linear(32, 1)

        def forward(self, x):
            h = F.relu(self.b(F.relu(self.a(x))))
            return F.softmax(self.out(h), dim=1)

    torch.manual_seed(6)
    x, y = hires()
    net = Regressor()
    opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(x, y[:, None]), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.mse_loss(net(xb), yb)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y[:, None]).item()}


@sick(
    "UT404",
    split="fresh",
    note="hired bikes as a flat column of a DataFrame against an output with one column",
    cured=(("criterion(net(xb), yb)", "criterion(net(xb).squeeze(1), yb)"),),
)
def bikes_against_a_column():
    torch.manual_seed(7)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    opt = torch.optim.NAdam(net.parameters(), lr=3e-3)
    criterion = nn.SmoothL1Loss()
    for epoch in range(20):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=50, shuffle=True):
            opt.zero_grad()
            loss = criterion(net(xb), yb)
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x).squeeze(1), y).item()}
