"""Recurrent networks and language models that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import adding, characters, first_symbol, waves
from ..score import accuracy, hits, matches
from ..table import healthy


@healthy(split="build")
def lstm_forecast():
    class Forecaster(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, 24, batch_first=True)
            self.fc = nn.Linear(24, 1)

        def forward(self, x):
            out, _ = self.lstm(x)
            return self.fc(out[:, -1])

    torch.manual_seed(0)
    x, y = waves(256, 20)
    model = Forecaster()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(30):
        for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = F.mse_loss(model(xb), yb)
            loss.backward()
            opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="judge", odd="gradients shrink over 20 steps, and it learns")
def gru_adding():
    class Adder(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(2, 32, batch_first=True)
            self.fc = nn.Linear(32, 1)

        def forward(self, x):
            return self.fc(self.gru(x)[0][:, -1])

    torch.manual_seed(1)
    x, y = adding(1000, 10)
    model = Adder()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(400):
        i = torch.randint(1000, (64,))
        loss = F.mse_loss(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
    return {"loss": loss.item(), "variance": y.var().item()}


@healthy(split="build", odd="state detached between chunks: truncated back-propagation, on purpose")
def truncated_backpropagation():
    class CharRNN(nn.Module):
        def __init__(self, vocab):
            super().__init__()
            self.embed = nn.Embedding(vocab, 16)
            self.rnn = nn.GRU(16, 48, batch_first=True)
            self.out = nn.Linear(48, vocab)

        def forward(self, x, state):
            h, state = self.rnn(self.embed(x), state)
            return self.out(h), state

    torch.manual_seed(2)
    ids, vocab = characters("heapq")
    rows = ids[: 16 * (len(ids) // 16)].view(16, -1)
    model = CharRNN(vocab)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(6):
        state = None
        for start in range(0, rows.size(1) - 13, 12):
            chunk = rows[:, start : start + 13]
            logits, state = model(chunk[:, :-1], state)
            state = state.detach()
            loss = F.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten())
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"loss": loss.item()}


@healthy(split="judge", odd="bigrams: an embedding alone")
def bigram_table():
    torch.manual_seed(3)
    ids, vocab = characters()
    table = nn.Embedding(vocab, vocab)
    opt = torch.optim.SGD(table.parameters(), lr=20.0)
    for _ in range(200):
        loss = F.cross_entropy(table(ids[:-1]), ids[1:])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(table(ids[:-1]), ids[1:])}


@healthy(split="build", odd="sparse gradients, SparseAdam; most rows get none")
def sparse_bag():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.bag = nn.EmbeddingBag(2000, 8, mode="mean", sparse=True)
            self.out = nn.Linear(8, 2)

        def forward(self, x):
            return self.out(self.bag(x))

    torch.manual_seed(4)
    y = torch.randint(2, (800,))
    x = torch.randint(100, 2000, (800, 10))
    x[:, :3] = torch.randint(50, (800, 3)) + 50 * y[:, None]
    model = Bag()
    sparse = torch.optim.SparseAdam(list(model.bag.parameters()), lr=0.05)
    dense = torch.optim.Adam(model.out.parameters(), lr=0.01)
    for _ in range(150):
        i = torch.randint(800, (64,))
        sparse.zero_grad()
        dense.zero_grad()
        loss = F.cross_entropy(model(x[i]), y[i])
        loss.backward()
        sparse.step()
        dense.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="output weights tied to the embedding")
def tied_weights():
    class Tied(nn.Module):
        def __init__(self, vocab, dim=32):
            super().__init__()
            self.embed = nn.Embedding(vocab, dim)
            self.lstm = nn.LSTM(dim, dim, batch_first=True)
            self.decode = nn.Linear(dim, vocab, bias=False)
            self.decode.weight = self.embed.weight

        def forward(self, x):
            return self.decode(self.lstm(self.embed(x))[0])

    torch.manual_seed(5)
    ids, vocab = characters()
    pieces = ids.unfold(0, 17, 1)
    model = Tied(vocab)
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        piece = pieces[torch.randint(len(pieces), (32,))]
        loss = F.cross_entropy(model(piece[:, :-1]).transpose(1, 2), piece[:, 1:])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item()}


@healthy(split="build", odd="a forget bias of 3 carries the gradient over 40 steps")
def lstm_forget_bias():
    class Memory(nn.Module):
        def __init__(self, hidden=24):
            super().__init__()
            self.lstm = nn.LSTM(4, hidden, batch_first=True)
            self.fc = nn.Linear(hidden, 4)
            self.lstm.bias_ih_l0.data[hidden : 2 * hidden] = 3.0

        def forward(self, x):
            return self.fc(self.lstm(x)[0][:, -1])

    torch.manual_seed(6)
    x, y = first_symbol(2000, 30)
    x = x.clone()
    x[:, 1:] *= 0.1
    model = Memory()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="judge", odd="orthogonal tanh recurrence, clipped at nearly every step")
def clipped_vanilla_rnn():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(4, 32, batch_first=True)
            self.fc = nn.Linear(32, 4)
            nn.init.orthogonal_(self.rnn.weight_hh_l0)

        def forward(self, x):
            return self.fc(self.rnn(x)[1][-1])

    torch.manual_seed(7)
    x, y = first_symbol(2000, 10)
    model = Model()
    opt = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
    for _ in range(200):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="packed sequences of different lengths")
def packed_lengths():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(1, 16, batch_first=True, bidirectional=True)
            self.fc = nn.Linear(32, 1)

        def forward(self, x, lengths):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            _, (h, _) = self.lstm(packed)
            return self.fc(torch.cat([h[0], h[1]], 1)).squeeze(1)

    torch.manual_seed(8)
    lengths = torch.randint(3, 12, (400,))
    x = torch.randn(400, 12, 1) * (torch.arange(12) < lengths[:, None])[..., None]
    y = (x.sum((1, 2)) > 0).float()
    model = Counter()
    opt = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    for _ in range(150):
        i = torch.randint(400, (64,))
        loss = F.binary_cross_entropy_with_logits(model(x[i], lengths[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": hits(model(x, lengths), y)}


@healthy(split="judge", odd="parity of three bits: a plateau first, then it falls")
def parity_of_three():
    torch.manual_seed(9)
    x = torch.randint(2, (512, 6)).float() * 2 - 1
    y = (x[:, :3].prod(1) > 0).long()
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 2))
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(300):
        i = torch.randint(512, (128,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": accuracy(model, x, y)}


@healthy(split="build", odd="sequence to sequence with teacher forcing")
def reverses_strings():
    class Seq2Seq(nn.Module):
        def __init__(self, symbols=6, hidden=48):
            super().__init__()
            self.embed = nn.Embedding(symbols + 1, 16)
            self.encoder = nn.GRU(16, hidden, batch_first=True)
            self.decoder = nn.GRU(16, hidden, batch_first=True)
            self.out = nn.Linear(hidden, symbols)

        def forward(self, source, target):
            _, h = self.encoder(self.embed(source))
            begin = torch.full((len(target), 1), 6)
            out, _ = self.decoder(self.embed(torch.cat([begin, target[:, :-1]], 1)), h)
            return self.out(out)

    torch.manual_seed(10)
    model = Seq2Seq()
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        source = torch.randint(6, (64, 4))
        target = source.flip(1)
        scores = model(source, target)
        loss = F.cross_entropy(scores.flatten(0, 1), target.flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"loss": loss.item(), "accuracy": matches(scores, target)}
