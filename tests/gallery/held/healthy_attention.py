"""Transformers and other attention that look odd and are not, as other people might train them."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digit_images, digits
from ..score import accuracy, matches
from ..table import healthy
from .data import communities, prose, reversals, reviews


def pieces(text, length, count):
    at = torch.randint(len(text) - length - 1, (count,))
    piece = text[at[:, None] + torch.arange(length + 1)]
    return piece[:, :-1], piece[:, 1:]


class Block(nn.Module):
    def __init__(self, dim, heads, drop=0.0):
        super().__init__()
        self.one, self.two = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attend = nn.MultiheadAttention(dim, heads, batch_first=True, dropout=drop)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim), nn.Dropout(drop))

    def forward(self, x, mask=None):
        h = self.one(x)
        x = x + self.attend(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.two(x))


@healthy(split="held", odd="input and output share one embedding matrix, warm-up then cosine")
def embedding_shared_with_the_output():
    class GPT(nn.Module):
        def __init__(self, n, dim=32, length=24):
            super().__init__()
            self.embed, self.place = nn.Embedding(n, dim), nn.Embedding(length, dim)
            nn.init.normal_(self.embed.weight, std=0.1)
            self.blocks = nn.ModuleList(Block(dim, 4) for _ in range(2))
            self.norm, self.out = nn.LayerNorm(dim), nn.Linear(dim, n, bias=False)
            self.out.weight = self.embed.weight
            self.register_buffer("mask", torch.ones(length, length).triu(1).bool())

        def forward(self, t):
            x = self.embed(t) + self.place(torch.arange(t.shape[1]))
            for block in self.blocks:
                x = block(x, self.mask)
            return self.out(self.norm(x))

    torch.manual_seed(0)
    text, n = prose()
    model = GPT(n)
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)
    rate = torch.optim.lr_scheduler.LambdaLR(
        opt, lambda s: s / 40 if s < 40 else 0.5 * (1 + math.cos(math.pi * (s - 40) / 360))
    )
    for step in range(400):
        x, y = pieces(text, 24, 16)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        rate.step()
    return {"error": loss.item()}


@healthy(split="held", odd="encoder and decoder of PyTorch copy sequences the other way round, dropout of 0.1")
def transformer_both_ways():
    class Both(nn.Module):
        def __init__(self, n=9, dim=32):
            super().__init__()
            self.embed, self.place = nn.Embedding(n, dim), nn.Parameter(0.1 * torch.randn(6, dim))
            self.body = nn.Transformer(dim, 4, 1, 1, 64, 0.1, batch_first=True, norm_first=True)
            self.out = nn.Linear(dim, n)

        def forward(self, source, target):
            mask = nn.Transformer.generate_square_subsequent_mask(6)
            told = F.pad(target[:, :-1], (1, 0))
            return self.out(self.body(self.embed(source) + self.place, self.embed(told) + self.place, tgt_mask=mask))

    torch.manual_seed(1)
    source, target = reversals()
    model = Both()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(14):
        for i in torch.randperm(1500).split(50):
            opt.zero_grad()
            loss = F.cross_entropy(model(source[i], target[i]).flatten(0, 1), target[i].flatten())
            loss.backward()
            opt.step()
    return {"accuracy": matches(model.eval()(source, target), target)}


@healthy(split="held", odd="pictures as 16 patches and a class token; layer scale from 1e-4")
def patches_with_layer_scale():
    class ViT(nn.Module):
        def __init__(self, dim=32):
            super().__init__()
            self.patch = nn.Conv2d(1, dim, 2, 2)
            self.token, self.place = nn.Parameter(torch.zeros(1, 1, dim)), nn.Parameter(0.02 * torch.randn(17, dim))
            self.blocks = nn.ModuleList(Block(dim, 2) for _ in range(2))
            self.scales = nn.ParameterList(nn.Parameter(torch.full((dim,), 1e-4)) for _ in range(2))
            self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 10))

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.token.expand(len(x), 1, -1), x], 1) + self.place
            for block, scale in zip(self.blocks, self.scales):
                x = x + scale * (block(x) - x)
            return self.head(x.mean(1))

    torch.manual_seed(2)
    x, y = digit_images()
    model = ViT()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(model(x[i]), y[i], label_smoothing=0.1)
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, x, y)}


@healthy(split="held", odd="words weighed by one learned query; padding is masked")
def words_weighed_by_one_query():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.query = nn.Embedding(60, 24, padding_idx=0), nn.Parameter(torch.zeros(24))
            self.fc = nn.Linear(24, 2)

        def forward(self, tokens):
            x = self.embed(tokens)
            weight = (x @ self.query).masked_fill(tokens == 0, -1e9).softmax(1)
            return self.fc((weight[..., None] * x).sum(1))

    torch.manual_seed(4)
    tokens, _, mood = reviews()
    model = Reader()
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(40):
        for i in torch.randperm(800).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(model(tokens[i]), mood[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(model, tokens, mood)}


@healthy(split="held", odd="attention over neighbours in a graph, most entries minus infinity; few labels known")
def attention_over_neighbours():
    class GAT(nn.Module):
        def __init__(self, a, b):
            super().__init__()
            self.lift, self.left, self.right = nn.Linear(a, b), nn.Linear(b, 1), nn.Linear(b, 1)

        def forward(self, x, near):
            h = self.lift(x)
            scores = F.leaky_relu(self.left(h) + self.right(h).T, 0.2)
            return scores.masked_fill(~near, -torch.inf).softmax(1) @ h

    torch.manual_seed(6)
    x, adj, group = communities()
    one, two = GAT(12, 16), GAT(16, 3)
    opt = torch.optim.Adam([*one.parameters(), *two.parameters()], lr=5e-3, weight_decay=5e-4)
    known = torch.randperm(240)[:60]
    for epoch in range(500):
        scores = two(F.dropout(F.elu(one(x, adj > 0)), 0.3), adj > 0)
        loss = F.cross_entropy(scores[known], group[known])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": matches(two(F.elu(one(x, adj > 0)), adj > 0), group)}


@healthy(split="held", odd="of four experts one is asked for each example; the others get no gradient from it")
def one_of_four_experts():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(64, 4)
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)) for _ in range(4)
            )

        def forward(self, x):
            share, which = self.gate(x).softmax(1).max(1)
            out = x.new_zeros(len(x), 10)
            for k, expert in enumerate(self.experts):
                out = out.index_add(0, torch.nonzero(which == k).squeeze(1), expert(x[which == k]))
            return out * share[:, None]

    torch.manual_seed(7)
    x, y = digits()
    net = Experts()
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            spread = net.gate(x[i]).softmax(1).mean(0)
            loss = F.cross_entropy(net(x[i]), y[i]) + 0.1 * 4 * (spread**2).sum()
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}
