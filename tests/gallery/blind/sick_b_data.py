"""Inputs and targets as they should not be: unscaled, constant, out of range, unbalanced, repeated or in order."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..score import accuracy, hits, matches
from ..table import sick
from .data_b import (
    climate,
    forecast,
    motifs,
    patches,
    snippets,
    stars,
    tones,
)


@sick(
    "UT501",
    split="blind",
    note="kelvins and hectopascals go straight into an LSTM",
    cured=(("x, _ = climate()", "x = forecast()[0]"),),
)
def weather_as_the_station_sends_it():
    torch.manual_seed(91)
    x, _ = climate()
    y = forecast()[1]
    lstm, fc = nn.LSTM(3, 32, batch_first=True), nn.Linear(32, 1)
    opt = torch.optim.Adam([*lstm.parameters(), *fc.parameters()], lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(700).split(35):
            opt.zero_grad()
            out, _ = lstm(x[i])
            loss = F.mse_loss(fc(out[:, -1])[:, 0], y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(fc(lstm(x)[0][:, -1])[:, 0], y).item()}


@sick(
    "UT501",
    split="blind",
    note="sound as 16-bit integers, cast to float and not divided by 32768",
    cured=(("samples = wave.float()", "samples = wave.float() / 32768"),),
)
def sound_of_sixteen_bits():
    torch.manual_seed(92)
    x, y = tones()
    wave = (x.clamp(-2, 2) * 16000).to(torch.int16)
    samples = wave.float()
    net = nn.Sequential(
        nn.Conv1d(1, 16, 9, stride=2),
        nn.ReLU(),
        nn.Conv1d(16, 24, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(25):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            loss = F.cross_entropy(net(samples[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, samples, y)}


@sick(
    "UT501",
    split="blind",
    note="positions 0 to 29 are put beside the token's embedding as plain numbers of up to 3000 milliseconds",
    cured=(("100.0 * torch.arange(30)", "0.03 * torch.arange(30)"),),
)
def tokens_and_the_time_they_came():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.gru, self.fc = nn.Embedding(12, 15), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 4)

        def forward(self, tokens, time):
            stamp = time.expand(len(tokens), -1).unsqueeze(-1)
            h, _ = self.gru(torch.cat([self.emb(tokens), stamp], -1))
            return self.fc(h.amax(1))

    torch.manual_seed(93)
    x, y = motifs()
    milliseconds = 100.0 * torch.arange(30)
    net = Reader()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i], milliseconds), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x, milliseconds), y)}


@sick(
    "UT502",
    split="blind",
    note="pixels of 0 to 1 are cast to long for an embedding of grey levels: all of them are 0",
    cured=(("below.long()", "(below * 16).long()"),),
)
def grey_levels_as_words():
    torch.manual_seed(94)
    x, y = patches()
    below = x.flatten(1) * 0.999
    tokens = below.long()
    net = nn.Sequential(nn.Embedding(16, 4), nn.Flatten(), nn.Linear(256, 48), nn.ReLU(), nn.Linear(48, 10))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(tokens[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, tokens, y)}


@sick(
    "UT503",
    split="blind",
    note="likes are coded 1 and -1 and given to binary cross-entropy with logits",
    cured=(("2.0 * (rating > 4) - 1", "1.0 * (rating > 4)"),),
)
def likes_as_plus_and_minus():
    torch.manual_seed(95)
    who, what, rating = stars()
    target = 2.0 * (rating > 4) - 1
    user, film = nn.Embedding(80, 8), nn.Embedding(60, 8)
    bias = nn.Parameter(torch.zeros(()))
    opt = torch.optim.Adam([*user.parameters(), *film.parameters(), bias], lr=0.02)
    for epoch in range(25):
        for i in torch.randperm(5000).split(100):
            opt.zero_grad()
            logit = (user(who[i]) * film(what[i])).sum(1) + bias
            loss = nn.BCEWithLogitsLoss()(logit, target[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits((user(who) * film(what)).sum(1) + bias, rating > 4)}


@sick(
    "UT504",
    split="blind",
    note="labels are compared with a name that never occurs, so that all are 0",
    cured=(('name == "Argparse"', 'name == "argparse"'),),
)
def texts_labelled_by_their_source():
    torch.manual_seed(96)
    x, y = snippets()
    x, y = x[y < 2], y[y < 2]
    sources = ["argparse" if label else "calendar" for label in y.tolist()]
    labels = torch.tensor([float(name == "Argparse") for name in sources])
    net = nn.Sequential(nn.EmbeddingBag(400, 16, padding_idx=0), nn.Tanh(), nn.Linear(16, 1), nn.Flatten(0))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(30):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(net(x[i]), labels[i])
            loss.backward()
            opt.step()
    return {"accuracy": hits(net(x), y)}


@sick(
    "UT505",
    split="blind",
    note="names are one token in forty; the loss counts every token alike and the tagger calls nothing a name",
    cured=(("weight=None", "weight=torch.tensor([1.0, 40.0])"),),
)
def names_in_a_text():
    torch.manual_seed(97)
    g = torch.Generator().manual_seed(97)
    x = torch.randint(1, 60, (400, 16), generator=g)
    named = (x % 3 == 0) & (F.pad(x[:, :-1], (1, 0)) % 3 == 1) & (torch.rand(400, 16, generator=g) < 0.25)
    y = named.long()
    emb, conv, fc = nn.Embedding(60, 12), nn.Conv1d(12, 24, 3, padding=1), nn.Linear(24, 2)
    opt = torch.optim.Adam([*emb.parameters(), *conv.parameters(), *fc.parameters()], lr=5e-3)
    criterion = nn.CrossEntropyLoss(weight=None)

    def net(t):
        return fc(F.relu(conv(emb(t).mT)).mT)

    for epoch in range(10):
        for i in torch.randperm(400).split(20):
            opt.zero_grad()
            criterion(net(x[i]).flatten(0, 1), y[i].flatten()).backward()
            opt.step()
    with torch.no_grad():
        guess = net(x).argmax(-1)
    balanced = sum((guess[y == c] == c).float().mean().item() for c in (0, 1)) / 2
    return {"accuracy": balanced}


@sick(
    "UT506",
    split="blind",
    note="next(iter(loader)) in the loop, without shuffling: the first batch each time",
    cured=(("shuffle=False", "shuffle=True"),),
)
def a_step_is_a_batch():
    torch.manual_seed(98)
    x, y = motifs()
    loader = DataLoader(TensorDataset(x, y), batch_size=40, shuffle=False)
    model = nn.Sequential(nn.Embedding(12, 16), nn.Flatten(), nn.Linear(480, 96), nn.ReLU(), nn.Linear(96, 4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(500):
        tokens, label = next(iter(loader))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(tokens), label)
        loss.backward()
        optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT507",
    split="blind",
    note="waves are read in the order of their four forms, a folder at a time",
    cured=(("shuffle=False", "shuffle=True"),),
)
def waves_folder_by_folder():
    torch.manual_seed(99)
    x, y = tones()
    order = y.argsort()
    folders = TensorDataset(x[order], y[order])
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7, stride=2),
        nn.ReLU(),
        nn.Conv1d(16, 24, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(15):
        for xb, yb in DataLoader(folders, batch_size=20, shuffle=False):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT507",
    split="blind",
    note="the texts of one module after those of another, with Adam and an LSTM",
    cured=(("torch.arange(len(x)).split(16)", "torch.randperm(len(x)).split(16)"),),
)
def module_after_module():
    torch.manual_seed(100)
    x, y = snippets()
    order = torch.argsort(y, stable=True)
    x, y = x[order], y[order]
    emb, lstm, fc = nn.Embedding(400, 24, padding_idx=0), nn.LSTM(24, 24, batch_first=True), nn.Linear(24, 4)
    opt = torch.optim.Adam([*emb.parameters(), *lstm.parameters(), *fc.parameters()], lr=2e-3)
    for epoch in range(6):
        for i in torch.arange(len(x)).split(16):
            opt.zero_grad()
            logits = fc(lstm(emb(x[i]))[0].amax(1))
            loss = F.cross_entropy(logits, y[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(fc(lstm(emb(x))[0].amax(1)), y)}


@sick(
    "UT701",
    split="blind",
    note="inputs and labels are shuffled apart: two calls of randperm in each epoch",
    cured=(("x[torch.randperm(800)], y[torch.randperm(800)]", "x[(o := torch.randperm(800))], y[o]"),),
)
def a_shuffle_before_each_epoch():
    torch.manual_seed(101)
    x, y = motifs()
    emb, conv, fc = nn.Embedding(12, 16), nn.Conv1d(16, 32, 3), nn.Linear(32, 4)
    params = [*emb.parameters(), *conv.parameters(), *fc.parameters()]
    optimizer = torch.optim.Adam(params, lr=5e-3)

    def model(t):
        return fc(F.relu(conv(emb(t).transpose(1, 2))).max(dim=2).values)

    for epoch in range(12):
        xs, ys = x[torch.randperm(800)], y[torch.randperm(800)]
        for k in range(0, 800, 40):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(xs[k : k + 40]), ys[k : k + 40])
            loss.backward()
            optimizer.step()
    return {"accuracy": matches(model(x), y)}
