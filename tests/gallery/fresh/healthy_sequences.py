"""Sequences, sets, graphs and images read in unusual ways, as other people might write them."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits, first_symbol
from ..score import accuracy, matches
from ..table import healthy
from .data import bars, dialects, hires, molecules, scenes, sensors, sums


def train(net, x, y, opt, steps=300, size=30, loss_of=F.cross_entropy):
    for _ in range(steps):
        i = torch.randint(len(x), (size,))
        loss = loss_of(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return net


@healthy(split="fresh", odd="a recurrence whose weights begin at the identity, clipped, with ReLU")
def sensors_by_identity_recurrence():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.RNN(3, 32, batch_first=True, nonlinearity="relu"), nn.Linear(32, 3)
            nn.init.eye_(self.rnn.weight_hh_l0)
            nn.init.normal_(self.rnn.weight_ih_l0, std=0.05)

        def forward(self, x):
            return self.fc(self.rnn(x)[0].mean(1))

    torch.manual_seed(0)
    x, y = sensors()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(400):
        i = torch.randint(600, (30,))
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="running sums by teacher forcing: the decoder sees the right answer before it")
def sums_by_teacher_forcing():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.last = nn.Embedding(5, 16), nn.Embedding(6, 16)
            self.cell, self.out = nn.GRUCell(32, 48), nn.Linear(48, 5)

        def forward(self, x, y=None):
            h, before, scores = torch.zeros(len(x), 48), torch.full((len(x),), 5), []
            for t in range(x.shape[1]):
                h = self.cell(torch.cat([self.embed(x[:, t]), self.last(before)], 1), h)
                scores.append(self.out(h))
                before = scores[-1].argmax(1) if y is None else y[:, t]
            return torch.stack(scores, 1)

    torch.manual_seed(1)
    x, y = sums()
    net = Pair()
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for step in range(400):
        i = torch.randint(1500, (50,))
        loss = F.cross_entropy(net(x[i], y[i]).flatten(0, 1), y[i].flatten())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": matches(net(x), y)}


@healthy(split="fresh", odd="nearly all attention rests on one place, for that place holds the answer")
def attention_that_finds_the_first_symbol():
    class Finder(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.place = nn.Linear(4, 24), nn.Parameter(0.1 * torch.randn(60, 24))
            self.key, self.query, self.fc = nn.Linear(24, 24), nn.Parameter(torch.randn(24)), nn.Linear(24, 4)

        def forward(self, x):
            h = self.lift(x)
            weight = (self.key(h + self.place) @ self.query).softmax(1)
            return self.fc((weight[..., None] * h).sum(1))

    torch.manual_seed(2)
    x, y = first_symbol()
    net = Finder()
    train(net, x, y, torch.optim.Adam(net.parameters(), lr=1e-2), 500, 32)
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="one layer's weights serve six times, and the mean of all outputs is read")
def one_block_six_times():
    class Looped(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.place = nn.Embedding(13, 32, 0), nn.Parameter(0.02 * torch.randn(18, 32))
            self.block = nn.TransformerEncoderLayer(32, 2, 64, 0.0, batch_first=True, norm_first=True)
            self.fc = nn.Linear(32, 3)

        def forward(self, tokens):
            h, empty = self.embed(tokens) + self.place, tokens == 0
            for _ in range(6):
                h = self.block(h, src_key_padding_mask=empty)
            return self.fc(h.masked_fill(empty[..., None], 0).sum(1) / (~empty).sum(1, keepdim=True))

    torch.manual_seed(3)
    tokens, _, kind = dialects()
    net = Looped()
    train(net, tokens, kind, torch.optim.AdamW(net.parameters(), lr=2e-3), 200)
    return {"accuracy": accuracy(net, tokens, kind)}


@healthy(split="fresh", odd="masked pieces of a signal are rebuilt: the loss counts a quarter of the places")
def hidden_quarters_rebuilt():
    torch.manual_seed(4)
    x, _ = sensors()
    x = x.transpose(1, 2)
    net = nn.Sequential(nn.Conv1d(4, 32, 9, padding=4), nn.GELU(), nn.Conv1d(32, 32, 9, padding=4), nn.GELU())
    net.append(nn.Conv1d(32, 3, 9, padding=4))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    losses = []
    for step in range(300):
        part = x[torch.randint(600, (30,))]
        seen = (torch.rand(30, 1, 12) > 0.25).float().repeat_interleave(4, 2)
        out = net(torch.cat([part * seen, seen], 1))
        loss = ((out - part) ** 2 * (1 - seen)).sum() / (1 - seen).sum() / 3
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return {"error": sum(losses[-50:]) / 50 / x.var().item()}


@healthy(split="fresh", odd="attention among atoms with -inf where there is no bond, and a bond of each with itself")
def bonds_with_infinite_masks():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.lift, self.qkv, self.out = nn.Linear(4, 32), nn.Linear(32, 96), nn.Linear(64, 32)
            self.head = nn.Linear(32, 1)

        def forward(self, x, edge):
            h = torch.relu(self.lift(x))
            q, k, v = self.qkv(h).chunk(3, -1)
            bonded = edge + torch.eye(edge.shape[-1])
            weight = (q @ k.transpose(1, 2) / 32**0.5).masked_fill(bonded == 0, -torch.inf).softmax(-1)
            near = edge.sum(-1, keepdim=True) * (weight @ v)
            return self.head(torch.relu(self.out(torch.cat([h, near], -1)))).sum(1).squeeze(1)

    torch.manual_seed(5)
    x, edge, energy = molecules()
    net = Net()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(600):
        i = torch.randint(400, (20,))
        loss = F.mse_loss(net(x[i], edge[i]), energy[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"error": F.mse_loss(net(x, edge), energy).item()}


@healthy(split="fresh", odd="overlap alone is the loss, of scenes with few pixels in front: it begins near 0.7")
def overlap_of_scenes():
    torch.manual_seed(6)
    x, y = scenes()
    mask = (y > 0).float()[:, None]
    net = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1), nn.ReLU())
    net.append(nn.Conv2d(12, 1, 1))
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(200):
        i = torch.randint(300, (20,))
        p = torch.sigmoid(net(x[i]))
        loss = 1 - (2 * (p * mask[i]).sum() + 1) / (p.sum() + mask[i].sum() + 1)
        opt.zero_grad()
        loss.backward()
        opt.step()
    found = net(x) > 0
    return {"accuracy": ((found & (mask > 0)).sum() / (found | (mask > 0)).sum()).item()}


@healthy(split="fresh", odd="random crops, flips and noise on every picture: train loss stays above test loss")
def bars_strongly_augmented():
    torch.manual_seed(7)
    x, y = bars()
    net = nn.Sequential(nn.Conv2d(1, 12, 5), nn.ReLU(), nn.Conv2d(12, 12, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(2))
    net = nn.Sequential(net, nn.Flatten(), nn.Dropout(0.3), nn.Linear(48, 4))
    opt = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    for step in range(500):
        i = torch.randint(900, (30,))
        seen = torch.roll(x[i], tuple(torch.randint(-1, 2, (2,)).tolist()), (2, 3)) + 0.4 * torch.randn(30, 1, 12, 12)
        loss = F.cross_entropy(net(seen), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="ranking by pairs: only differences of scores count, their level drifts freely")
def ranked_by_pairs():
    torch.manual_seed(8)
    x, y = hires()
    net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(500):
        i, j = torch.randint(len(x), (2, 64))
        loss = F.margin_ranking_loss(net(x[i]).squeeze(1), net(x[j]).squeeze(1), (y[i] - y[j]).sign(), margin=0.1)
        opt.zero_grad()
        loss.backward()
        opt.step()
    s, t = net(x[:-1]).squeeze(1), net(x[1:]).squeeze(1)
    return {"accuracy": ((s > t) == (y[:-1] > y[1:])).float().mean().item()}


@healthy(split="fresh", odd="evidence for each class: a loss of digamma functions that a regulariser raises over time")
def evidential_digits():
    torch.manual_seed(9)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softplus())
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(500):
        i = torch.randint(len(x), (64,))
        alpha, target = net(x[i]) + 1, F.one_hot(y[i], 10)
        fit = (target * (alpha.sum(1, keepdim=True).digamma() - alpha.digamma())).sum(1).mean()
        wrong = ((1 - target) * (alpha - 1)).sum(1).mean()
        loss = fit + 0.05 * step / 500 * wrong
        opt.zero_grad()
        loss.backward()
        opt.step()
    return {"accuracy": accuracy(net, x, y)}


@healthy(split="fresh", odd="local losses, each block detached from the next")
def blocks_with_their_own_losses():
    torch.manual_seed(10)
    x, y = digits()
    blocks = nn.ModuleList(nn.Sequential(nn.Linear(a, 48), nn.ReLU()) for a in (64, 48, 48))
    heads = nn.ModuleList(nn.Linear(48, 10) for _ in blocks)
    opt = torch.optim.Adam([*blocks.parameters(), *heads.parameters()], lr=2e-3)
    for step in range(400):
        i = torch.randint(len(x), (32,))
        h, loss = x[i], 0.0
        for block, head in zip(blocks, heads):
            h = block(h.detach())
            loss = loss + F.cross_entropy(head(h), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    h = x
    for block in blocks:
        h = block(h)
    return {"accuracy": matches(heads[-1](h), y)}
