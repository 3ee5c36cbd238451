"""Decay, clipping, precision and other settings of optimizers that do not suit."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import sick
from .data_b import (
    baskets,
    cue,
    forecast,
    motifs,
    speech,
    tones,
    windows,
)


@sick(
    "UT308",
    split="blind",
    note="weights in bfloat16 with Adam at 1e-4: most of the steps are below half a unit in the last place",
    cured=(("torch.bfloat16", "torch.float32"),),
)
def baskets_in_sixteen_bits():
    torch.manual_seed(49)
    x, y = baskets()
    dtype = torch.bfloat16
    net = nn.Sequential(nn.Embedding(48, 32), nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 48)).to(dtype)
    opt = torch.optim.Adam(net.parameters(), lr=1e-4)
    for epoch in range(60):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]).float(), y[i])
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"accuracy": (net(x).argmax(1) // 6 == y // 6).float().mean().item()}


@sick(
    "UT309",
    split="blind",
    note="AdamW with a weight decay of 5 at a rate of 0.01",
    cured=(("weight_decay=5.0", "weight_decay=0.01"),),
)
def triples_with_decoupled_decay():
    torch.manual_seed(50)
    x, y = motifs()
    emb, conv, fc = nn.Embedding(12, 16), nn.Conv1d(16, 32, 3), nn.Linear(32, 4)
    opt = torch.optim.AdamW([*emb.parameters(), *conv.parameters(), *fc.parameters()], lr=1e-2, weight_decay=5.0)
    net = lambda t: fc(F.gelu(conv(emb(t).mT)).amax(-1))  # noqa: E731
    for epoch in range(12):
        for i in torch.randperm(800).split(40):
            opt.zero_grad(set_to_none=True)
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y)}


@sick(
    "UT309",
    split="blind",
    note="SGD with weight_decay=0.2 on a forecaster with a GRU, an L2 penalty taken from a table of linear models",
    cured=(("weight_decay=0.2", "weight_decay=0.0"),),
)
def a_gru_with_the_penalty_of_ridge():
    torch.manual_seed(51)
    x, y = forecast()
    gru, fc = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1)
    opt = torch.optim.SGD([*gru.parameters(), *fc.parameters()], lr=0.05, momentum=0.9, weight_decay=0.2)
    for epoch in range(20):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            loss = F.mse_loss(fc(gru(x[i])[0][:, -1])[:, 0], y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(fc(gru(x)[0][:, -1])[:, 0], y).item()}


@sick(
    "UT310",
    split="blind",
    note="gradients clipped to a norm of 1e-3, 'to be safe with recurrent networks'",
    cured=(("max_norm=1e-3", "max_norm=1.0"),),
)
def a_memory_trained_safely():
    torch.manual_seed(52)
    x, y = cue(length=5)
    lstm, fc = nn.LSTM(6, 32, batch_first=True), nn.Linear(32, 4)
    params = [*lstm.parameters(), *fc.parameters()]
    opt = torch.optim.SGD(params, lr=0.5, momentum=0.9)
    for epoch in range(15):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(fc(lstm(x[i])[0][:, -1]), y[i])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(params, max_norm=1e-3)
            opt.step()
    return {"accuracy": matches(fc(lstm(x)[0][:, -1]), y)}


@sick(
    "UT310",
    split="blind",
    note="clip_grad_value_ at 1e-5 under SGD in a speech recogniser",
    cured=(("clip_value=1e-5", "clip_value=1.0"),),
)
def symbols_from_frames():
    torch.manual_seed(53)
    x, said, lengths = speech()
    net = nn.Sequential(nn.Linear(8, 48), nn.ReLU(), nn.Linear(48, 6))
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    ctc = nn.CTCLoss(blank=0)

    def loss_of(i):
        logp = net(x[i]).log_softmax(-1).transpose(0, 1)
        return ctc(logp, said[i], torch.full((len(i),), 28), lengths[i])

    for epoch in range(40):
        for i in torch.randperm(300).split(20):
            opt.zero_grad()
            loss_of(i).backward()
            nn.utils.clip_grad_value_(net.parameters(), clip_value=1e-5)
            opt.step()
    return {"error": loss_of(torch.arange(300)).item()}


@sick(
    "UT311",
    split="blind",
    note="Adam's eps set to 1.0, as some advise for other models",
    cured=(("eps=1.0", "eps=1e-8"),),
)
def characters_with_an_epsilon_of_one():
    torch.manual_seed(54)
    data, symbols = windows(32)
    net = nn.Sequential(nn.Embedding(symbols, 32), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, symbols))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1.0)
    for epoch in range(15):
        for i in torch.randperm(len(data)).split(20):
            opt.zero_grad()
            F.cross_entropy(net(data[i, :-1]).flatten(0, 1), data[i, 1:].flatten()).backward()
            opt.step()
    return {"accuracy": matches(net(data[:, :-1]), data[:, 1:])}


@sick(
    "UT312",
    split="blind",
    note="momentum of 0.999 with a rate that suits 0.9",
    cured=(("momentum=0.999", "momentum=0.9"),),
)
def waves_with_a_long_momentum():
    torch.manual_seed(55)
    x, y = tones()
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7, stride=2),
        nn.ReLU(),
        nn.Conv1d(16, 24, 5),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.999)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
