"""Recurrent networks, state spaces and convolutions over time that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..score import accuracy, matches
from ..table import healthy
from .data_b import cue, forecast, motifs, prose, sums, tagged


@healthy(split="blind", odd="the state is carried over chunks of a running text and detached after each, unshuffled")
def a_running_text_in_chunks():
    torch.manual_seed(201)
    text, symbols = prose()
    streams = text[: 16000 // 20 * 20].view(20, -1)
    emb, gru, fc = nn.Embedding(symbols, 32), nn.GRU(32, 64, batch_first=True), nn.Linear(64, symbols)
    opt = torch.optim.Adam([*emb.parameters(), *gru.parameters(), *fc.parameters()], lr=5e-3)
    right = 0.0
    for epoch in range(12):
        h, right, chunks = None, 0.0, 0
        for t in range(0, streams.shape[1] - 26, 25):
            x, y = streams[:, t : t + 25], streams[:, t + 1 : t + 26]
            out, h = gru(emb(x), h)
            h = h.detach()
            logits = fc(out)
            loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
            opt.zero_grad()
            loss.backward()
            opt.step()
            right, chunks = right + matches(logits, y), chunks + 1
        right /= chunks
    return {"accuracy": right, "trivial": 0.17}


@healthy(
    split="blind",
    odd="forget gates open by biases of 1 to 4, a long wait before the answer, a gradient of 1e-5 at first",
)
def a_long_wait_for_the_answer():
    class Waiter(nn.Module):
        def __init__(self, hidden=32, longest=40):
            super().__init__()
            self.lstm, self.fc = nn.LSTM(6, hidden, batch_first=True), nn.Linear(hidden, 4)
            u = torch.empty(hidden).uniform_(1, longest - 1).log()
            with torch.no_grad():
                self.lstm.bias_hh_l0.zero_()
                self.lstm.bias_ih_l0.zero_()
                self.lstm.bias_hh_l0[:hidden] = -u
                self.lstm.bias_hh_l0[hidden : 2 * hidden] = u

        def forward(self, x):
            return self.fc(self.lstm(x)[0][:, -1])

    torch.manual_seed(202)
    x, y = cue(length=40)
    net = Waiter()
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(15):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.27}


@healthy(split="blind", odd="a random recurrent network that is frozen on purpose: an echo state network")
def echoes_of_a_random_network():
    class Reservoir(nn.Module):
        def __init__(self, size=120):
            super().__init__()
            w = torch.randn(size, size) * (torch.rand(size, size) < 0.1)
            w *= 0.9 / torch.linalg.eigvals(w).abs().max()
            self.w, self.win = (
                nn.Parameter(w, requires_grad=False),
                nn.Parameter(torch.randn(3, size) * 0.3, requires_grad=False),
            )
            self.readout = nn.Linear(size, 1)

        def forward(self, x):
            s = x.new_zeros(len(x), len(self.w))
            for u in x.unbind(1):
                s = 0.5 * s + 0.5 * torch.tanh(s @ self.w + u @ self.win)
            return self.readout(s).squeeze(1)

    torch.manual_seed(203)
    x, y = forecast()
    net = Reservoir()
    opt = torch.optim.Adam(net.readout.parameters(), lr=1e-2)
    for epoch in range(40):
        for i in torch.randperm(700).split(70):
            loss = F.mse_loss(net(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item(), "trivial": 1.0}


@healthy(split="blind", odd="one sentence a step, SGD, losses that jump from sentence to sentence")
def one_sentence_a_step():
    torch.manual_seed(204)
    x, y, lengths = tagged()
    emb, rnn, fc = nn.Embedding(21, 16), nn.RNN(16, 32, batch_first=True), nn.Linear(32, 4)
    opt = torch.optim.SGD([*emb.parameters(), *rnn.parameters(), *fc.parameters()], lr=0.1)
    for epoch in range(4):
        for k in torch.randperm(500).tolist():
            n = int(lengths[k])
            scores = fc(rnn(emb(x[k : k + 1, :n]))[0])[0]
            opt.zero_grad()
            F.cross_entropy(scores, y[k, :n]).backward()
            opt.step()
    with torch.no_grad():
        out = fc(rnn(emb(x))[0])
    return {"accuracy": matches(out[y >= 0], y[y >= 0]), "trivial": 0.33}


@healthy(split="blind", odd="the decoder's own guesses are fed back more and more often, by argmax, without a gradient")
def reversal_with_scheduled_sampling():
    torch.manual_seed(205)
    x, y = sums()
    src, tgt = nn.Embedding(10, 32), nn.Embedding(11, 32)
    enc, cell, out = nn.GRU(32, 64, batch_first=True), nn.GRUCell(32, 64), nn.Linear(64, 10)
    modules = nn.ModuleList([src, tgt, enc, cell, out])
    opt = torch.optim.Adam(modules.parameters(), lr=4e-3)

    def decode(x, y, forced):
        h = enc(src(x))[1][0]
        token, logits = torch.full((len(x),), 10), []
        for t in range(y.shape[1]):
            h = cell(tgt(token), h)
            logits.append(out(h))
            token = torch.where(torch.rand(len(x)) < forced, y[:, t], logits[-1].argmax(1))
        return torch.stack(logits, 1)

    for epoch in range(30):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            logits = decode(x[i], y[i], forced=1 - epoch / 40)
            F.cross_entropy(logits.flatten(0, 1), y[i].flatten()).backward()
            nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
            opt.step()
    with torch.no_grad():
        return {"accuracy": matches(decode(x, y, forced=0.0), y), "trivial": 0.1}


@healthy(split="blind", odd="packed sequences of unequal lengths, in both directions; paddings give no gradient")
def tags_of_packed_sentences():
    class BiLSTM(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb = nn.Embedding(21, 16, padding_idx=0)
            self.lstm = nn.LSTM(16, 24, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(48, 4)

        def forward(self, x, lengths):
            packed = pack_padded_sequence(self.emb(x), lengths, batch_first=True, enforce_sorted=False)
            out, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
            return self.fc(out)

    torch.manual_seed(206)
    x, y, lengths = tagged()
    net = BiLSTM()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-2)
    for epoch in range(12):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i], lengths[i]).transpose(1, 2), y[i])
            loss.backward()
            opt.step()
    with torch.no_grad():
        out = net(x, lengths)
    return {"accuracy": matches(out[y >= 0], y[y >= 0]), "trivial": 0.33}


@healthy(split="blind", odd="rectifiers in a recurrence that begins as the identity, and a norm clipped on most steps")
def a_recurrence_that_begins_as_identity():
    torch.manual_seed(210)
    x, y = cue(length=25)
    rnn, fc = nn.RNN(6, 48, nonlinearity="relu", batch_first=True), nn.Linear(48, 4)
    with torch.no_grad():
        rnn.weight_hh_l0.copy_(torch.eye(48))
        rnn.weight_ih_l0.normal_(std=0.1)
        rnn.bias_hh_l0.zero_()
        rnn.bias_ih_l0.zero_()
    params = [*rnn.parameters(), *fc.parameters()]
    opt = torch.optim.SGD(params, lr=0.02, momentum=0.9)
    for epoch in range(30):
        for i in torch.randperm(600).split(30):
            opt.zero_grad()
            F.cross_entropy(fc(rnn(x[i])[0][:, -1]), y[i]).backward()
            nn.utils.clip_grad_norm_(params, 0.5)
            opt.step()
    return {"accuracy": matches(fc(rnn(x)[0][:, -1]), y), "trivial": 0.27}


@healthy(
    split="blind", odd="the answer is asked at the end of a long sequence by max-pooling: few steps get a gradient"
)
def triples_by_a_bidirectional_gru():
    torch.manual_seed(211)
    x, y = motifs()
    emb, gru, fc = nn.Embedding(12, 16), nn.GRU(16, 32, batch_first=True, bidirectional=True), nn.Linear(64, 4)
    opt = torch.optim.NAdam([*emb.parameters(), *gru.parameters(), *fc.parameters()], lr=5e-3)
    for epoch in range(12):
        for i in torch.randperm(800).split(32):
            opt.zero_grad()
            F.cross_entropy(fc(gru(emb(x[i]))[0].amax(1)), y[i]).backward()
            opt.step()
    return {"accuracy": matches(fc(gru(emb(x))[0].amax(1)), y), "trivial": 0.27}
