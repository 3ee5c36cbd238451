"""Transformers and other attention that learn."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import healthy
from .data_b import motifs, patches, seeded, windows


@healthy(
    split="blind",
    odd="every residual branch is multiplied by a scalar that begins at 0: at first the blocks do nothing",
)
def layers_whose_branches_begin_at_nothing():
    class Block(nn.Module):
        def __init__(self, d):
            super().__init__()
            self.att = nn.MultiheadAttention(d, 2, batch_first=True)
            self.ff = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
            self.alpha = nn.Parameter(torch.zeros(2))

        def forward(self, x):
            x = x + self.alpha[0] * self.att(x, x, x, need_weights=False)[0]
            return x + self.alpha[1] * self.ff(x)

    torch.manual_seed(221)
    x, y = patches()
    x, y = x[:900], y[:900]
    lift, pos = nn.Linear(4, 32), nn.Parameter(torch.randn(16, 32) * 0.3)
    blocks, head = nn.Sequential(*[Block(32) for _ in range(4)]), nn.Linear(32, 10)
    opt = torch.optim.Adam([*lift.parameters(), pos, *blocks.parameters(), *head.parameters()], lr=3e-3)
    net = lambda u: head(blocks(lift(u) + pos).mean(1))  # noqa: E731
    for epoch in range(10):
        for i in torch.randperm(900).split(45):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y), "trivial": 0.1}


@healthy(
    split="blind", odd="tied embeddings, a causal mask of -inf, a warm-up from 0 and a cosine to 0, no decay for norms"
)
def a_gpt_with_all_the_trimmings():
    class Block(nn.Module):
        def __init__(self, d, heads):
            super().__init__()
            self.ln1, self.ln2, self.heads = nn.LayerNorm(d), nn.LayerNorm(d), heads
            self.qkv, self.proj = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
            self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

        def forward(self, x):
            n, t, d = x.shape
            q, k, v = (z.view(n, t, self.heads, -1).transpose(1, 2) for z in self.qkv(self.ln1(x)).chunk(3, -1))
            scores = q @ k.mT / math.sqrt(d / self.heads)
            scores = scores.masked_fill(torch.ones(t, t, dtype=torch.bool).triu(1), float("-inf"))
            x = x + self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, d))
            return x + self.mlp(self.ln2(x))

    class GPT(nn.Module):
        def __init__(self, symbols, d=48, block=32):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(symbols, d), nn.Embedding(block, d)
            self.h, self.ln = nn.Sequential(Block(d, 4), Block(d, 4)), nn.LayerNorm(d)
            self.lm_head = nn.Linear(d, symbols, bias=False)
            self.lm_head.weight = self.wte.weight
            for p in (self.wte.weight, self.wpe.weight):
                nn.init.normal_(p, std=0.02)

        def forward(self, t):
            return self.lm_head(self.ln(self.h(self.wte(t) + self.wpe.weight[: t.shape[1]])))

    torch.manual_seed(222)
    data, symbols = windows(16)
    model = GPT(symbols)
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    opt = torch.optim.AdamW(groups, lr=4e-3, betas=(0.9, 0.95))
    total = 8 * 40
    ramp = lambda s: s / 20 if s < 20 else 0.5 * (1 + math.cos(math.pi * (s - 20) / (total - 20)))  # noqa: E731
    sched = torch.optim.lr_scheduler.LambdaLR(opt, ramp)
    for epoch in range(8):
        for i in torch.randperm(len(data)).split(25):
            loss = F.cross_entropy(model(data[i, :-1]).flatten(0, 1), data[i, 1:].flatten())
            opt.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            sched.step()
    return {"accuracy": matches(model(data[:, :-1]), data[:, 1:]), "trivial": 0.17}


@healthy(split="blind", odd="whole blocks are skipped at random in training, up to every second time")
def blocks_that_sit_out():
    class Skipped(nn.Module):
        def __init__(self, d, chance):
            super().__init__()
            self.layer, self.chance = (
                nn.TransformerEncoderLayer(d, 2, 2 * d, 0.0, batch_first=True, norm_first=True),
                chance,
            )

        def forward(self, x):
            if self.training and torch.rand(()) < self.chance:
                return x
            return self.layer(x)

    torch.manual_seed(223)
    x, y = patches()
    x, y = x[:900], y[:900]
    net = nn.Sequential(
        nn.Linear(4, 32), *[Skipped(32, 0.5 * k / 4) for k in range(5)], nn.Flatten(), nn.Linear(512, 10)
    )
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    for epoch in range(8):
        net.train()
        for i in torch.randperm(900).split(45):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.1}


@healthy(split="blind", odd="linear attention by einsum: no softmax, elu + 1, sums over keys of any size")
def attention_without_a_softmax():
    class Linear(nn.Module):
        def __init__(self, d=24):
            super().__init__()
            self.emb, self.conv = nn.Embedding(12, d), nn.Conv1d(d, d, 3, padding=1)
            self.q, self.k, self.v = (nn.Linear(d, d) for _ in range(3))
            self.fc = nn.Linear(d, 4)

        def forward(self, t):
            h = F.relu(self.conv(self.emb(t).mT)).mT
            q, k, v = F.elu(self.q(h)) + 1, F.elu(self.k(h)) + 1, self.v(h)
            kv, z = torch.einsum("ntd,nte->nde", k, v), torch.einsum("ntd,nd->nt", q, k.sum(1))
            return self.fc((h + torch.einsum("ntd,nde->nte", q, kv) / z[..., None]).amax(1))

    torch.manual_seed(224)
    x, y = motifs()
    net = Linear()
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(15):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.27}


@healthy(split="blind", odd="six learned latents ask sixteen patches; latents begin small, nearly alike")
def latents_ask_the_patches():
    torch.manual_seed(225)
    x, y = patches()
    x, y = x[:1000], y[:1000]
    model = nn.ModuleDict(
        {
            "lift": nn.Linear(4, 32),
            "cross": nn.MultiheadAttention(32, 4, batch_first=True),
            "ff": nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)),
            "out": nn.Linear(6 * 32, 10),
        }
    )
    latents, pos = nn.Parameter(0.02 * torch.randn(6, 32)), nn.Parameter(0.5 * torch.randn(16, 32))
    opt = torch.optim.Adam([*model.parameters(), latents, pos], lr=3e-3)

    def net(u):
        keys = model["lift"](u) + pos
        z = latents.expand(len(u), -1, -1)
        z = z + model["cross"](z, keys, keys)[0]
        return model["out"]((z + model["ff"](z)).flatten(1))

    for epoch in range(10):
        for i in torch.randperm(1000).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": matches(net(x), y), "trivial": 0.1}


@healthy(
    split="blind", odd="attention that has to be sharp: each query has one right key, and the weights become one-hot"
)
def a_dictionary_to_look_things_up():
    torch.manual_seed(226)
    g = seeded(226)
    keys = torch.stack([torch.randperm(16, generator=g)[:8] for _ in range(1000)])
    values = torch.randint(8, (1000, 8), generator=g)
    asked = torch.randint(8, (1000,), generator=g)
    query, answer = keys[torch.arange(1000), asked], values[torch.arange(1000), asked]
    k, q, v = nn.Embedding(16, 16), nn.Embedding(16, 16), nn.Embedding(8, 16)
    fc = nn.Linear(16, 8)
    opt = torch.optim.Adam([p for m in (k, q, v, fc) for p in m.parameters()], lr=1e-2)

    def net(i):
        weights = torch.einsum("nd,nkd->nk", q(query[i]), k(keys[i])).softmax(-1)
        return fc(torch.einsum("nk,nkd->nd", weights, v(values[i])))

    for epoch in range(45):
        for i in torch.randperm(1000).split(50):
            opt.zero_grad()
            F.cross_entropy(net(i), answer[i]).backward()
            opt.step()
    return {"accuracy": matches(net(torch.arange(1000)), answer), "trivial": 0.14}
