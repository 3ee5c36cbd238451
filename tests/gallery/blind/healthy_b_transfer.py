"""Pretrained briefly and then adapted, frozen, distilled or averaged; all of it learns."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import healthy
from .data_b import motifs, patches, snippets, tones, windows


@healthy(split="blind", odd="LoRA: the base is frozen, one factor begins at 0, most parameters get no gradient")
def low_rank_beside_a_frozen_base():
    class LoRALinear(nn.Module):
        def __init__(self, base, rank=4, alpha=8):
            super().__init__()
            self.base, self.scale = base.requires_grad_(False), alpha / rank
            self.a = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
            self.b = nn.Parameter(torch.zeros(base.out_features, rank))

        def forward(self, x):
            return self.base(x) + self.scale * F.linear(F.linear(x, self.a), self.b)

    torch.manual_seed(271)
    x, y = patches()
    x = x.flatten(1)
    old, new = y < 5, y >= 5
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5))

    def fit(params, x, y, lr, epochs):
        opt = torch.optim.AdamW(params, lr=lr)
        for _ in range(epochs):
            for i in torch.randperm(len(x)).split(32):
                opt.zero_grad()
                F.cross_entropy(net(x[i]), y[i]).backward()
                opt.step()

    fit(net.parameters(), x[old], y[old], 2e-3, 10)
    for k in (0, 2, 4):
        net[k] = LoRALinear(net[k])
    fit([p for p in net.parameters() if p.requires_grad], x[new], y[new] - 5, 3e-3, 15)
    return {"accuracy": accuracy(net, x[new], y[new] - 5), "trivial": 0.2}


@healthy(split="blind", odd="a trunk that was trained is frozen and in eval mode; a linear probe alone learns")
def a_linear_probe_of_a_trained_trunk():
    torch.manual_seed(272)
    x, y = tones()
    trunk = nn.Sequential(
        nn.Conv1d(1, 16, 7, stride=2),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Conv1d(16, 32, 5),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
    )
    head = nn.Linear(32, 4)
    opt = torch.optim.Adam([*trunk.parameters(), *head.parameters()], lr=3e-3)
    for epoch in range(12):
        for i in torch.randperm(500).split(25):
            opt.zero_grad()
            F.cross_entropy(head(trunk(x[i])), y[i]).backward()
            opt.step()
    trunk.eval().requires_grad_(False)
    curved = (y % 3 == 0).long()
    probe = nn.Linear(32, 2)
    opt = torch.optim.SGD(probe.parameters(), lr=0.3, momentum=0.9)
    for epoch in range(20):
        for i in (500 + torch.randperm(300)).split(20):
            opt.zero_grad()
            F.cross_entropy(probe(trunk(x[i])), curved[i]).backward()
            opt.step()
    return {"accuracy": matches(probe(trunk(x[500:])), curved[500:]), "trivial": 0.55}


@healthy(split="blind", odd="fine-tuned at 1e-6: weights hardly move, and hardly should")
def a_touch_at_a_millionth():
    torch.manual_seed(273)
    x, y = snippets()
    net = nn.Sequential(nn.EmbeddingBag(400, 32, padding_idx=0), nn.ReLU(), nn.Linear(32, 4))
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    opt = torch.optim.AdamW(net.parameters(), lr=1e-6)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y), "trivial": 0.26}


@healthy(split="blind", odd="layers are thawed one after the other; each is added to the optimizer when its time comes")
def thawed_from_the_top():
    torch.manual_seed(274)
    x, y = motifs()
    emb, conv, mid = nn.Embedding(12, 16), nn.Conv1d(16, 32, 3), nn.Linear(32, 32)

    def features(t):
        return F.relu(mid(F.relu(conv(emb(t).mT)).amax(-1)))

    def epoch(head, labels, rows, opt):
        for i in rows[torch.randperm(len(rows))].split(25):
            opt.zero_grad()
            F.cross_entropy(head(features(x[i])), labels[i]).backward()
            opt.step()

    first, rows = nn.Linear(32, 4), torch.arange(500)
    opt = torch.optim.Adam([p for m in (emb, conv, mid, first) for p in m.parameters()], lr=5e-3)
    for _ in range(12):
        epoch(first, y, rows, opt)
    labels, rows, head = (y + 1) % 4 // 2, torch.arange(500, 800), nn.Linear(32, 2)
    for m in (emb, conv, mid):
        m.requires_grad_(False)
    opt = torch.optim.Adam(head.parameters(), lr=5e-3)
    for stage in (None, mid, conv, emb):
        if stage is not None:
            stage.requires_grad_(True)
            opt.add_param_group({"params": list(stage.parameters()), "lr": 1e-3})
        for _ in range(4):
            epoch(head, labels, rows, opt)
    return {"accuracy": matches(head(features(x[500:])), labels[500:]), "trivial": 0.52}


@healthy(split="blind", odd="a soft prompt of four vectors is all that learns; the language model behind it is frozen")
def four_vectors_before_the_text():
    torch.manual_seed(275)
    data, symbols = windows(16)
    text = data.flatten()[: len(data) * 16].view(-1, 16)
    emb, gru, fc = nn.Embedding(symbols, 32), nn.GRU(32, 64, batch_first=True), nn.Linear(64, symbols)
    base = nn.ModuleList([emb, gru, fc])
    turn = torch.tensor([(k * 7) % symbols for k in range(symbols)])
    prefix = nn.Parameter(torch.zeros(4, 32))

    def logits(t, soft):
        h = torch.cat([soft.expand(len(t), -1, -1), emb(t)], 1)
        return fc(gru(h)[0][:, 4:])

    plain, turned = torch.randn(4, 32), torch.randn(4, 32)
    opt = torch.optim.Adam(base.parameters(), lr=5e-3)
    for epoch in range(8):
        for i in torch.randperm(len(text)).split(25):
            t = text[i]
            opt.zero_grad()
            loss = F.cross_entropy(logits(t, plain).flatten(0, 1), t.flatten())
            loss = loss + F.cross_entropy(logits(t, turned).flatten(0, 1), turn[t].flatten())
            loss.backward()
            opt.step()
    base.requires_grad_(False)
    opt = torch.optim.Adam([prefix], lr=5e-2)
    for epoch in range(4):
        for i in torch.randperm(len(text)).split(25):
            t = text[i]
            opt.zero_grad()
            F.cross_entropy(logits(t, prefix).flatten(0, 1), turn[t].flatten()).backward()
            opt.step()
    return {"accuracy": matches(logits(text, prefix), turn[text]), "trivial": 0.17}


@healthy(split="blind", odd="only biases and the head are trained; weights of the encoder keep requires_grad=False")
def biases_alone():
    torch.manual_seed(276)
    x, y = patches()
    x = x.flatten(1)
    body = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU())
    even, head = nn.Linear(96, 2), nn.Linear(96, 10)
    opt = torch.optim.SGD([*body.parameters(), *even.parameters()], lr=0.1, momentum=0.9)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(even(body(x[i])), y[i] % 2).backward()
            opt.step()
    for name, p in body.named_parameters():
        p.requires_grad = name.endswith("bias")
    opt = torch.optim.AdamW([*filter(lambda p: p.requires_grad, body.parameters()), *head.parameters()], lr=5e-3)
    for epoch in range(10):
        for i in torch.randperm(len(x)).split(64):
            opt.zero_grad()
            F.cross_entropy(head(body(x[i])), y[i]).backward()
            opt.step()
    return {"accuracy": matches(head(body(x)), y), "trivial": 0.1}


@healthy(
    split="blind",
    odd="adapters of width 8 whose upward half is 0, with norms that are trained, inside a frozen encoder",
)
def adapters_in_an_encoder():
    class Adapter(nn.Module):
        def __init__(self, inner, d, width=8):
            super().__init__()
            self.inner, self.down, self.up = inner, nn.Linear(d, width), nn.Linear(width, d)
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

        def forward(self, x):
            h = self.inner(x)
            return h + self.up(F.gelu(self.down(h)))

    torch.manual_seed(277)
    x, y = tones()
    net = nn.Sequential(
        nn.Conv1d(1, 24, 9, stride=2),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(8),
        nn.Flatten(),
        nn.Linear(192, 48),
        nn.ReLU(),
        nn.Linear(48, 48),
        nn.ReLU(),
        nn.Linear(48, 2),
    )

    def fit(params, labels, rows, lr, epochs):
        opt = torch.optim.Adam(params, lr=lr)
        for _ in range(epochs):
            for i in rows[torch.randperm(len(rows))].split(25):
                opt.zero_grad()
                F.cross_entropy(net(x[i]), labels[i]).backward()
                opt.step()

    fit(net.parameters(), (y > 1).long(), torch.arange(400), 2e-3, 10)
    net.requires_grad_(False)
    net[4], net[6] = Adapter(net[4], 48), Adapter(net[6], 48)
    net[8] = nn.Linear(48, 4)
    fit([p for p in net.parameters() if p.requires_grad], y, torch.arange(400, 800), 5e-3, 20)
    return {"accuracy": accuracy(net, x[400:], y[400:]), "trivial": 0.26}
