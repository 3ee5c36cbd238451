"""Embeddings, factors and pairs that learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F

from ..score import matches
from ..table import healthy
from .data_b import baskets, seeded, snippets, stars, tones


@healthy(split="blind", odd="sparse gradients of embeddings under SparseAdam; most rows are still in most steps")
def factors_with_sparse_gradients():
    torch.manual_seed(281)
    who, what, rating = stars()
    a, b = nn.Embedding(80, 4, sparse=True), nn.Embedding(60, 4, sparse=True)
    for e in (a, b):
        nn.init.normal_(e.weight, std=0.3)
    opt = torch.optim.SparseAdam([*a.parameters(), *b.parameters()], lr=0.02)
    for epoch in range(12):
        for i in torch.randperm(5000).split(40):
            opt.zero_grad()
            F.mse_loss(3 + (a(who[i]) * b(what[i])).sum(1), rating[i]).backward()
            opt.step()
    return {"error": F.mse_loss(3 + (a(who) * b(what)).sum(1), rating).item(), "trivial": rating.var().item()}


@healthy(split="blind", odd="two towers, negatives from the batch, a temperature of 0.05: first losses above chance")
def two_towers_with_a_temperature():
    class Tower(nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.bag, self.out = nn.EmbeddingBag(inputs, 24), nn.Linear(24, 16)

        def forward(self, x):
            return F.normalize(self.out(torch.tanh(self.bag(x))), dim=1)

    torch.manual_seed(282)
    x, y = baskets()
    left, right = Tower(48), Tower(48)
    opt = torch.optim.AdamW([*left.parameters(), *right.parameters()], lr=1e-2)
    for epoch in range(25):
        for i in torch.randperm(600).split(60):
            scores = left(x[i]) @ right(y[i, None]).T / 0.05
            labels = torch.arange(len(i))
            loss = (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        best = (left(x) @ right(torch.arange(48)[:, None]).T).argmax(1)
    return {"accuracy": (best // 6 == y // 6).float().mean().item(), "trivial": 0.13}


@healthy(
    split="blind", odd="no negatives: a predictor, a detached branch, a loss that goes to -1, which looks like collapse"
)
def a_branch_that_stands_still():
    torch.manual_seed(283)
    x, y = tones()
    encoder = nn.Sequential(
        nn.Conv1d(1, 24, 7),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.Conv1d(24, 24, 5),
        nn.BatchNorm1d(24),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(24, 24),
        nn.BatchNorm1d(24, affine=False),
    )
    predictor = nn.Sequential(nn.Linear(24, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 24))
    opt = torch.optim.SGD([*encoder.parameters(), *predictor.parameters()], lr=0.05, momentum=0.9, weight_decay=1e-4)
    view = lambda u: u.roll(int(torch.randint(64, (1,))), -1) + 0.15 * torch.randn_like(u)  # noqa: E731
    for epoch in range(20):
        for i in torch.randperm(800).split(80):
            z1, z2 = encoder(view(x[i])), encoder(view(x[i]))
            p1, p2 = predictor(z1), predictor(z2)
            loss = -(F.cosine_similarity(p1, z2.detach()).mean() + F.cosine_similarity(p2, z1.detach()).mean()) / 2
            opt.zero_grad()
            loss.backward()
            opt.step()
    encoder.eval()
    with torch.no_grad():
        z = F.normalize(encoder(x), dim=1)
        near = (z @ z.T).fill_diagonal_(-2).topk(5).indices
    return {"accuracy": matches(F.one_hot(y[near], 4).sum(1), y), "trivial": 0.26}


@healthy(split="blind", odd="skip-grams with negative samples, a rate of 4 by SGD, outer vectors that begin at 0")
def neighbours_of_words():
    torch.manual_seed(284)
    g = seeded(284)
    topic = torch.randint(6, (3000,), generator=g)
    word = topic * 10 + torch.randint(10, (3000,), generator=g)
    other = topic * 10 + torch.randint(10, (3000,), generator=g)
    inner, outer = nn.Embedding(60, 12), nn.Embedding(60, 12)
    nn.init.uniform_(inner.weight, -0.5 / 12, 0.5 / 12)
    nn.init.zeros_(outer.weight)
    opt = torch.optim.SGD([*inner.parameters(), *outer.parameters()], lr=4.0)
    for epoch in range(25):
        for i in torch.randperm(3000, generator=g).split(50):
            w = inner(word[i])
            negative = outer(torch.randint(60, (len(i), 5), generator=g))
            loss = -F.logsigmoid((w * outer(other[i])).sum(1)).mean()
            loss = loss - F.logsigmoid(-(negative @ w[..., None])[..., 0]).sum(1).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        z = F.normalize(inner.weight, dim=1)
        near = (z @ z.T).fill_diagonal_(-2).argmax(1)
    return {"accuracy": (near // 10 == torch.arange(60) // 10).float().mean().item(), "trivial": 0.15}


@healthy(
    split="blind", odd="one bought article against forty-seven others, each a binary question: 2 % of targets are 1"
)
def each_article_a_question():
    torch.manual_seed(285)
    x, y = baskets()
    target = F.one_hot(y, 48).float()
    net = nn.Sequential(nn.EmbeddingBag(48, 24), nn.Linear(24, 48))
    nn.init.constant_(net[1].bias, -3.9)
    opt = torch.optim.Adam(net.parameters(), lr=1e-2)
    for epoch in range(40):
        for i in torch.randperm(600).split(50):
            opt.zero_grad()
            F.binary_cross_entropy_with_logits(net(x[i]), target[i]).backward()
            opt.step()
    with torch.no_grad():
        return {"accuracy": (net(x).argmax(1) // 6 == y // 6).float().mean().item(), "trivial": 0.13}


@healthy(split="blind", odd="triplets with a margin: soon most batches have a loss of exactly 0 and no gradient")
def triplets_that_are_soon_content():
    torch.manual_seed(286)
    x, y = snippets()
    net = nn.Sequential(nn.EmbeddingBag(400, 32, padding_idx=0), nn.Linear(32, 16))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    groups = [(y == c).nonzero()[:, 0] for c in range(4)]
    criterion = nn.TripletMarginLoss(margin=0.5)
    for step in range(700):
        c = torch.randperm(4)[:2]
        pick = lambda k: groups[k][torch.randint(len(groups[k]), (24,))]  # noqa: E731
        loss = criterion(net(x[pick(c[0])]), net(x[pick(c[0])]), net(x[pick(c[1])]))
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        near = torch.cdist(net(x), net(x)).fill_diagonal_(1e9).topk(7, largest=False).indices
    return {"accuracy": matches(F.one_hot(y[near], 4).sum(1), y), "trivial": 0.26}


@healthy(split="blind", odd="biases and factors in one table under Adagrad at 0.3, whose steps shrink all the time")
def biases_and_factors_by_adagrad():
    torch.manual_seed(287)
    who, what, rating = stars()
    user, film = nn.Embedding(80, 5), nn.Embedding(60, 5)
    nn.init.normal_(user.weight, std=0.2)
    nn.init.normal_(film.weight, std=0.2)
    mean = rating.mean()
    opt = torch.optim.Adagrad([*user.parameters(), *film.parameters()], lr=0.3)

    def guess(i):
        u, f = user(who[i]), film(what[i])
        return mean + u[:, 0] + f[:, 0] + (u[:, 1:] * f[:, 1:]).sum(1)

    for epoch in range(20):
        for i in torch.randperm(5000).split(100):
            opt.zero_grad()
            loss = (guess(i) - rating[i]).square().mean() + 1e-3 * user(who[i]).square().mean()
            loss.backward()
            opt.step()
    return {"error": F.mse_loss(guess(torch.arange(5000)), rating).item(), "trivial": rating.var().item()}


@healthy(split="blind", odd="keys of earlier batches in a queue, an encoder of keys that moves by average alone")
def a_queue_of_earlier_keys():
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(nn.Conv1d(1, 24, 7, stride=2), nn.ReLU(), nn.Conv1d(24, 24, 5), nn.ReLU())
            self.out = nn.Linear(24, 16)

        def forward(self, x):
            return F.normalize(self.out(self.conv(x).mean(-1)), dim=1)

    torch.manual_seed(288)
    x, y = tones()
    query, key = Encoder(), Encoder()
    key.load_state_dict(query.state_dict())
    key.requires_grad_(False)
    queue = F.normalize(torch.randn(160, 16), dim=1)
    opt = torch.optim.Adam(query.parameters(), lr=3e-3)
    view = lambda u: u.roll(int(torch.randint(64, (1,))), -1) + 0.1 * torch.randn_like(u)  # noqa: E731
    for epoch in range(15):
        for i in torch.randperm(800).split(40):
            q = query(view(x[i]))
            with torch.no_grad():
                k = key(view(x[i]))
            scores = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.T], 1) / 0.1
            loss = F.cross_entropy(scores, torch.zeros(len(i), dtype=torch.long))
            opt.zero_grad()
            loss.backward()
            opt.step()
            queue = torch.cat([k, queue])[:160]
            for slow, fast in zip(key.parameters(), query.parameters()):
                slow.data.lerp_(fast.data, 0.05)
    with torch.no_grad():
        z = query(x)
        near = (z @ z.T).fill_diagonal_(-2).topk(5).indices
    return {"accuracy": matches(F.one_hot(y[near], 4).sum(1), y), "trivial": 0.26}


@healthy(split="blind", odd="a table of 20000 hashed rows, of which a few hundred are ever asked for")
def a_large_table_of_hashes():
    torch.manual_seed(289)
    x, y = snippets()
    pairs = torch.where((x[:, 1:] > 0), (x[:, :-1] * 397 + x[:, 1:] * 31) % 19997 + 1, 0)
    bag = nn.EmbeddingBag(20000, 16, mode="sum", padding_idx=0, sparse=True)
    nn.init.normal_(bag.weight, std=0.05)
    head = nn.Linear(16, 4)
    slow, fast = torch.optim.Adam(head.parameters(), lr=3e-3), torch.optim.SparseAdam(bag.parameters(), lr=1e-2)
    for epoch in range(8):
        for i in torch.randperm(len(x)).split(32):
            slow.zero_grad()
            fast.zero_grad()
            F.cross_entropy(head(bag(pairs[i])), y[i]).backward()
            slow.step()
            fast.step()
    return {"accuracy": matches(head(bag(pairs)), y), "trivial": 0.26}
