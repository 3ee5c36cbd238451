"""Recurrent networks, transformers and language models that learn as they should."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from ..data import characters, first_symbol, waves
from ..table import healthy


@healthy(split="late", odd="input and output embeddings are one matrix, and the first loss is at chance")
def tied_character_model():
    class Tied(nn.Module):
        def __init__(self, symbols, dim=48, context=16):
            super().__init__()
            self.embed = nn.Embedding(symbols, dim)
            self.place = nn.Parameter(0.02 * torch.randn(context, dim))
            layer = nn.TransformerEncoderLayer(
                dim, 4, 96, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            self.body = nn.TransformerEncoder(layer, 1, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
            self.out = nn.Linear(dim, symbols, bias=False)
            nn.init.normal_(self.embed.weight, std=0.02)
            self.out.weight = self.embed.weight
            self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(context))

        def forward(self, ids):
            return self.out(self.body(self.embed(ids) + self.place, mask=self.mask, is_causal=True))

    torch.manual_seed(60)
    ids, symbols = characters("statistics")
    windows = ids.unfold(0, 17, 1)
    model = Tied(symbols)
    opt = torch.optim.AdamW(model.parameters(), lr=5e-3, betas=(0.9, 0.95), weight_decay=0.1)
    warm = torch.optim.lr_scheduler.LambdaLR(opt, lambda n: min(1.0, (n + 1) / 30))
    for step in range(250):
        w = windows[torch.randint(len(windows), (48,))]
        loss = F.cross_entropy(model(w[:, :-1]).flatten(0, 1), w[:, 1:].flatten())
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        warm.step()
    w = windows[::8]
    return {"accuracy": (model(w[:, :-1]).argmax(-1) == w[:, 1:]).float().mean().item(), "loss": loss.item()}


@healthy(split="late", odd="forget gates opened by hand and gradients clipped at each step")
def first_symbol_with_open_gates():
    torch.manual_seed(61)
    x, y = first_symbol(512, 30)
    lstm, head = nn.LSTM(4, 20, batch_first=True), nn.Linear(20, 4)
    with torch.no_grad():
        lstm.bias_ih_l0[20:40] = 4.0
    parameters = [*lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=5e-3)
    for step in range(250):
        i = torch.randint(400, (64,))
        loss = F.cross_entropy(head(lstm(x[i])[0][:, -1]), y[i])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    scores = head(lstm(x[400:])[0][:, -1])
    return {"accuracy": (scores.argmax(1) == y[400:]).float().mean().item()}


@healthy(split="late", odd="the state is detached between pieces: truncated backpropagation through time")
def truncated_wave_follower():
    class Follower(nn.Module):
        def __init__(self):
            super().__init__()
            self.gru = nn.GRU(1, 24, batch_first=True)
            self.out = nn.Linear(24, 1)

        def forward(self, x, state=None):
            h, state = self.gru(x, state)
            return x + self.out(h), state

    torch.manual_seed(62)
    time = torch.arange(0, 321)
    long = torch.sin(0.3 * time + 6.28 * torch.rand(24, 1)) + 0.5 * torch.sin(0.11 * time + torch.rand(24, 1))
    long = long.unsqueeze(-1)
    model = Follower()
    optim = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(8):
        state = None
        for start in range(0, 320, 20):
            piece = long[:, start : start + 21]
            guess, state = model(piece[:, :-1], state)
            loss = F.mse_loss(guess, piece[:, 1:])
            optim.zero_grad()
            loss.backward()
            optim.step()
            state = state.detach()
    with torch.no_grad():
        guess, _ = model(long[:, :-1])
        return {"error": (F.mse_loss(guess[:, 20:], long[:, 21:]) / long.var()).item()}


@healthy(split="late", odd="lines of very different lengths, packed, and most of the padded matrix is padding")
def packed_words_by_ending():
    torch.manual_seed(63)
    ids, symbols = characters("statistics")
    lengths = torch.randint(3, 40, (400,))
    starts = torch.randint(len(ids) - 40, (400,))
    pieces = [ids[s : s + n] + 1 for s, n in zip(starts.tolist(), lengths.tolist())]
    space = ids.bincount().argmax() + 1
    y = torch.tensor([int(p[-1] == space) for p in pieces])
    x = pad_sequence(pieces, batch_first=True)

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(symbols + 1, 16, padding_idx=0)
            self.gru = nn.GRU(16, 24, batch_first=True)
            self.out = nn.Linear(24, 2)

        def forward(self, x, n):
            packed = pack_padded_sequence(self.embed(x), n, batch_first=True, enforce_sorted=False)
            return self.out(self.gru(packed)[1][-1])

    reader = Reader()
    opt = torch.optim.Adam(reader.parameters(), lr=1e-2)
    for epoch in range(12):
        for i in torch.randperm(320).split(40):
            loss = F.cross_entropy(reader(x[i], lengths[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": (reader(x[320:], lengths[320:]).argmax(1) == y[320:]).float().mean().item()}


@healthy(split="late", odd="SparseAdam moves only the rows of the words in the batch; most rows stand still")
def skipgram_with_sparse_adam():
    torch.manual_seed(64)
    group = torch.arange(200) // 10
    anchor = torch.randint(200, (6000,))
    context = group[anchor] * 10 + torch.randint(10, (6000,))
    inner = nn.Embedding(200, 16, sparse=True)
    outer = nn.Embedding(200, 16, sparse=True)
    nn.init.normal_(inner.weight, std=0.3)
    nn.init.normal_(outer.weight, std=0.3)
    opt = torch.optim.SparseAdam([inner.weight, outer.weight], lr=0.03)
    for epoch in range(4):
        for i in torch.randperm(6000).split(100):
            negative = torch.randint(200, (len(i), 5))
            hidden = inner(anchor[i])
            good = F.logsigmoid((hidden * outer(context[i])).sum(-1))
            bad = F.logsigmoid(-(outer(negative) @ hidden.unsqueeze(-1)).squeeze(-1)).sum(-1)
            loss = -(good + bad).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    unit = F.normalize(inner.weight.detach(), dim=1)
    near = (unit @ unit.T - 2 * torch.eye(200)).argmax(1)
    return {"accuracy": (group[near] == group).float().mean().item()}


@healthy(split="late", odd="attention by normalized keys and queries at a learned temperature that starts at an eighth")
def cosine_attention_lookup():
    class Lookup(nn.Module):
        def __init__(self, dim=24):
            super().__init__()
            self.q, self.k = nn.Linear(8, dim), nn.Linear(8, dim)
            self.log_temperature = nn.Parameter(torch.tensor(math.log(8.0)))

        def forward(self, asked, keys, values):
            q, k = F.normalize(self.q(asked), dim=-1), F.normalize(self.k(keys), dim=-1)
            scores = (k @ q.unsqueeze(-1)).squeeze(-1) * self.log_temperature.exp()
            return scores, (scores.softmax(-1) * values).sum(-1)

    torch.manual_seed(65)
    model = Lookup()
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    turn = torch.linalg.qr(torch.randn(8, 8))[0]

    def draw(n):
        keys, values, at = torch.randn(n, 6, 8), torch.randn(n, 6), torch.randint(6, (n,))
        return keys[torch.arange(n), at] @ turn, keys, values, values[torch.arange(n), at]

    for step in range(300):
        asked, keys, values, wanted = draw(64)
        loss = F.mse_loss(model(asked, keys, values)[1], wanted)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        asked, keys, values, wanted = draw(500)
        return {"error": F.mse_loss(model(asked, keys, values)[1], wanted).item()}


@healthy(split="late", odd="CTC over blanks: the loss starts far above and falls in a cliff")
def ctc_reader():
    torch.manual_seed(66)
    labels = torch.randint(1, 6, (200, 4))
    frames = torch.zeros(200, 16, 6)
    for k in range(4):
        frames[torch.arange(200), 4 * k + 1] = F.one_hot(labels[:, k], 6).float()
        frames[torch.arange(200), 4 * k + 2] = F.one_hot(labels[:, k], 6).float()
    frames = frames + 0.2 * torch.randn_like(frames)
    net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 6))
    ctc = nn.CTCLoss(blank=0)
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(25):
        for i in torch.randperm(200).split(25):
            log_probs = net(frames[i]).log_softmax(-1).transpose(0, 1)
            loss = ctc(log_probs, labels[i], torch.full((25,), 16), torch.full((25,), 4))
            opt.zero_grad()
            loss.backward()
            opt.step()
    best = net(frames).argmax(-1)
    right = 0
    for path, label in zip(best, labels):
        path = torch.unique_consecutive(path)
        right += path[path > 0].tolist() == label.tolist()
    return {"accuracy": right / 200}


@healthy(split="late", odd="dilated convolutions look only back, by padding on one side")
def causal_wave_net():
    class Causal(nn.Module):
        def __init__(self, inp, out, dilation):
            super().__init__()
            self.pad = dilation
            self.conv = nn.Conv1d(inp, out, 2, dilation=dilation)

        def forward(self, x):
            return F.relu(self.conv(F.pad(x, (self.pad, 0))))

    torch.manual_seed(67)
    past, future = waves(400, 16)
    past = past.transpose(1, 2)
    net = nn.Sequential(Causal(1, 16, 1), Causal(16, 16, 2), Causal(16, 16, 4), Causal(16, 16, 8))
    head = nn.Linear(16, 1)
    opt = torch.optim.RMSprop([*net.parameters(), *head.parameters()], lr=1e-3)
    anneal = torch.optim.lr_scheduler.MultiStepLR(opt, [20, 26], gamma=0.3)
    for epoch in range(30):
        for i in torch.randperm(320).split(32):
            loss = F.smooth_l1_loss(head(net(past[i])[..., -1]), future[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
        anneal.step()
    with torch.no_grad():
        return {"error": F.mse_loss(head(net(past[320:])[..., -1]), future[320:]).item()}
