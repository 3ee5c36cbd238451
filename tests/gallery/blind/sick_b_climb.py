"""Losses that are summed, start out sure of themselves, or climb."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import accuracy, matches
from ..table import sick
from .data_b import Catch, baskets, patches, pixels, windows


@sick(
    "UT407",
    split="blind",
    note="the loss of a language model is summed over 25 sequences of 32, at a rate for means",
    cured=(('reduction="sum"', 'reduction="mean"'),),
)
def characters_all_added_up():
    torch.manual_seed(68)
    data, symbols = windows(32)
    emb, rnn, fc = nn.Embedding(symbols, 24), nn.RNN(24, 64, batch_first=True), nn.Linear(64, symbols)
    opt = torch.optim.SGD([*emb.parameters(), *rnn.parameters(), *fc.parameters()], lr=0.3, momentum=0.9)
    for epoch in range(8):
        for i in torch.randperm(len(data)).split(25):
            opt.zero_grad()
            logits = fc(rnn(emb(data[i, :-1]))[0])
            loss = F.cross_entropy(logits.transpose(1, 2), data[i, 1:], reduction="sum")
            loss.backward()
            opt.step()
    return {"accuracy": matches(fc(rnn(emb(data[:, :-1]))[0]), data[:, 1:])}


@sick(
    "UT408",
    split="blind",
    note="the head is drawn from a normal of deviation 5: the first loss is twenty times that of guessing",
    cured=(("std=5.0", "std=0.02"),),
)
def a_reader_of_patches_with_its_own_init():
    class Reader(nn.Module):
        def __init__(self, d=48):
            super().__init__()
            self.embed, self.gru = nn.Linear(4, d), nn.GRU(d, d, batch_first=True)
            self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, 10)
            nn.init.normal_(self.head.weight, std=5.0)
            nn.init.zeros_(self.head.bias)

        def forward(self, x):
            h, _ = self.gru(self.embed(x))
            return self.head(self.norm(h.mean(1)))

    torch.manual_seed(69)
    x, y = patches()
    net = Reader()
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(50):
            opt.zero_grad()
            F.cross_entropy(net(x[i]), y[i]).backward()
            opt.step()
    return {"accuracy": accuracy(net, x, y)}


@sick(
    "UT409",
    split="blind",
    note="REINFORCE without the minus",
    cured=(("loss = (torch.stack(logs) * r)", "loss = -(torch.stack(logs) * r)"),),
)
def a_policy_gradient_at_catch():
    torch.manual_seed(70)
    env = Catch(seed=70)
    pi = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 3))
    opt = torch.optim.Adam(pi.parameters(), lr=5e-3)
    caught = []
    for episode in range(250):
        s, over, logs = env.reset(), False, []
        while not over:
            d = torch.distributions.Categorical(logits=pi(s))
            a = d.sample()
            logs.append(d.log_prob(a))
            s, r, over = env.step(a)
        loss = (torch.stack(logs) * r).sum(0).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        caught.append((r > 0).float().mean().item())
    return {"accuracy": sum(caught[-20:]) / 20}


@sick(
    "UT409",
    split="blind",
    note="the evidence bound is minimised in place of its negative",
    cured=(("loss = elbo.mean()", "loss = -elbo.mean()"),),
)
def a_bound_for_digits():
    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.enc = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 16))
            self.dec = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Sigmoid())

        def forward(self, x):
            mean, logvar = self.enc(x).chunk(2, 1)
            z = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
            kl = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1)
            return self.dec(z), kl

    torch.manual_seed(71)
    x, _ = pixels()
    vae = VAE()
    opt = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(64):
            image, kl = vae(x[i])
            elbo = -10 * (image - x[i]).square().sum(1) - kl
            loss = elbo.mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(vae(x)[0], x).item()}


@sick(
    "UT409",
    split="blind",
    note="BPR with the two articles exchanged: what was bought is to be ranked below what was not",
    cured=(("score(x[i], other) - score(x[i], y[i])", "score(x[i], y[i]) - score(x[i], other)"),),
)
def a_ranking_of_articles():
    torch.manual_seed(72)
    x, y = baskets()
    bag, item = nn.EmbeddingBag(48, 16), nn.Embedding(48, 16)
    opt = torch.optim.Adam([*bag.parameters(), *item.parameters()], lr=0.02)

    def score(b, j):
        return (bag(b) * item(j)).sum(1) / 4

    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            other = torch.randint(48, (len(i),))
            loss = -F.logsigmoid(score(x[i], other) - score(x[i], y[i])).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"accuracy": ((bag(x) @ item.weight.T).argmax(1) // 6 == y // 6).float().mean().item()}
