"""Recurrent networks and transformers that do not get anywhere."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import characters, first_symbol, waves
from ..score import accuracy
from ..table import sick


@sick(
    "UT409",
    split="late",
    note="the mean log-likelihood is minimised: a minus sign is missing",
    cured=(("loss = picked.mean()", "loss = -picked.mean()"),),
)
def likelihood_without_minus():
    class Bigram(nn.Module):
        def __init__(self, symbols):
            super().__init__()
            self.emb = nn.Embedding(symbols, 24)
            self.rnn = nn.GRU(24, 48, batch_first=True)
            self.out = nn.Linear(48, symbols)

        def forward(self, ids):
            h, _ = self.rnn(self.emb(ids))
            return self.out(h).log_softmax(-1)

    torch.manual_seed(50)
    ids, symbols = characters("statistics")
    windows = ids.unfold(0, 17, 1)
    lm = Bigram(symbols)
    opt = torch.optim.Adam(lm.parameters(), lr=3e-3)
    for step in range(150):
        w = windows[torch.randint(len(windows), (32,))]
        picked = lm(w[:, :-1]).gather(-1, w[:, 1:, None])
        loss = picked.mean()  # <- fault
        opt.zero_grad()
        loss.backward()
        opt.step()
    w = windows[::16]
    return {"accuracy": (lm(w[:, :-1]).argmax(-1) == w[:, 1:]).float().mean().item(), "loss": loss.item()}


@sick(
    "UT102",
    split="late",
    module="rnn",
    note="recurrent weights drawn with a deviation of 1 and no clipping, a ReLU recurrence",
    cured=(("nn.init.normal_(p)", "nn.init.orthogonal_(p)"),),
)
def relu_recurrence_of_unit_normals():
    class Memory(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.RNN(1, 32, nonlinearity="relu", batch_first=True)
            for name, p in self.rnn.named_parameters():
                if "weight_hh" in name:
                    nn.init.normal_(p)  # <- fault
            self.out = nn.Linear(32, 1)

        def forward(self, x):
            return self.out(self.rnn(x)[0][:, -1])

    torch.manual_seed(51)
    x, y = waves(512, 20)
    model = Memory()
    sgd = torch.optim.SGD(model.parameters(), lr=5e-3, momentum=0.9)
    for epoch in range(30):
        for i in torch.randperm(512).split(64):
            loss = F.mse_loss(model(x[i]), y[i])
            sgd.zero_grad()
            loss.backward()
            sgd.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(x), y).item()}


@sick(
    "UT101",
    split="late",
    module="cell",
    note="the class is the first symbol of 25, and the recurrence keeps a third of its state at each step",
    cured=(("gain=0.35", "gain=1.0"),),
)
def first_symbol_through_shrinking_cell():
    torch.manual_seed(52)
    x, y = first_symbol(length=25)
    cell, head = nn.RNNCell(4, 24), nn.Linear(24, 4)
    nn.init.orthogonal_(cell.weight_hh, gain=0.35)  # <- fault
    model = nn.ModuleDict({"cell": cell, "head": head})
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def predict(batch):
        h = torch.zeros(len(batch), 24)
        for t in range(batch.shape[1]):
            h = cell(batch[:, t], h)
        return head(h)

    for step in range(160):
        i = torch.randint(256, (64,))
        loss = F.cross_entropy(predict(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return {"accuracy": (predict(x).argmax(1) == y).float().mean().item()}


@sick(
    "UT105",
    split="late",
    note="dot products multiplied by the root of the width where they should be divided by it",
    cured=(("* math.sqrt(self.dim)", "/ math.sqrt(self.dim)"),),
)
def attention_scaled_the_wrong_way():
    class Attention(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.dim = dim
            self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)

        def forward(self, x):
            scores = self.query(x) @ self.key(x).transpose(1, 2) * math.sqrt(self.dim)  # <- fault
            return scores.softmax(-1) @ self.value(x)

    class Counter(nn.Module):
        def __init__(self, symbols=12, dim=64):
            super().__init__()
            self.embed = nn.Embedding(symbols, dim)
            self.place = nn.Parameter(torch.randn(16, dim))
            self.attend = Attention(dim)
            self.read = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, symbols))

        def forward(self, ids):
            return self.read(self.attend(self.embed(ids) + self.place))

    torch.manual_seed(53)
    net = Counter()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(240):
        ids = torch.randint(12, (48, 16))
        loss = F.cross_entropy(net(ids).flatten(0, 1), ids.flip(1).flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    ids = torch.randint(12, (200, 16))
    return {"accuracy": (net(ids).argmax(-1) == ids.flip(1)).float().mean().item()}


@sick(
    "UT103",
    split="late",
    module="embed",
    note="the states are gathered into a new tensor, which cuts the encoder off",
    cured=(("torch.tensor(states.tolist())", "states"),),
)
def encoder_states_made_anew():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(30, 8)
            self.lstm = nn.LSTM(8, 16, batch_first=True)
            self.head = nn.Linear(16, 4)

        def forward(self, words):
            states, _ = self.lstm(self.embed(words))
            states = torch.tensor(states.tolist())  # <- fault
            return self.head(states)

    torch.manual_seed(54)
    words = torch.randint(30, (300, 12))
    before = torch.cat([torch.zeros(300, 1, dtype=torch.long), words[:, :-1]], 1)
    tags = (words % 2) * 2 + (before % 2)
    tagger = Tagger()
    opt = torch.optim.Adam(tagger.parameters(), lr=1e-2)
    for epoch in range(16):
        for i in torch.randperm(300).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(tagger(words[i]).transpose(1, 2), tags[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(tagger, words, tags)}


@sick(
    "UT303",
    split="late",
    note="zero_grad stands before the loop over the batches",
    cured=(("for w in order.split(64):\n", "for w in order.split(64):\n            optimizer.zero_grad()\n"),),
)
def char_cnn_zeroed_once_an_epoch():
    torch.manual_seed(55)
    ids, symbols = characters("heapq")
    windows = ids.unfold(0, 9, 1)
    net = nn.Sequential(nn.Embedding(symbols, 12), nn.Flatten(), nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, symbols))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(3):
        order = torch.randperm(len(windows))
        optimizer.zero_grad()
        for w in order.split(64):
            loss = F.cross_entropy(net(windows[w, :8]), windows[w, 8])
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(net, windows[:, :8], windows[:, 8])}


@sick(
    "UT301",
    split="late",
    note="a transformer at 0.1, the rate of the owner's last convnet",
    cured=(("lr=0.1", "lr=2e-3"),),
)
def roll_task_at_a_tenth():
    class Seq(nn.Module):
        def __init__(self, vocab=10, d=32):
            super().__init__()
            self.tok, self.pos = nn.Embedding(vocab, d), nn.Embedding(12, d)
            layer = nn.TransformerEncoderLayer(d, 4, 64, dropout=0.0, batch_first=True, norm_first=False)
            self.enc = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.head = nn.Linear(d, vocab)

        def forward(self, ids):
            return self.head(self.enc(self.tok(ids) + self.pos.weight))

    torch.manual_seed(56)
    model = Seq()
    opt = torch.optim.AdamW(model.parameters(), lr=0.1)
    for step in range(110):
        ids = torch.randint(10, (48, 12))
        goal = ids.roll(3, 1)
        loss = F.cross_entropy(model(ids).view(-1, 10), goal.view(-1))
        opt.zero_grad()
        loss.backward()
        opt.step()
    ids = torch.randint(10, (200, 12))
    return {"accuracy": accuracy(model, ids, ids.roll(3, 1))}


@sick(
    "UT310",
    split="late",
    note="gradients clipped to a norm of 0.001 before plain SGD",
    cured=(("max_norm=0.001", "max_norm=1.0"),),
)
def forecaster_clipped_to_nothing():
    class Forecaster(nn.Module):
        def __init__(self, hidden=24):
            super().__init__()
            self.lstm = nn.LSTM(1, hidden, batch_first=True)
            self.linear = nn.Linear(hidden, 1)

        def forward(self, series):
            out, (h, c) = self.lstm(series)
            return self.linear(h[-1])

    torch.manual_seed(57)
    past, future = waves(256, 20)
    net = Forecaster()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(25):
        for i in torch.randperm(256).split(32):
            optimizer.zero_grad()
            loss = F.mse_loss(net(past[i]), future[i])
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), max_norm=0.001)  # <- fault
            optimizer.step()
    with torch.no_grad():
        return {"error": F.mse_loss(net(past), future).item()}
