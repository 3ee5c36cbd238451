"""Gradients that are cut on their way through encoders, towers, routers and codes."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import sick
from .data_b import baskets, motifs, patches, seeded, snippets, sums


@sick(
    "UT103",
    split="blind",
    note="the encoder's memory is detached on its way to the decoder",
    cured=(("h.detach()", "h"),),
)
def reverse_with_encoder_and_decoder():
    class Seq2Seq(nn.Module):
        def __init__(self, d=32):
            super().__init__()
            self.src, self.tgt = nn.Embedding(10, d), nn.Embedding(11, d)
            self.encoder, self.decoder = nn.GRU(d, d, batch_first=True), nn.GRU(d, d, batch_first=True)
            self.out = nn.Linear(d, 10)

        def forward(self, x, shifted):
            _, h = self.encoder(self.src(x))
            out, _ = self.decoder(self.tgt(shifted), h.detach())
            return self.out(out)

    torch.manual_seed(17)
    x, y = sums()
    x, y = x[:, :5], y[:, 1:]
    shifted = F.pad(y[:, :-1], (1, 0), value=10)
    model = Seq2Seq()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(25):
        for i in torch.randperm(800).split(50):
            logits = model(x[i], shifted[i])
            loss = F.cross_entropy(logits.flatten(0, 1), y[i].flatten())
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"accuracy": matches(model(x, shifted), y)}


@sick(
    "UT103",
    split="blind",
    note="the query tower runs under no_grad 'to save memory', and its embeddings never move",
    cured=(("with torch.no_grad():", "with torch.enable_grad():"),),
)
def two_towers_of_a_shop():
    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            self.items = nn.EmbeddingBag(48, 16)
            self.mlp = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))

        def forward(self, bag):
            return self.mlp(self.items(bag))

    torch.manual_seed(18)
    x, y = baskets()
    query, article = Tower(), nn.Embedding(48, 16)
    opt = torch.optim.Adagrad([*query.parameters(), *article.parameters()], lr=0.05)

    def scores(bags):
        with torch.no_grad():
            q = query(bags)
        return q @ article.weight.T

    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(scores(x[i]), y[i])
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"accuracy": (scores(x).argmax(1) // 6 == y // 6).float().mean().item()}


@sick(
    "UT103",
    split="blind",
    note="features go through numpy between the convolutions and the head",
    cured=(("torch.from_numpy(h.detach().numpy())", "h"),),
)
def pooled_features_through_an_array():
    torch.manual_seed(19)
    x, y = motifs()
    emb = nn.Embedding(12, 12)
    conv = nn.Conv1d(12, 24, 3)
    clf = nn.Linear(24, 4)
    ps = [p for m in (emb, conv, clf) for p in m.parameters()]
    opt = torch.optim.AdamW(ps, lr=4e-3)

    def net(tokens):
        h = F.relu(conv(emb(tokens).mT)).amax(-1)
        pooled = torch.from_numpy(h.detach().numpy())
        return clf(pooled)

    for epoch in range(12):
        for i in torch.randperm(800).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y)}


@sick(
    "UT103",
    split="blind",
    note="an expert is chosen by argmax and not weighted by its score: the router is used and never learns",
    cured=(("F.one_hot(router(u).argmax(1), 3).float()", "router(u).softmax(1)"),),
)
def a_router_of_three_experts():
    torch.manual_seed(131)
    g = seeded(131)
    x = torch.randn(1500, 6, generator=g)
    rules = 2 * torch.randn(3, 6, generator=g)
    y = (x * rules[(x[:, 0] > -0.4).long() + (x[:, 0] > 0.4).long()]).sum(1)
    experts, router = nn.ModuleList(nn.Linear(6, 1) for _ in range(3)), nn.Linear(6, 3)
    opt = torch.optim.AdamW([*experts.parameters(), *router.parameters()], lr=1e-2)

    def net(u):
        gate = F.one_hot(router(u).argmax(1), 3).float()
        return (gate * torch.cat([e(u) for e in experts], 1)).sum(1)

    for epoch in range(40):
        for i in torch.randperm(1500).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(net(x), y).item()}


@sick(
    "UT103",
    split="blind",
    note="the loss of the epoch is wrapped in a new tensor with requires_grad, as an error message seemed to ask",
    cured=(("torch.tensor(loss.item(), requires_grad=True)", "loss"),),
)
def a_loss_that_requires_grad():
    torch.manual_seed(132)
    x, y = snippets()
    model = nn.Sequential(nn.EmbeddingBag(400, 32, padding_idx=0), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            outputs = model(x[i])
            loss = F.cross_entropy(outputs, y[i])
            loss = torch.tensor(loss.item(), requires_grad=True)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return {"accuracy": accuracy(model, x, y)}


@sick(
    "UT103",
    split="blind",
    note="the nearest code goes to the decoder, without a straight-through path to the encoder",
    cured=(("dec(code)", "dec(z + (code - z).detach())"),),
)
def a_book_of_few_codes():
    torch.manual_seed(133)
    x, _ = patches()
    x = x.reshape(-1, 4)
    enc = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 2))
    dec = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 4))
    book = nn.Parameter(0.5 * torch.randn(32, 2))
    opt = torch.optim.Adam([*enc.parameters(), *dec.parameters(), book], lr=3e-3)

    def run(p):
        z = enc(p)
        code = book[torch.cdist(z, book).argmin(1)]
        return dec(code), F.mse_loss(code, z.detach())

    for epoch in range(4):
        for i in torch.randperm(len(x)).split(128):
            seen, pull = run(x[i])
            opt.zero_grad()
            (F.mse_loss(seen, x[i]) + pull).backward()
            opt.step()
    return {"error": F.mse_loss(run(x)[0], x).item()}
