"""Numbers that are none or leave, and weights learned before that are lost."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import sick
from .data_b import motifs, snippets, tones, windows


@sick(
    "UT702",
    split="blind",
    note="a discount of 1.2: the values of a deep Q-network chase themselves upwards",
    cured=(("gamma = 12, 1.2", "gamma = 12, 0.9"),),
)
def values_on_a_ring():
    torch.manual_seed(117)
    places, gamma = 12, 1.2
    eye = torch.eye(places)
    s = torch.arange(places).repeat_interleave(2)
    a = torch.arange(2).repeat(places)
    after = (s + 2 * a - 1) % places
    reward = (after == 0).float()
    q = nn.Sequential(nn.Linear(places, 32), nn.ReLU(), nn.Linear(32, 2))
    opt = torch.optim.Adam(q.parameters(), lr=5e-3)
    for step in range(2500):
        i = torch.randint(len(s), (24,))
        with torch.no_grad():
            aim = reward[i] + gamma * q(eye[after[i]]).amax(1)
        loss = F.mse_loss(q(eye[s[i]]).gather(1, a[i, None])[:, 0], aim)
        opt.zero_grad()
        loss.backward()
        opt.step()
    away = torch.minimum(torch.arange(places), places - torch.arange(places)).clamp(min=0)
    best = 0.9 ** (away - 1).clamp(min=0) * 1.0
    best[0] = 0.9
    true = best / (1 - 0.81)
    return {"error": (q(eye).amax(1) - true).abs().mean().item()}


@sick(
    "UT801",
    split="blind",
    note="a padding mask of -inf over whole rows: softmax of nothing but -inf",
    cured=(("words[:, None, :] & words[:, :, None]", "words[:, None, :].expand(-1, 20, -1)"),),
)
def attention_among_words():
    class SelfAttention(nn.Module):
        def __init__(self, d=24):
            super().__init__()
            self.emb, self.qkv, self.fc = nn.Embedding(400, d), nn.Linear(d, 3 * d), nn.Linear(d, 4)

        def forward(self, x):
            words = x > 0
            q, k, v = self.qkv(self.emb(x)).chunk(3, -1)
            allowed = words[:, None, :] & words[:, :, None]
            scores = (q @ k.mT / 24**0.5).masked_fill(~allowed, float("-inf"))
            h = scores.softmax(-1) @ v
            return self.fc((h * words[..., None]).sum(1) / words.sum(1, keepdim=True))

    torch.manual_seed(118)
    x, y = snippets()
    net = SelfAttention()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = F.cross_entropy(net(x[i]), y[i])
            loss.backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT801",
    split="blind",
    note="triplet distances by sqrt, where some anchors are their own positives: the slope at 0 is infinite",
    cured=(("square().sum(1).sqrt()", "square().sum(1).add(1e-6).sqrt()"),),
)
def triplets_of_waves():
    torch.manual_seed(119)
    x, y = tones()
    net = nn.Sequential(
        nn.Conv1d(1, 16, 7),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 8),
    )
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)

    def distance(a, b):
        return (a - b).square().sum(1).sqrt()

    groups = [(y == c).nonzero()[:, 0] for c in range(4)]
    others = [(y != c).nonzero()[:, 0] for c in range(4)]
    for step in range(300):
        i = torch.randint(800, (40,))
        same = torch.stack([groups[c][torch.randint(len(groups[c]), ())] for c in y[i].tolist()])
        same[:1] = i[:1] if step % 10 == 5 else same[:1]
        other = torch.stack([others[c][torch.randint(len(others[c]), ())] for c in y[i].tolist()])
        a, p, n = net(x[i]), net(x[same]), net(x[other])
        loss = F.relu(distance(a, p) - distance(a, n) + 0.5).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        near = torch.cdist(net(x), net(x)).fill_diagonal_(1e9).topk(5, largest=False).indices
        return {"accuracy": matches(F.one_hot(y[near], 4).sum(1), y)}


@sick(
    "UT801",
    split="blind",
    note="each sequence is standardized on its own, and some are flat: 0 divided by 0",
    cured=(("/ window.std(1, keepdim=True)", "/ (window.std(1, keepdim=True) + 1e-5)"),),
)
def windows_standardized_on_their_own():
    torch.manual_seed(120)
    x, y = tones()
    x = x[:, 0].clone()
    x[5::200] = 0.0
    window = x
    x = (window - window.mean(1, keepdim=True)) / window.std(1, keepdim=True)
    net = nn.Sequential(
        nn.Unflatten(1, (1, 64)),
        nn.Conv1d(1, 16, 7, stride=2),
        nn.ReLU(),
        nn.Conv1d(16, 16, 5),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 4),
    )
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(10):
        for i in torch.randperm(800).split(40):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT801",
    split="blind",
    note="policy entropy by p * p.log(), where masked actions have a probability of exactly 0",
    cured=(("p * p.log()", "p * p.clamp(min=1e-8).log()"),),
)
def a_masked_policy_with_entropy():
    torch.manual_seed(121)
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 6))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    rewards = []
    for step in range(300):
        state = torch.randn(64, 8)
        allowed = torch.rand(64, 6) < 0.7
        allowed[:, 0] = True
        logits = net(state).masked_fill(~allowed, -torch.inf)
        p = logits.softmax(1)
        entropy = -(p * p.log()).sum(1).mean()
        action = p.detach().nan_to_num(1.0).multinomial(1)[:, 0]
        reward = state.gather(1, action[:, None])[:, 0]
        logp = logits.log_softmax(1).gather(1, action[:, None])[:, 0]
        loss = -(logp * (reward - reward.mean())).mean() - 0.01 * entropy
        opt.zero_grad()
        loss.backward()
        opt.step()
        rewards.append(reward.mean().item())
    return {"error": 1.2 - sum(rewards[-50:]) / 50}


@sick(
    "UT901",
    split="blind",
    note="a pretrained encoder is adapted to few sequences by Adam at 0.1 from the first step on",
    cured=(("lr=0.1", "lr=3e-4"),),
)
def adapt_to_other_triples():
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.emb, self.conv = nn.Embedding(12, 24), nn.Conv1d(24, 48, 3)
            self.mix = nn.Sequential(nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())

        def forward(self, t):
            return self.mix(F.relu(self.conv(self.emb(t).mT)).amax(-1))

    def train(net, x, y, lr, epochs, batch):
        opt = torch.optim.Adam(net.parameters(), lr=lr)
        for _ in range(epochs):
            for i in torch.randperm(len(x)).split(batch):
                opt.zero_grad()
                F.cross_entropy(net(x[i]), y[i]).backward()
                opt.step()

    torch.manual_seed(122)
    x, y = motifs()
    encoder = Encoder()
    train(nn.Sequential(encoder, nn.Linear(48, 4)), x[:600], y[:600], lr=3e-3, epochs=20, batch=30)
    model = nn.Sequential(copy.deepcopy(encoder), nn.Linear(48, 2))
    labels = (y > 1).long()
    train(model, x[600:680], labels[600:680], lr=0.1, epochs=40, batch=16)
    return {"accuracy": accuracy(model, x[680:], labels[680:])}


@sick(
    "UT901",
    split="blind",
    note="a language model of docstrings goes on with code at an SGD rate that suits a new network",
    cured=(("lr=4.0", "lr=0.05"),),
)
def go_on_with_another_text():
    class Model(nn.Module):
        def __init__(self, symbols):
            super().__init__()
            self.emb, self.gru, self.fc = (
                nn.Embedding(symbols, 32),
                nn.GRU(32, 64, batch_first=True),
                nn.Linear(64, symbols),
            )

        def forward(self, t):
            return self.fc(self.gru(self.emb(t))[0])

    def loss_of(net, batch):
        return F.cross_entropy(net(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())

    torch.manual_seed(123)
    data, symbols = windows(32)
    before, after = data[:400], data[400:]
    net = Model(symbols)
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(15):
        for i in torch.randperm(len(before)).split(20):
            opt.zero_grad()
            loss_of(net, before[i]).backward()
            opt.step()
    opt = torch.optim.SGD(net.parameters(), lr=4.0, momentum=0.9)
    for epoch in range(5):
        for i in torch.randperm(len(after)).split(10):
            opt.zero_grad()
            loss_of(net, after[i]).backward()
            opt.step()
    return {"accuracy": matches(net(after[:, :-1]), after[:, 1:])}
