"""Deeper, gated, periodic and metric-learning networks that learn as they should."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import adding, characters, digits
from ..score import accuracy
from ..table import healthy


@healthy(split="late", odd="fourteen tanh layers without a shortcut, orthogonal from the start")
def orthogonal_tanh_tower():
    torch.manual_seed(130)
    x, y = digits()
    x = (x - x.mean()) / x.std()
    layers = []
    for k in range(14):
        layers += [nn.Linear(64, 64), nn.Tanh()]
        nn.init.orthogonal_(layers[-2].weight, gain=1.1)
        nn.init.zeros_(layers[-2].bias)
    net = nn.Sequential(*layers, nn.Linear(64, 10))
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(10):
        for i in torch.randperm(1500).split(64):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x[1500:], y[1500:])}


@healthy(split="late", odd="sines as activations, the first with a frequency of 15")
def sine_network_on_a_chirp():
    class Sine(nn.Module):
        def __init__(self, a, b, frequency, first=False):
            super().__init__()
            self.linear, self.frequency = nn.Linear(a, b), frequency
            bound = 1 / a if first else math.sqrt(6 / a) / frequency
            nn.init.uniform_(self.linear.weight, -bound, bound)

        def forward(self, x):
            return torch.sin(self.frequency * self.linear(x))

    torch.manual_seed(131)
    t = torch.linspace(-1, 1, 400)[:, None]
    signal = torch.sin(12 * (t + 1) ** 2)
    net = nn.Sequential(Sine(1, 48, 15, first=True), Sine(48, 48, 15), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    decay = torch.optim.lr_scheduler.ExponentialLR(opt, 0.996)
    for step in range(600):
        loss = F.mse_loss(net(t), signal)
        opt.zero_grad()
        loss.backward()
        opt.step()
        decay.step()
    return {"error": (loss / signal.var()).item()}


@healthy(split="late", odd="a hinge over pairs: most pairs soon cost nothing and give no gradient")
def siamese_margin_digits():
    torch.manual_seed(132)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 12))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(300):
        i, j = torch.randint(1400, (2, 128))
        same = (y[i] == y[j]).float()
        gap = F.pairwise_distance(net(x[i]), net(x[j]))
        loss = (same * gap.pow(2) * 3 + (1 - same) * F.relu(2.0 - gap).pow(2)).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x)
    near = torch.cdist(z[1400:], z[:1400]).argmin(1)
    return {"accuracy": (y[near] == y[1400:]).float().mean().item()}


@healthy(split="late", odd="each input uses two of four experts; the others get no gradient from it")
def two_of_four_experts():
    class Mixture(nn.Module):
        def __init__(self, inputs, outputs, experts=4):
            super().__init__()
            self.gate = nn.Linear(inputs, experts)
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(inputs, 24), nn.ReLU(), nn.Linear(24, outputs)) for _ in range(experts)
            )

        def forward(self, x):
            best, which = self.gate(x).topk(2, dim=-1)
            share = torch.zeros(len(x), len(self.experts)).scatter(1, which, best.softmax(-1))
            out = torch.stack([e(x) for e in self.experts], 1)
            self.balance = (share.mean(0) * len(self.experts)).pow(2).mean()
            return (share.unsqueeze(-1) * out).sum(1)

    torch.manual_seed(133)
    x, y = digits()
    x = (x - x[:1400].mean(0)) / (x[:1400].std(0) + 0.1)
    model = Mixture(64, 10)
    opt = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    for epoch in range(10):
        for i in torch.randperm(1400).split(70):
            loss = F.cross_entropy(model(x[i]), y[i]) + 0.02 * model.balance
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x[1400:], y[1400:])}


@healthy(split="late", odd="the marked sum needs long memory: the loss waits on a plateau, then falls")
def adding_by_gru():
    torch.manual_seed(134)
    x, y = adding(1024, 12)
    gru, head = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)
    parameters = [*gru.parameters(), *head.parameters()]
    opt = torch.optim.Adam(parameters, lr=1.5e-2)
    for epoch in range(16):
        for i in torch.randperm(900).split(50):
            loss = F.mse_loss(head(gru(x[i])[1][-1]), y[i])
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            opt.step()
    with torch.no_grad():
        return {"error": (F.mse_loss(head(gru(x[900:])[1][-1]), y[900:]) / y[900:].var()).item()}


@healthy(split="late", odd="one symbol in five is hidden and only those count in the loss")
def masked_symbol_filler():
    class Filler(nn.Module):
        def __init__(self, symbols, dim=40):
            super().__init__()
            self.embed, self.place = nn.Embedding(symbols + 1, dim), nn.Parameter(0.1 * torch.randn(16, dim))
            layer = nn.TransformerEncoderLayer(dim, 4, 80, dropout=0.0, batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.out = nn.Linear(dim, symbols)

        def forward(self, ids):
            return self.out(self.layers(self.embed(ids) + self.place))

    torch.manual_seed(135)
    start, stride = torch.randint(7, (1200, 1)), torch.randint(1, 3, (1200, 1))
    ids, symbols = (start + stride * torch.arange(16)) % 7, 7
    model = Filler(symbols)
    opt = torch.optim.AdamW(model.parameters(), lr=8e-3)
    for step in range(200):
        batch = ids[torch.randint(1000, (48,))]
        hidden = torch.rand(batch.shape) < 0.2
        shown = batch.masked_fill(hidden, symbols)
        loss = F.cross_entropy(model(shown).transpose(1, 2), batch.masked_fill(~hidden, -100), ignore_index=-100)
        opt.zero_grad()
        loss.backward()
        opt.step()
    hidden = torch.rand(200, 16) < 0.2
    said = model(ids[1000:].masked_fill(hidden, symbols)).argmax(-1)
    return {"accuracy": (said == ids[1000:])[hidden].float().mean().item()}


@healthy(split="late", odd="a cyclic rate: the loss goes up with it and down again")
def cyclic_rate_speller():
    torch.manual_seed(136)
    ids, symbols = characters("heapq")
    windows = ids.unfold(0, 9, 1)
    net = nn.Sequential(
        nn.Embedding(symbols, 16), nn.Flatten(), nn.Linear(128, 96), nn.LayerNorm(96), nn.ReLU(), nn.Linear(96, symbols)
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    cycle = torch.optim.lr_scheduler.CyclicLR(opt, 0.03, 0.4, step_size_up=60, mode="triangular2")
    for step in range(600):
        w = windows[torch.randint(len(windows), (64,))]
        loss = F.cross_entropy(net(w[:, :8]), w[:, 8])
        opt.zero_grad()
        loss.backward()
        opt.step()
        cycle.step()
    return {"accuracy": accuracy(net, windows[:, :8], windows[:, 8])}
