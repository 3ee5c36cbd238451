"""Sequences learned in ways that look odd and are not, as other people might."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from ..data import adding, characters, first_symbol, waves
from ..score import accuracy, matches
from ..table import healthy
from .data import prose, reversals, reviews, vocabulary, waveforms


def pieces(text, length, count):
    at = torch.randint(len(text) - length - 1, (count,))
    piece = text[at[:, None] + torch.arange(length + 1)]
    return piece[:, :-1], piece[:, 1:]


@healthy(split="held", odd="the state goes on from batch to batch, detached between them (truncated backpropagation)")
def state_goes_on_detached():
    torch.manual_seed(0)
    text, n = prose()
    rows = text[: len(text) // 16 * 16].view(16, -1)
    embed, rnn, out = nn.Embedding(n, 24), nn.LSTM(24, 64, batch_first=True), nn.Linear(64, n)
    params = [*embed.parameters(), *rnn.parameters(), *out.parameters()]
    opt = torch.optim.Adam(params, lr=5e-3)
    for epoch in range(12):
        state = None
        for t in range(0, rows.shape[1] - 21, 20):
            h, state = rnn(embed(rows[:, t : t + 20]), state)
            state = tuple(s.detach() for s in state)
            loss = F.cross_entropy(out(h).flatten(0, 1), rows[:, t + 1 : t + 21].flatten())
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(params, 0.25)
            opt.step()
    return {"error": loss.item()}


@healthy(split="held", odd="a rectified recurrence that starts as the identity")
def recurrence_from_the_identity():
    class IRNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.RNNCell(4, 48, nonlinearity="relu")
            nn.init.eye_(self.cell.weight_hh)
            nn.init.zeros_(self.cell.bias_hh)
            nn.init.normal_(self.cell.weight_ih, std=0.1)
            self.out = nn.Linear(48, 4)

        def forward(self, x):
            h = x.new_zeros(len(x), 48)
            for t in range(x.shape[1]):
                h = self.cell(x[:, t], h)
            return self.out(h)

    torch.manual_seed(1)
    x, y = first_symbol(3000, 20)
    model = IRNN()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for step in range(500):
        i = torch.randint(3000, (64,))
        opt.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return {"accuracy": accuracy(model, x, y)}


@healthy(split="held", odd="the adding problem: a long plateau at chance, then the loss falls")
def plateau_before_adding():
    class Adder(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru, self.fc = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)

        def forward(self, x):
            return self.fc(self.gru(x)[0][:, -1])

    torch.manual_seed(2)
    x, y = adding(2000, 20)
    model = Adder()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(2000).split(50):
            opt.zero_grad()
            loss = F.mse_loss(model(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(model(x), y).item()}


@healthy(split="held", odd="sentences packed by their lengths, the padding is never read")
def packed_by_length():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(60, 16, padding_idx=0)
            self.rnn = nn.LSTM(16, 16, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(32, 2)

        def forward(self, tokens, lengths):
            packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
            _, (h, _) = self.rnn(packed)
            return self.fc(F.dropout(torch.cat([h[0], h[1]], 1), 0.3, self.training))

    torch.manual_seed(3)
    tokens, lengths, mood = reviews()
    model = Reader()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(15):
        for i in torch.randperm(800).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(model(tokens[i], lengths[i]), mood[i])
            loss.backward()
            opt.step()
    return {"accuracy": matches(model.eval()(tokens, lengths), mood)}


@healthy(split="held", odd="a tagger; nine targets in ten are ignored")
def nine_targets_in_ten_ignored():
    torch.manual_seed(4)
    text, n = prose()
    embed, rnn, out = nn.Embedding(n, 16), nn.GRU(16, 32, batch_first=True, bidirectional=True), nn.Linear(64, 3)
    opt = torch.optim.AdamW([*embed.parameters(), *rnn.parameters(), *out.parameters()], lr=3e-3)
    kind = text % 3
    for step in range(500):
        i = torch.randint(len(text) - 30, (16,))[:, None] + torch.arange(30)
        target = torch.where(torch.rand(16, 30) < 0.1, kind[i], -100)
        loss = F.cross_entropy(out(rnn(embed(text[i]))[0]).flatten(0, 1), target.flatten(), ignore_index=-100)
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": matches(out(rnn(embed(text[i]))[0]), kind[i])}


@healthy(split="held", odd="an encoder and a decoder; half of the time the decoder reads its own guesses")
def scheduled_sampling():
    class Seq2Seq(nn.Module):
        def __init__(self, n=9, dim=64):
            super().__init__()
            self.embed, self.encoder = nn.Embedding(n, dim), nn.GRU(dim, dim, batch_first=True)
            self.cell, self.out = nn.GRUCell(dim, dim), nn.Linear(dim, n)

        def forward(self, source, target, force=0.5):
            h = self.encoder(self.embed(source))[1][0]
            token, scores = torch.zeros_like(target[:, 0]), []
            for t in range(target.shape[1]):
                h = self.cell(self.embed(token), h)
                scores.append(self.out(h))
                token = target[:, t] if torch.rand(()) < force else scores[-1].argmax(1)
            return torch.stack(scores, 1)

    torch.manual_seed(5)
    source, target = reversals()
    model = Seq2Seq()
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(20):
        for i in torch.randperm(1500).split(50):
            loss = F.cross_entropy(model(source[i], target[i]).flatten(0, 1), target[i].flatten())
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
    return {"accuracy": matches(model(source, target, 0.0), target)}


@healthy(split="held", odd="connectionist temporal classification: the loss starts in the tens, blanks win first")
def temporal_classification():
    torch.manual_seed(6)
    source, _ = reversals()
    frames = source.repeat_interleave(3, 1)
    net = nn.Sequential(nn.Conv1d(9, 32, 5, padding=2), nn.ReLU(), nn.Conv1d(32, 9, 5, padding=2))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    lengths, goals = torch.full((50,), 18), torch.full((50,), 6)
    for epoch in range(15):
        for i in torch.randperm(1500).split(50):
            x = F.one_hot(frames[i], 9).float().transpose(1, 2) + 0.3 * torch.randn(50, 9, 18)
            loss = F.ctc_loss(net(x).permute(2, 0, 1).log_softmax(2), source[i], lengths, goals, zero_infinity=True)
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": loss.item()}


@healthy(split="held", odd="word vectors with sparse gradients: most rows get none")
def sparse_word_vectors():
    torch.manual_seed(7)
    words, n = vocabulary()
    centre, around = nn.Embedding(n, 16, sparse=True), nn.Embedding(n, 16, sparse=True)
    nn.init.zeros_(around.weight)
    opt = torch.optim.SparseAdam([*centre.parameters(), *around.parameters()], lr=0.01)
    losses = []
    for step in range(1500):
        i = torch.randint(2, len(words) - 2, (64,))
        near = words[i + torch.tensor([-2, -1, 1, 2])[torch.randint(4, (64,))]]
        other = words[torch.randint(len(words), (64, 5))]
        v = centre(words[i])
        good, bad = (v * around(near)).sum(1), (v[:, None] * around(other)).sum(2)
        loss = -F.logsigmoid(good).mean() - F.logsigmoid(-bad).sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"error": sum(losses[-50:]) / 50, "first": losses[0]}


@healthy(split="held", odd="dilated causal convolutions predict a wave; the last steps are tiny")
def dilated_convolutions():
    class Causal(nn.Module):
        def __init__(self):
            super().__init__()
            self.convs = nn.ModuleList(nn.Conv1d(1 if d == 1 else 16, 16, 2, dilation=d) for d in (1, 2, 4, 8))
            self.out = nn.Linear(16, 1)

        def forward(self, x):
            x = x.transpose(1, 2)
            for conv in self.convs:
                x = torch.tanh(conv(x))
            return self.out(x[..., -1])

    torch.manual_seed(8)
    x, y = waves()
    net = Causal()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(opt, 0.93)
    for epoch in range(100):
        for i in torch.randperm(256).split(32):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]), y[i])
            loss.backward()
            opt.step()
        schedule.step()
    return {"error": F.mse_loss(net(x), y).item()}


@healthy(split="held", odd="letters of a text that nobody can foresee well: the loss stays high and that is the noise")
def letters_with_much_noise():
    torch.manual_seed(9)
    text, n = characters("statistics")
    noisy = torch.where(torch.rand(len(text)) < 0.3, torch.randint(n, (len(text),)), text)
    embed, rnn, out = nn.Embedding(n, 16), nn.GRU(16, 48, batch_first=True), nn.Linear(48, n)
    params = [*embed.parameters(), *rnn.parameters(), *out.parameters()]
    opt = torch.optim.RMSprop(params, lr=1e-3)
    for step in range(600):
        x, y = pieces(noisy, 24, 16)
        loss = F.cross_entropy(out(rnn(embed(x))[0]).flatten(0, 1), y.flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": loss.item(), "guess": torch.tensor(float(n)).log().item()}


@healthy(split="held", odd="a forget gate open from the start (bias 3), gradients of a thousandth")
def forget_gate_open():
    class Sorter(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.LSTM(1, 32, batch_first=True), nn.Linear(32, 3)
            with torch.no_grad():
                self.rnn.bias_ih_l0[32:64] = 3.0

        def forward(self, x):
            return self.fc(self.rnn(x.transpose(1, 2)[:, ::2])[0][:, -1])

    torch.manual_seed(10)
    x, kind = waveforms()
    model = Sorter()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(900).split(30):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), kind[i])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
    return {"accuracy": accuracy(model, x, kind)}
