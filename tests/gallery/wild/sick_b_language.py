"""Language models and their like that do not learn."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters
from ..score import accuracy, matches
from ..table import sick
from .data_b import sessions, strings


@sick(
    "UT401",
    split="wild",
    module="softmax",
    note="softmax at the end of a character model, and cross_entropy",
    cured=(("self.softmax(self.out(h))", "self.out(h)"),),
)
def character_lstm_with_two_softmaxes():
    class CharLSTM(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab, 24)
            self.lstm = nn.LSTM(24, 64, batch_first=True)
            self.out = nn.Linear(64, vocab)
            self.softmax = nn.Softmax(dim=-1)

        def forward(self, ids):
            h, _ = self.lstm(self.embed(ids))
            return self.softmax(self.out(h))  # <- fault

    torch.manual_seed(18)
    ids, vocab = characters("zen")
    pieces = ids.unfold(0, 25, 3)
    model = CharLSTM(vocab)
    criterion = nn.CrossEntropyLoss()
    opt = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(20):
        for i in torch.randperm(len(pieces)).split(32):
            out = model(pieces[i, :-1])
            loss = criterion(out.reshape(-1, vocab), pieces[i, 1:].reshape(-1))
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            opt.step()
    return {"accuracy": matches(model(pieces[:, :-1]), pieces[:, 1:]), "perplexity": math.exp(loss.item())}


@sick(
    "UT307",
    split="wild",
    note="gradients are cleared after backward, just before the step",
    cured=(("opt.zero_grad()  # <- fault", ""), ("loss = F", "opt.zero_grad()\n                    loss = F")),
)
def next_click_forgets_its_gradient():
    class Trainer:
        def __init__(self, net):
            self.net = net
            self.opt = torch.optim.Adam(net.parameters(), lr=5e-3)

        def fit(self, seen, following, epochs):
            opt = self.opt
            for _ in range(epochs):
                for k in torch.randperm(len(seen)).split(64):
                    loss = F.cross_entropy(self.net(seen[k]), following[k])
                    loss.backward()
                    opt.zero_grad()  # <- fault
                    opt.step()

    class Next(nn.Module):
        def __init__(self):
            super().__init__()
            self.item = nn.Embedding(30, 24)
            self.gru = nn.GRU(24, 32, batch_first=True)
            self.back = nn.Linear(32, 30)

        def forward(self, seen):
            return self.back(self.gru(self.item(seen))[1][0])

    torch.manual_seed(29)
    seen, following = sessions()
    net = Next()
    Trainer(net).fit(seen[:1000], following[:1000], 10)
    return {"accuracy": accuracy(net, seen[1000:], following[1000:])}


@sick(
    "UT303",
    split="wild",
    note="zero_grad stands before the loop over the batches, so gradients pile up over an epoch",
    cured=(("            loss = criterion", "            opt.zero_grad(); loss = criterion"),),
)
def gru_text_with_piled_gradients():
    class Writer(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab, 32)
            self.gru = nn.GRU(32, 48, batch_first=True)
            self.out = nn.Linear(48, vocab)

        def forward(self, ids):
            return self.out(self.gru(self.embed(ids))[0]).transpose(1, 2)

    torch.manual_seed(71)
    ids, vocab = characters("statistics")
    pieces = ids.unfold(0, 21, 7)
    writer, criterion = Writer(vocab), nn.CrossEntropyLoss()
    opt = torch.optim.SGD(writer.parameters(), lr=0.5, momentum=0.9)
    for _ in range(8):
        opt.zero_grad()
        for i in torch.randperm(len(pieces)).split(16):
            loss = criterion(writer(pieces[i, :-1]), pieces[i, 1:])
            loss.backward()
            opt.step()
    return {"accuracy": matches(writer(pieces[:, :-1]).transpose(1, 2), pieces[:, 1:]), "loss": loss.item()}


@sick(
    "UT310",
    split="wild",
    note="the gradient's norm is clipped at 0.001 under plain SGD",
    cured=(("(model.parameters(), 1e-3)", "(model.parameters(), 1.0)"),),
)
def decoder_held_on_a_short_leash():
    class Decoder(nn.Module):
        def __init__(self, vocab, dim=48, length=16):
            super().__init__()
            self.token, self.place = nn.Embedding(vocab, dim), nn.Embedding(length, dim)
            self.block = nn.TransformerEncoderLayer(dim, 4, 96, 0.0, "gelu", batch_first=True, norm_first=True)
            self.norm, self.out = nn.LayerNorm(dim), nn.Linear(dim, vocab, bias=False)
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length))

        def forward(self, ids):
            t = self.token(ids) + self.place(torch.arange(ids.shape[1]))
            return self.out(self.norm(self.block(t, src_mask=self.mask)))

    torch.manual_seed(72)
    ids, vocab = characters("heapq")
    pieces = ids.unfold(0, 17, 5)
    model = Decoder(vocab)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(5):
        for i in torch.randperm(len(pieces)).split(32):
            loss = F.cross_entropy(model(pieces[i, :-1]).flatten(0, 1), pieces[i, 1:].flatten())
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1e-3)  # <- fault
            opt.step()
    return {"accuracy": matches(model(pieces[:, :-1]), pieces[:, 1:]), "loss": loss.item()}


@sick(
    "UT308",
    split="wild",
    note="weights in bfloat16, of which the steps are less than half a last digit",
    cured=((".to(torch.bfloat16)", ".to(torch.float32)"),),
)
def adding_numbers_in_bfloat16():
    class Adder(nn.Module):
        def __init__(self, dim=48):
            super().__init__()
            self.embed = nn.Embedding(10, dim)
            self.mix = nn.Sequential(nn.Linear(4 * dim, 128), nn.ReLU(), nn.Linear(128, 19))

        def forward(self, ids):
            return self.mix(self.embed(ids).flatten(1))

    torch.manual_seed(73)
    ids = strings(1500, 4, 9)
    total = ids[:, 1] + ids[:, 3]
    net = Adder().to(torch.bfloat16)  # <- fault
    opt = torch.optim.AdamW(net.parameters(), lr=1e-4)
    for _ in range(35):
        for i in torch.randperm(1200).split(60):
            loss = F.cross_entropy(net(ids[i]).float(), total[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, ids[1200:], total[1200:]), "loss": loss.item()}


@sick(
    "UT402",
    split="wild",
    note="NLLLoss on the raw scores of a tagger",
    cured=(("self.tag(h).transpose(1, 2)", "self.tag(h).transpose(1, 2).log_softmax(1)"),),
)
def tagger_with_nll_of_scores():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 16)
            self.lstm = nn.LSTM(16, 24, bidirectional=True, batch_first=True)
            self.tag = nn.Linear(48, 3)

        def forward(self, ids):
            h, _ = self.lstm(self.embed(ids))
            return self.tag(h).transpose(1, 2)  # <- fault

    torch.manual_seed(74)
    ids = strings(900, 8)
    after = F.pad(ids[:, 1:], (0, 1))
    tags = torch.where(after == 0, 0, torch.where(after > ids, 1, 2))
    tagger, nll = Tagger(), nn.NLLLoss()
    opt = torch.optim.Adamax(tagger.parameters(), lr=5e-3)
    for _ in range(15):
        for x, t in DataLoader(TensorDataset(ids[:700], tags[:700]), batch_size=50, shuffle=True):
            opt.zero_grad()
            loss = nll(tagger(x), t)
            loss.backward()
            nn.utils.clip_grad_value_(tagger.parameters(), 1.0)
            opt.step()
    return {"accuracy": matches(tagger(ids[700:]).transpose(1, 2), tags[700:]), "loss": loss.item()}


@sick(
    "UT705",
    split="wild",
    note="a wide net learns 150 windows of a text by heart, while the loss on the rest climbs",
    cured=(("0, 10**6", "0, 2"),),
)
def text_learned_by_heart():
    torch.manual_seed(75)
    ids, vocab = characters("heapq")
    windows = ids.unfold(0, 6, 1)[torch.randperm(len(ids) - 5)]
    train, held = windows[:150], windows[150:1150]
    net = nn.Sequential(nn.Embedding(vocab, 64), nn.Flatten(), nn.Linear(320, 256), nn.ReLU(), nn.Linear(256, vocab))
    opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
    best, waited, patience = math.inf, 0, 10**6
    for _ in range(80):
        net.train()
        for i in torch.randperm(150).split(25):
            opt.zero_grad()
            F.cross_entropy(net(train[i, :5]), train[i, 5]).backward()
            opt.step()
        net.eval()
        with torch.no_grad():
            now = F.cross_entropy(net(held[:, :5]), held[:, 5]).item()
        waited = 0 if now < best else waited + 1
        best = min(now, best)
        if waited >= patience:
            break
    return {"error": now, "best": best}


@sick(
    "UT104",
    split="wild",
    note="float16 under autocast, without a scaler; the loss is a mean per token and is weighted by 1e-5",
    cured=(("weight = 1e-5", "weight = 1.0"),),
)
def auxiliary_text_loss_in_half_precision():
    torch.manual_seed(76)
    ids, vocab = characters("statistics")
    windows = ids.unfold(0, 9, 2)
    weight = 1e-5
    net = nn.Sequential(nn.Embedding(vocab, 24), nn.Flatten(), nn.Linear(192, 64), nn.GELU(), nn.Linear(64, vocab))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3, eps=1e-12)
    for _ in range(10):
        for i in torch.randperm(len(windows)).split(64):
            with torch.autocast("cpu", dtype=torch.float16):
                loss = weight * F.cross_entropy(net(windows[i, :8]), windows[i, 8])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, windows[:, :8], windows[:, 8]), "loss": loss.item()}
