"""Embeddings, recommenders and graph networks that do not learn."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from ..data import characters
from ..score import accuracy, hits, matches
from ..table import sick
from .data_b import communities, molecules, ratings, sessions


@sick(
    "UT203",
    split="wild",
    note="every factor of every user and item starts at the same 0.3",
    cured=(("nn.init.constant_(table.weight, 0.3)", "nn.init.normal_(table.weight, 0.0, 0.3)"),),
)
def factorised_stars_from_one_number():
    class Factors(nn.Module):
        def __init__(self, users, items, rank):
            super().__init__()
            self.user, self.item = nn.Embedding(users, rank), nn.Embedding(items, rank)
            self.mean = nn.Parameter(torch.tensor(3.0))
            for table in (self.user, self.item):
                nn.init.constant_(table.weight, 0.3)  # <- fault

        def forward(self, pairs):
            return self.mean + (self.user(pairs[:, 0]) * self.item(pairs[:, 1])).sum(1)

    torch.manual_seed(21)
    pairs, stars = ratings()
    model = Factors(100, 60, 6)
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(25):
        for p, s in DataLoader(TensorDataset(pairs[:3000], stars[:3000]), batch_size=128, shuffle=True):
            loss = F.mse_loss(model(p), s)
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.mse_loss(model(pairs[3000:]), stars[3000:]).item(), "loss": loss.item()}


@sick(
    "UT201",
    split="wild",
    note="biases of the towers at -4, so that no unit of a ReLU layer is ever on",
    cured=(("nn.init.constant_(m.bias, -4.0)", "nn.init.zeros_(m.bias)"),),
)
def two_towers_that_never_fire():
    def start(m):
        if isinstance(m, nn.Linear):
            nn.init.kaiming_normal_(m.weight)
            nn.init.constant_(m.bias, -4.0)  # <- fault

    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            self.user, self.item = nn.Embedding(100, 16), nn.Embedding(60, 16)
            self.mlp = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU())
            self.mlp.apply(start)
            self.score = nn.Linear(24, 1)

        def forward(self, u, i):
            return self.score(self.mlp(torch.cat([self.user(u), self.item(i)], 1))).squeeze(1)

    torch.manual_seed(22)
    pairs, stars = ratings()
    liked = (stars > 3.2).float()
    model = Tower()
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(30):
        for k in torch.randperm(len(pairs)).split(128):
            opt.zero_grad()
            loss = F.binary_cross_entropy_with_logits(model(*pairs[k].T), liked[k])
            loss.backward()
            opt.step()
    return {"accuracy": hits(model(*pairs.T), liked), "loss": loss.item()}


@sick(
    "UT504",
    split="wild",
    note="only clicks that happened are shown, all labelled 1: no negative is ever drawn",
    cured=(("negatives = 0", "negatives = 4"),),
)
def item_vectors_without_negatives():
    torch.manual_seed(23)
    seen, following = sessions()
    last = seen[:, -1]
    centre, context = nn.Embedding(30, 24), nn.Embedding(30, 24)
    negatives = 0
    opt = torch.optim.Adam([*centre.parameters(), *context.parameters()], lr=0.02)
    for _ in range(20):
        for k in torch.randperm(len(last)).split(100):
            drawn = torch.randint(30, (len(k), negatives))
            shown = torch.cat([following[k, None], drawn], 1)
            label = torch.zeros(shown.shape)
            label[:, 0] = 1
            score = (centre(last[k])[:, None] * context(shown)).sum(-1)
            loss = F.binary_cross_entropy_with_logits(score, label)
            opt.zero_grad()
            loss.backward()
            opt.step()
    with torch.no_grad():
        return {"accuracy": matches(centre(last) @ context.weight.T, following), "loss": loss.item()}


@sick(
    "UT409",
    split="wild",
    note="the sign of the Bayesian personalised ranking loss is lost",
    cured=(("F.logsigmoid(good - bad).mean()", "-F.logsigmoid(good - bad).mean()"),),
)
def personal_ranking_upside_down():
    torch.manual_seed(24)
    pairs, stars = ratings()
    order = stars.argsort()
    low, high = pairs[order[:1200]], pairs[order[-1200:]]
    user, item = nn.Embedding(100, 8), nn.Embedding(60, 8)
    for w in (user.weight, item.weight):
        nn.init.normal_(w, std=0.1)

    def value(p):
        return (user(p[:, 0]) * item(p[:, 1])).sum(1)

    opt = torch.optim.Adagrad([user.weight, item.weight], lr=0.1)
    for _ in range(150):
        good, bad = value(high[torch.randint(1200, (256,))]), value(low[torch.randint(1200, (256,))])
        loss = F.logsigmoid(good - bad).mean()  # <- fault
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        return {"accuracy": (value(high)[:, None] > value(low)).float().mean().item(), "loss": loss.item()}


@sick(
    "UT502",
    split="wild",
    note="the vocabulary holds capitals and the text is looked up in small letters: all of it is the unknown character",
    cured=(("letter.upper(): k", "letter: k"),),
)
def bag_of_characters_all_unknown():
    torch.manual_seed(25)
    ids, count = characters("heapq")
    letters = [chr(97 + k) if k < 26 else chr(945 + k - 26) for k in range(count)]
    text = [letters[k] for k in ids.tolist()]
    vocabulary = {letter.upper(): k + 1 for k, letter in enumerate(letters)}
    codes = torch.tensor([vocabulary.get(letter, 0) for letter in text])
    windows, target = codes.unfold(0, 5, 1)[:-1, :4], ids[4:-1]
    net = nn.Sequential(nn.Embedding(count + 1, 20), nn.Flatten(), nn.Linear(80, 64), nn.ReLU(), nn.Linear(64, count))
    opt = torch.optim.NAdam(net.parameters(), lr=3e-3)
    for _ in range(6):
        for x, y in DataLoader(TensorDataset(windows, target), batch_size=64, shuffle=True):
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
            opt.step()
    return {"accuracy": accuracy(net, windows, target)}


@sick(
    "UT304",
    split="wild",
    note="the layers of a graph network stand in a plain list, which parameters() does not see",
    cured=(
        (
            "[nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)]",
            "nn.ModuleList([nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)])",
        ),
    ),
)
def graph_layers_in_a_list():
    class GCN(nn.Module):
        def __init__(self, adjacency):
            super().__init__()
            a = adjacency + torch.eye(len(adjacency))
            self.register_buffer("spread", a / a.sum(1, keepdim=True))
            self.layers = [nn.Linear(16, 32), nn.Linear(32, 32), nn.Linear(32, 4)]  # <- fault
            self.gain = nn.Parameter(torch.ones(4))

        def forward(self, x):
            for k, layer in enumerate(self.layers):
                x = self.spread @ layer(x if k == 0 else x.relu())
            return x * self.gain

    torch.manual_seed(26)
    adjacency, x, group, known = communities()
    net = GCN(adjacency)
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(120):
        opt.zero_grad()
        loss = F.cross_entropy(net(x)[known], group[known])
        loss.backward()
        opt.step()
    return {"accuracy": matches(net(x)[~known], group[~known]), "loss": loss.item()}


@sick(
    "UT404",
    split="wild",
    note="the read-out of a molecule has shape (batch, 1), the property (batch,)",
    cured=(("self.read(h.sum(1))", "self.read(h.sum(1)).squeeze(-1)"),),
)
def molecule_property_one_column_too_many():
    class MessagePassing(nn.Module):
        def __init__(self, dim=32, rounds=2):
            super().__init__()
            self.atom = nn.Embedding(4, dim)
            self.message = nn.ModuleList(nn.Linear(dim, dim) for _ in range(rounds))
            self.update = nn.ModuleList(nn.GRUCell(dim, dim) for _ in range(rounds))
            self.read = nn.Linear(dim, 1)

        def forward(self, bond, kind):
            h = self.atom(kind)
            for message, update in zip(self.message, self.update, strict=True):
                h = update((bond @ message(h)).flatten(0, 1), h.flatten(0, 1)).view_as(h)
            return self.read(h.sum(1))

    torch.manual_seed(27)
    bond, kind, worth = molecules()
    net = MessagePassing()
    opt = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(20):
        for k in torch.randperm(300).split(50):
            opt.zero_grad()
            loss = F.mse_loss(net(bond[k], kind[k]), worth[k])  # <- fault
            loss.backward()
            opt.step()
    with torch.no_grad():
        guess = net(bond[300:], kind[300:]).flatten()
    return {"error": F.mse_loss(guess, worth[300:]).item(), "loss": loss.item()}


@sick(
    "UT405",
    split="wild",
    note="a sigmoid at the end of a model of stars from 1 to 5",
    cured=(("self.last((u * i).sum(1) + self.bias)", "(u * i).sum(1) + self.bias"),),
)
def stars_below_one():
    torch.manual_seed(28)
    pairs, stars = ratings()

    class Factors(nn.Module):
        def __init__(self):
            super().__init__()
            self.u, self.i = nn.Embedding(100, 8), nn.Embedding(60, 8)
            self.bias = nn.Parameter(torch.zeros(1))
            self.last = nn.Sigmoid()
            for table in (self.u, self.i):
                nn.init.normal_(table.weight, std=0.3)

        def forward(self, pair):
            u, i = self.u(pair[:, 0]), self.i(pair[:, 1])
            return self.last((u * i).sum(1) + self.bias)  # <- fault

    net = Factors()
    opt = torch.optim.RAdam(net.parameters(), lr=2e-2)
    for _ in range(30):
        for k in torch.randperm(3000).split(100):
            opt.zero_grad()
            F.l1_loss(net(pairs[k]), stars[k]).backward()
            opt.step()
    with torch.no_grad():
        return {"error": F.l1_loss(net(pairs[3000:]), stars[3000:]).item()}
