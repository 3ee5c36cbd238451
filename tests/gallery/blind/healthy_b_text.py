"""Texts, characters and tokens, read and classified by networks that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from ..score import accuracy, hits, matches
from ..table import healthy
from .data_b import prose, seeded, snippets, sums, windows


@healthy(split="blind", odd="nine tokens of ten are padding, whose embedding stays 0 and gets no gradient")
def mostly_paddings():
    torch.manual_seed(331)
    x, y = snippets()
    x = F.pad(x[:, :10], (0, 90))
    emb, conv, fc = nn.Embedding(400, 24, padding_idx=0), nn.Conv1d(24, 32, 3, padding=1), nn.Linear(32, 4)
    opt = torch.optim.Adam([*emb.parameters(), *conv.parameters(), *fc.parameters()], lr=4e-3)

    def net(t):
        words = (t > 0)[:, None]
        h = F.relu(conv(emb(t).mT)) * words
        return fc(h.sum(-1) / words.sum(-1))

    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y), "trivial": 0.26}


@healthy(split="blind", odd="dropout of 0.6 on embeddings and features: training losses stay far above those of use")
def words_under_heavy_dropout():
    class TextCNN(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.drop = nn.Embedding(400, 48, padding_idx=0), nn.Dropout(0.6)
            self.convs = nn.ModuleList(nn.Conv1d(48, 48, k, padding=k // 2) for k in (1, 3, 5))
            self.fc = nn.Linear(144, 4)

        def forward(self, x):
            e = self.drop(self.emb(x)).mT
            return self.fc(self.drop(torch.cat([F.relu(c(e)).amax(-1) for c in self.convs], 1)))

    torch.manual_seed(332)
    x, y = snippets()
    net = TextCNN()
    opt = torch.optim.Adadelta(net.parameters(), lr=1.0)
    for epoch in range(18):
        net.train()
        for xb, yb in DataLoader(TensorDataset(x, y), 32, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(xb), yb).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}


@healthy(
    split="blind",
    odd="first the short sequences, then longer ones: lengths are in order, the loss jumps at each change",
)
def from_short_to_long():
    class Echo(nn.Module):
        def __init__(self):
            super().__init__()
            self.src, self.tgt = nn.Embedding(10, 32), nn.Embedding(11, 32)
            self.enc, self.dec, self.out = (
                nn.GRU(32, 64, batch_first=True),
                nn.GRU(32, 64, batch_first=True),
                nn.Linear(64, 10),
            )

        def forward(self, x, shifted):
            return self.out(self.dec(self.tgt(shifted), self.enc(self.src(x))[1])[0])

    torch.manual_seed(333)
    x, _ = sums()
    net = Echo()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for length in (1, 2, 3, 4, 5):
        for epoch in range(6 if length < 5 else 12):
            for i in torch.randperm(800).split(40):
                src, gold = x[i, :length], x[i, :length].flip(1)
                opt.zero_grad()
                logits = net(src, F.pad(gold[:, :-1], (1, 0), value=10))
                F.cross_entropy(logits.flatten(0, 1), gold.flatten()).backward()
                opt.step()
    src, gold = x[:, :5], x[:, :5].flip(1)
    return {"accuracy": matches(net(src, F.pad(gold[:, :-1], (1, 0), value=10)), gold), "trivial": 0.1}


@healthy(split="blind", odd="tokens are replaced by unknown at random, vectors are counts of pieces and frozen")
def frozen_vectors_of_counts():
    torch.manual_seed(334)
    x, y = snippets()
    table = torch.zeros(400, 400)
    for a, b in [(x[:, k], x[:, k + 1]) for k in range(19)]:
        table.index_put_((a, b), torch.ones(len(a)), accumulate=True)
        table.index_put_((b, a), torch.ones(len(a)), accumulate=True)
    u, s, _ = torch.linalg.svd(table[:, 1:].log1p())
    vectors = u[:, :48] * s[:48].sqrt()
    emb = nn.Embedding.from_pretrained(vectors / vectors.std(), freeze=True, padding_idx=0)
    gru, fc = nn.GRU(48, 32, batch_first=True), nn.Linear(32, 4)
    opt = torch.optim.Adam([*gru.parameters(), *fc.parameters()], lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(32):
            words = x[i].masked_fill((torch.rand(x[i].shape) < 0.1) & (x[i] > 0), 1)
            opt.zero_grad()
            F.cross_entropy(fc(gru(emb(words))[0].amax(1)), y[i]).backward()
            opt.step()
    return {"accuracy": matches(fc(gru(emb(x))[0].amax(1)), y), "trivial": 0.26}


@healthy(split="blind", odd="plain: a table of bigrams as a linear layer over one-hot characters, by SGD at 20")
def a_table_of_bigrams():
    torch.manual_seed(335)
    text, symbols = prose()
    table = nn.Linear(symbols, symbols)
    opt = torch.optim.SGD(table.parameters(), lr=20.0)
    onehot = F.one_hot(text, symbols).float()
    for epoch in range(8):
        for i in torch.randperm(len(text) - 1).split(250):
            opt.zero_grad()
            F.cross_entropy(table(onehot[i]), text[i + 1]).backward()
            opt.step()
    return {"accuracy": matches(table(onehot[:-1]), text[1:]), "trivial": 0.17}


@healthy(split="blind", odd="three of a hundred tokens are names; they are learned though all tokens count alike")
def rare_names_that_are_found():
    class Sentences(Dataset):
        def __init__(self):
            g = seeded(336)
            self.x = torch.randint(1, 60, (500, 14), generator=g)
            self.y = ((self.x % 5 == 0) & (F.pad(self.x[:, :-1], (1, 0)) % 6 == 1)).long()

        def __len__(self):
            return 500

        def __getitem__(self, k):
            return self.x[k], self.y[k]

    torch.manual_seed(336)
    data = Sentences()
    emb, lstm, fc = nn.Embedding(60, 16), nn.LSTM(16, 32, batch_first=True), nn.Linear(32, 2)
    opt = torch.optim.Adam([*emb.parameters(), *lstm.parameters(), *fc.parameters()], lr=1e-2)
    for epoch in range(15):
        for xb, yb in DataLoader(data, batch_size=25, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(fc(lstm(emb(xb))[0]).flatten(0, 1), yb.flatten()).backward()
            opt.step()
    with torch.no_grad():
        guess = fc(lstm(emb(data.x))[0]).argmax(-1)
    balanced = sum((guess[data.y == c] == c).float().mean().item() for c in (0, 1)) / 2
    return {"accuracy": balanced, "trivial": 0.5}


@healthy(
    split="blind",
    odd="a hierarchical softmax: of two small softmaxes, the second is only scored where its branch is taken",
)
def characters_by_two_choices():
    torch.manual_seed(337)
    data, symbols = windows(24)
    group, within = data % 6, data // 6
    emb, gru = nn.Embedding(symbols, 32), nn.GRU(32, 64, batch_first=True)
    first, second = nn.Linear(64, 6), nn.Linear(64, 6 * 6)
    opt = torch.optim.Adam([p for m in (emb, gru, first, second) for p in m.parameters()], lr=5e-3)

    def scores(t):
        h = gru(emb(t))[0]
        return first(h).log_softmax(-1), second(h).unflatten(-1, (6, 6)).log_softmax(-1)

    for epoch in range(8):
        for i in torch.randperm(len(data)).split(25):
            a, b = scores(data[i, :-1])
            g, w = group[i, 1:, None], within[i, 1:, None]
            chosen = b.gather(2, g[..., None].expand(-1, -1, -1, 6))[:, :, 0]
            loss = -(a.gather(2, g) + chosen.gather(2, w)).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        a, b = scores(data[:, :-1])
        best = (a[..., None] + b).flatten(2).argmax(-1)
    return {"accuracy": ((best // 6 + best % 6 * 6) == data[:, 1:]).float().mean().item(), "trivial": 0.17}


@healthy(split="blind", odd="one output and a sigmoid outside of the network, binary cross-entropy with pos_weight")
def is_it_of_tarfile():
    torch.manual_seed(338)
    x, y = snippets()
    y = (y == 3).float()
    net = nn.Sequential(nn.EmbeddingBag(400, 24, padding_idx=0), nn.Dropout(0.3), nn.Linear(24, 1), nn.Flatten(0))
    opt = torch.optim.Adamax(net.parameters(), lr=1e-2)
    criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))
    for epoch in range(15):
        net.train()
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            criterion(net(x[i]), y[i]).backward()
            opt.step()
    net.eval()
    return {"accuracy": hits(net(x), y), "trivial": 0.74}
