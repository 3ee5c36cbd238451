"""Pairs, triplets, views and prototypes: metric learning and self-supervision that keep things apart."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..data import digits, iris
from ..score import matches
from ..table import healthy
from .data_a import emblems


@healthy(split="blind", odd="a contrastive loss: most pairs that differ give no gradient later (0.1 by guessing)")
def twins_and_strangers():
    torch.manual_seed(1)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for step in range(700):
        a = torch.randint(len(x), (96,))
        b = torch.where(torch.rand(96) < 0.5, (a + torch.randint(1, len(x), (96,))) % len(x), a.roll(1))
        apart = (net(x[a]) - net(x[b]) + 1e-6).norm(dim=1)
        same = (y[a] == y[b]).float()
        loss = (same * apart**2 + 0.2 * (1 - same) * F.relu(2 - apart) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x)
        centres = torch.stack([z[y == k].mean(0) for k in range(10)])
        return {"accuracy": matches(-torch.cdist(z, centres), y)}


@healthy(split="blind", odd="hardest triplets of each batch: the loss stays near the margin for a while")
def hardest_of_a_batch():
    torch.manual_seed(2)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 16))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for step in range(500):
        i = torch.randperm(len(x))[:80]
        z = F.normalize(net(x[i]), dim=1)
        apart = (2 - 2 * z @ z.T).clamp(min=1e-8).sqrt()
        same = y[i][:, None] == y[i]
        far = apart.masked_fill(~same, 0).amax(1)
        near = apart.masked_fill(same, 9).amin(1)
        opt.zero_grad()
        F.relu(far - near + 0.3).mean().backward()
        opt.step()
    with torch.no_grad():
        z = F.normalize(net(x), dim=1)
        centres = torch.stack([z[y == k].mean(0) for k in range(10)])
        return {"accuracy": matches(-torch.cdist(z, centres), y)}


def views(x):
    """Two views of digits, with pixels left out and noise."""
    return [x * (torch.rand_like(x) > 0.2) + 0.1 * torch.randn_like(x) for _ in range(2)]


def probe(z, y):
    """Accuracy of a linear probe on frozen codes (0.1 by guessing)."""
    z = torch.cat([(z - z.mean(0)) / (z.std(0) + 1e-4), torch.ones(len(z), 1)], 1)
    weight = torch.linalg.lstsq(z.T @ z + 1e-2 * torch.eye(z.shape[1]), z.T @ F.one_hot(y, 10).float()).solution
    return matches(z @ weight, y)


@healthy(split="blind", odd="no negatives: one side is detached on purpose, and the loss is below 0")
def two_views_and_a_stop():
    torch.manual_seed(3)
    x, y = digits()
    enc = nn.Sequential(nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 32), nn.BatchNorm1d(32))
    head = nn.Sequential(nn.Linear(32, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 32))
    opt = torch.optim.SGD([*enc.parameters(), *head.parameters()], lr=0.05, momentum=0.9, weight_decay=1e-4)
    for epoch in range(20):
        for i in torch.randperm(len(x))[:1792].split(128):
            a, b = (enc(view) for view in views(x[i]))
            loss = -(F.cosine_similarity(head(a), b.detach()) + F.cosine_similarity(head(b), a.detach())).mean() / 2
            opt.zero_grad()
            loss.backward()
            opt.step()
    enc.eval()
    return {"accuracy": probe(enc(x).detach(), y)}


@healthy(split="blind", odd="a teacher that no optimizer moves: it is a running mean of the student")
def teacher_that_trails():
    torch.manual_seed(4)
    x, y = digits()
    student = nn.Sequential(nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 32))
    guess = nn.Sequential(nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32))
    teacher = copy.deepcopy(student).requires_grad_(False)
    opt = torch.optim.AdamW([*student.parameters(), *guess.parameters()], lr=2e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x))[:1792].split(128):
            a, b = views(x[i])
            loss = sum(1 - F.cosine_similarity(guess(student(p)), teacher(q)).mean() for p, q in ((a, b), (b, a)))
            opt.zero_grad()
            loss.backward()
            opt.step()
            with torch.no_grad():
                for old, new in zip(teacher.parameters(), student.parameters()):
                    old.lerp_(new, 0.02)
    student.eval()
    return {"accuracy": probe(student(x).detach(), y)}


@healthy(split="blind", odd="a cross-entropy against the other views of the batch; the loss ends near 1")
def views_among_others():
    torch.manual_seed(5)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32))
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x)).split(128):
            a, b = (F.normalize(net(view), dim=1) for view in views(x[i]))
            opt.zero_grad()
            F.cross_entropy(a @ b.T / 0.2, torch.arange(len(a))).backward()
            opt.step()
    return {"accuracy": probe(net(x).detach(), y)}


@healthy(split="blind", odd="the loss is a distance of a correlation matrix from the identity: tens, not ones")
def correlations_to_identity():
    torch.manual_seed(6)
    x, y = digits()
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32), nn.BatchNorm1d(32, affine=False))
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(20):
        for i in torch.randperm(len(x))[:1792].split(128):
            a, b = (net(view) for view in views(x[i]))
            c = a.T @ b / len(a)
            off = c - torch.diag(c.diagonal())
            loss = (1 - c.diagonal()).pow(2).sum() + 0.02 * off.pow(2).sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
    net.eval()
    return {"accuracy": probe(net(x).detach(), y)}


@healthy(split="blind", odd="an angular margin and a scale of 16: a first loss far above that of chance")
def angles_with_a_margin():
    torch.manual_seed(7)
    x, y = digits()
    net, centres = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16)), nn.Parameter(torch.randn(10, 16))
    opt = torch.optim.Adam([*net.parameters(), centres], lr=3e-3)
    for epoch in range(15):
        for i in torch.randperm(len(x)).split(64):
            cosine = F.normalize(net(x[i])) @ F.normalize(centres).T
            opt.zero_grad()
            F.cross_entropy(16 * (cosine - 0.3 * F.one_hot(y[i], 10)), y[i]).backward()
            opt.step()
    return {"accuracy": matches(F.normalize(net(x)) @ F.normalize(centres).T, y)}


@healthy(split="blind", odd="no classifier: classes are distances to the means of five examples, in small episodes")
def episodes_with_prototypes():
    torch.manual_seed(8)
    x, y = emblems()
    net = nn.Sequential(
        nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 16, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(256, 16)
    )
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    where = [torch.nonzero(y == k)[:, 0] for k in range(4)]
    for step in range(250):
        i = torch.stack([w[torch.randperm(len(w))[:12]] for w in where])
        z = net(x[i.flatten()]).view(4, 12, -1)
        centres, asked = z[:, :5].mean(1), z[:, 5:].flatten(0, 1)
        loss = F.cross_entropy(-(torch.cdist(asked, centres) ** 2), torch.arange(4).repeat_interleave(7))
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = net(x)
        return {"accuracy": matches(-torch.cdist(z, torch.stack([z[w].mean(0) for w in where])), y)}


@healthy(
    split="blind", odd="neighbourhoods by a softmax over minus squared distances; the loss is a probability below 0"
)
def neighbours_of_flowers():
    torch.manual_seed(9)
    x, y = iris()
    lift = nn.Linear(4, 2, bias=False)
    opt = torch.optim.SGD(lift.parameters(), lr=0.5)
    same = (y[:, None] == y).float()
    for step in range(300):
        apart = torch.cdist(lift(x), lift(x)) ** 2 + 1e6 * torch.eye(150)
        loss = -((-apart).softmax(1) * same).sum(1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        z = lift(x)
        votes = (-(torch.cdist(z, z) ** 2 + 1e6 * torch.eye(150))).softmax(1) @ F.one_hot(y, 3).float()
    return {"accuracy": matches(votes, y)}
