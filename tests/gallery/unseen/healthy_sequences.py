"""Sequences and sets, as other people might learn them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import adding, characters, first_symbol, waves
from ..score import accuracy, matches
from ..table import healthy


def pieces(source, length):
    ids, vocab = characters(source)
    return ids.unfold(0, length + 1, 2), vocab


@healthy(split="unseen", odd="a bidirectional GRU tags each place; the answer is at its two neighbours")
def tags_in_both_directions():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(6, 8)
            self.gru = nn.GRU(8, 16, batch_first=True, bidirectional=True)
            self.tag = nn.Linear(32, 6)

        def forward(self, tokens):
            return self.tag(self.gru(self.embed(tokens))[0])

    torch.manual_seed(31)
    model = Tagger()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(250):
        tokens = torch.randint(6, (32, 8))
        scores = model(tokens)
        loss = F.cross_entropy(scores.flatten(0, 1), ((tokens.roll(1, 1) > tokens.roll(-1, 1)).long()).flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, (tokens.roll(1, 1) > tokens.roll(-1, 1)).long())}


@healthy(split="unseen", odd="the state of an LSTM is carried from batch to batch and detached between")
def carried_state():
    torch.manual_seed(32)
    ids, vocab = characters("heapq")
    streams = ids[: len(ids) // 16 * 16].view(16, -1)
    embed, lstm, out = nn.Embedding(vocab, 16), nn.LSTM(16, 32, batch_first=True), nn.Linear(32, vocab)
    opt = torch.optim.Adam([*embed.parameters(), *lstm.parameters(), *out.parameters()], lr=0.01)
    for _ in range(6):
        state = None
        for start in range(0, streams.size(1) - 11, 10):
            piece = streams[:, start : start + 11]
            hidden, state = lstm(embed(piece[:, :-1]), state)
            state = tuple(s.detach() for s in state)
            loss = F.cross_entropy(out(hidden).flatten(0, 1), piece[:, 1:].flatten())
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item()}


@healthy(split="unseen", odd="three layers of causal, dilated convolutions over text")
def temporal_convolutions():
    class TCN(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab, 24)
            self.convs = nn.ModuleList(nn.Conv1d(24, 24, 2, dilation=2**k) for k in range(3))
            self.out = nn.Linear(24, vocab)

        def forward(self, tokens):
            h = self.embed(tokens).mT
            for k, conv in enumerate(self.convs):
                h = h + F.relu(conv(F.pad(h, (2**k, 0))))
            return self.out(h.mT)

    torch.manual_seed(33)
    windows, vocab = pieces("statistics", 16)
    model = TCN(vocab)
    opt = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(150):
        w = windows[torch.randint(len(windows), (32,))]
        loss = F.cross_entropy(model(w[:, :-1]).mT, w[:, 1:])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="unseen", odd="a pre-norm transformer of six layers, rates by the inverse root of the step")
def six_layers_inverse_root():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(4, 24)
            self.place = nn.Parameter(0.1 * torch.randn(6, 24))
            layer = nn.TransformerEncoderLayer(24, 2, 48, 0.0, batch_first=True, norm_first=True)
            self.layers = nn.TransformerEncoder(layer, 6, norm=nn.LayerNorm(24), enable_nested_tensor=False)
            self.out = nn.Linear(24, 4)

        def forward(self, x):
            return self.out(self.layers(self.embed(x) + self.place).mean(1))

    torch.manual_seed(34)
    x, y = first_symbol(600, 6)
    model = Reader()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    root = torch.optim.lr_scheduler.LambdaLR(opt, lambda n: min((n + 1) / 30, (30 / (n + 1)) ** 0.5))
    for _ in range(120):
        i = torch.randint(600, (32,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        root.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="unseen", odd="attention pooling adds two marked numbers")
def pooled_sum():
    class Pool(nn.Module):
        def __init__(self):
            super().__init__()
            self.feel = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 16))
            self.weigh = nn.Linear(2, 1)
            self.out = nn.Linear(16, 1)

        def forward(self, x):
            return self.out((self.weigh(x).softmax(1) * self.feel(x)).sum(1))

    torch.manual_seed(35)
    x, y = adding(512, 12)
    model = Pool()
    opt = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    for _ in range(250):
        i = torch.randint(512, (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="unseen", odd="EmbeddingBag with sparse gradients under SGD; most rows are never touched in a step")
def sparse_bags_of_pairs():
    torch.manual_seed(36)
    kind = torch.randint(2, (3000,))
    bag = nn.EmbeddingBag(3000, 8, sparse=True, mode="sum")
    out = nn.Linear(8, 2)
    opt = torch.optim.SGD([*bag.parameters(), *out.parameters()], lr=3.0)
    words = torch.randint(300, (1000, 5))
    topic = (kind[words].sum(1) > 2).long()
    for _ in range(300):
        i = torch.randint(1000, (64,))
        loss = F.cross_entropy(out(bag(words[i])), topic[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(out(bag(words)), topic)}


@healthy(split="unseen", odd="a loss summed over all letters of a batch, the rate to match")
def summed_over_letters():
    torch.manual_seed(37)
    windows, vocab = pieces("zen", 8)
    model = nn.Sequential(nn.Embedding(vocab, 16), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, vocab))
    opt = torch.optim.SGD(model.parameters(), lr=2e-3, momentum=0.8)
    for _ in range(200):
        w = windows[torch.randint(len(windows), (16,))]
        loss = F.cross_entropy(model(w[:, :-1]).flatten(0, 1), w[:, 1:].flatten(), reduction="sum")
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item() / 128}


@healthy(split="unseen", odd="a recurrent cell by hand with LayerNorm, gradients clipped by value")
def normalised_cell():
    class Forecast(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix = nn.Linear(17, 16)
            self.norm = nn.LayerNorm(16)
            self.out = nn.Linear(16, 1)

        def forward(self, x):
            h = x.new_zeros(len(x), 16)
            for value in x.unbind(1):
                h = torch.tanh(self.norm(self.mix(torch.cat([h, value], 1))))
            return self.out(h)

    torch.manual_seed(38)
    x, y = waves(256, 12)
    model = Forecast()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(120):
        i = torch.randint(256, (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.05)
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="unseen", odd="a set function: sums of sets, micro-batches accumulated and divided")
def deep_set_accumulated():
    torch.manual_seed(39)
    sets = torch.rand(512, 6, 1)
    total = sets.amax(1)
    phi = nn.Sequential(nn.Linear(1, 24), nn.ELU(), nn.Linear(24, 24))
    rho = nn.Sequential(nn.ELU(), nn.Linear(24, 1))
    opt = torch.optim.Adam([*phi.parameters(), *rho.parameters()], lr=5e-3)
    for _ in range(100):
        opt.zero_grad()
        for i in torch.randint(512, (4, 32)):
            loss = F.mse_loss(rho(phi(sets[i]).mean(1)), total[i]) / 4
            loss.backward()
        opt.step()
    return {"loss": 4 * loss.item(), "variance": total.var().item()}
