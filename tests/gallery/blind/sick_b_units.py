"""Attention that is settled, trunks frozen as made, and units that are dead, saturated, alike or collapsed."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import sick
from .data_b import cue, forecast, motifs, tones, windows


@sick(
    "UT201",
    split="blind",
    note="the position-wise network's first bias is set to -6 'for sparsity'",
    cured=(("fill_(-6.0)", "fill_(0.0)"),),
)
def position_wise_network_for_triples():
    torch.manual_seed(25)
    x, y = motifs()
    emb, ff1, ff2, out = nn.Embedding(12, 16), nn.Linear(48, 64), nn.Linear(64, 32), nn.Linear(32, 4)
    ff1.bias.data.fill_(-6.0)
    opt = torch.optim.Adam([p for m in (emb, ff1, ff2, out) for p in m.parameters()], lr=3e-3)

    def forward(t):
        e = emb(t)
        trigrams = torch.cat([e[:, :-2], e[:, 1:-1], e[:, 2:]], -1)
        return out(torch.tanh(ff2(F.relu(ff1(trigrams)))).amax(1))

    for epoch in range(10):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(forward(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(forward(x), y)}


@sick(
    "UT201",
    split="blind",
    note="decibels of -80 to 0 come in, the filters are made positive by abs: every rectifier is shut",
    cured=(("conv.weight.abs()", "conv.weight"),),
)
def filter_bank_on_decibels():
    torch.manual_seed(26)
    x, y = tones()
    spectrum = torch.fft.rfft(x[:, 0]).abs()
    x = 20 * torch.log10(spectrum / spectrum.max() + 1e-4)[:, None] / 40
    conv = nn.Conv1d(1, 16, 5)
    conv.weight.data = conv.weight.abs()
    conv.bias.data.zero_()
    net = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(16 * 29, 32), nn.ReLU(), nn.Linear(32, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    for epoch in range(12):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT202",
    split="blind",
    note="a recurrent network whose weights are standard normal: its tanh is at ±1 for good",
    cured=(
        ("torch.randn(48, 48)", "torch.randn(48, 48) / 48**0.5"),
        ("torch.randn(6, 48)", "torch.randn(6, 48) / 6**0.5"),
    ),
)
def an_elman_network_by_hand():
    torch.manual_seed(27)
    x, y = cue(length=16)
    wx, wh, wo = torch.randn(6, 48), torch.randn(48, 48), torch.randn(48, 4) * 0.1
    b = torch.zeros(48)
    params = [wx, wh, wo, b]
    for p in params:
        p.requires_grad = True
    opt = torch.optim.SGD(params, lr=0.1)

    def forward(u):
        h = torch.zeros(len(u), 48)
        for t in range(u.shape[1]):
            h = torch.tanh(u[:, t] @ wx + h @ wh + b)
        return h @ wo

    for epoch in range(20):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(forward(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(forward(x), y)}


@sick(
    "UT203",
    split="blind",
    note="all weights of a GRU and of its head filled with the same small number",
    cured=(("nn.init.constant_(p, 0.02)", "nn.init.uniform_(p, -0.2, 0.2)"),),
)
def characters_by_a_gru_made_plain():
    class CharRNN(nn.Module):
        def __init__(self, symbols):
            super().__init__()
            self.embed, self.gru, self.fc = (
                nn.Embedding(symbols, 24),
                nn.GRU(24, 48, batch_first=True),
                nn.Linear(48, symbols),
            )
            self.reset_parameters()

        def reset_parameters(self):
            for p in [*self.gru.parameters(), *self.fc.parameters()]:
                nn.init.constant_(p, 0.02)

        def forward(self, tokens):
            return self.fc(self.gru(self.embed(tokens))[0])

    torch.manual_seed(28)
    data, symbols = windows(40)
    net = CharRNN(symbols)
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(10):
        for i in torch.randperm(len(data)).split(20):
            opt.zero_grad()
            logits = net(data[i, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), data[i, 1:].flatten())
            loss.backward()
            opt.step()
    return {"accuracy": matches(net(data[:, :-1]), data[:, 1:])}


@sick(
    "UT203",
    split="blind",
    note="four experts are copies of one, and the router begins at zero: they stay copies",
    cured=(("copy.deepcopy(expert)", "nn.Linear(3 * 24, 1)"), ("nn.init.zeros_(router.weight)", "pass")),
)
def experts_from_one_template():
    torch.manual_seed(29)
    x, y = forecast()
    y = (y + x[:, -1, 0]).abs() * torch.sign(x[:, -1, 1])
    x = x.flatten(1)
    expert = nn.Linear(3 * 24, 1)
    experts = nn.ModuleList(copy.deepcopy(expert) for _ in range(4))
    router = nn.Linear(3 * 24, 4)
    nn.init.zeros_(router.weight)
    nn.init.zeros_(router.bias)
    opt = torch.optim.Adam([*experts.parameters(), *router.parameters()], lr=5e-3)

    def predict(u):
        votes = torch.cat([e(u) for e in experts], 1)
        return (router(u).softmax(1) * votes).sum(1)

    for epoch in range(40):
        for i in torch.randperm(700).split(50):
            opt.zero_grad()
            loss = F.mse_loss(predict(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(predict(x), y).item()}


@sick(
    "UT205",
    split="blind",
    note="two views are pulled together and nothing keeps different sequences apart",
    cured=(("(1 - (a * b).sum(1)).mean()", "F.cross_entropy(a @ b.T / 0.1, torch.arange(len(a)))"),),
)
def two_views_of_a_wave():
    torch.manual_seed(20)
    x, y = tones()
    net = nn.Sequential(
        nn.Conv1d(1, 16, 5),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 8),
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)

    def view(w):
        return w.roll(int(torch.randint(64, (1,))), -1) + 0.1 * torch.randn_like(w)

    for epoch in range(12):
        for i in torch.randperm(800).split(50):
            a, b = (F.normalize(net(view(x[i])), dim=1) for _ in range(2))
            loss = (1 - (a * b).sum(1)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = F.normalize(net(x), dim=1)
        near = (z @ z.T).fill_diagonal_(-2).topk(5).indices
        return {"accuracy": matches(F.one_hot(y[near], 4).sum(1), y)}
