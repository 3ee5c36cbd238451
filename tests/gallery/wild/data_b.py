"""Small data sets: ratings, communities, sequences, points, pictures, a grid to walk in."""

from functools import cache

import torch


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@cache
def ratings(users=100, items=60, rank=4, count=3600):
    """Pairs (user, item), shape (count, 2), and stars of about 1 to 5."""
    g = seeded(1)
    liking = torch.randn(users, rank, generator=g) @ torch.randn(rank, items, generator=g) / rank**0.5
    pairs = torch.randperm(users * items, generator=g)[:count]
    u, i = pairs // items, pairs % items
    return torch.stack([u, i], 1), 3.2 + liking[u, i] + 0.1 * torch.randn(count, generator=g)


@cache
def communities(nodes=160, groups=4, features=16):
    """A graph of groups: adjacency, noisy features of the nodes, the group of each, and which are for training."""
    g = seeded(2)
    group = torch.arange(nodes) % groups
    chance = torch.where(group[:, None] == group, 0.15, 0.015)
    upper = (torch.rand(nodes, nodes, generator=g) < chance).float().triu(1)
    centre = torch.randn(groups, features, generator=g)
    x = 0.6 * centre[group] + torch.randn(nodes, features, generator=g)
    return upper + upper.T, x, group, torch.rand(nodes, generator=g) < 0.5


@cache
def molecules(count=400, atoms=8):
    """Small graphs: adjacency (count, atoms, atoms), kind of each atom in 0..3, and a property that is a number."""
    g = seeded(3)
    upper = (torch.rand(count, atoms, atoms, generator=g) < 0.35).float().triu(1)
    bond = upper + upper.transpose(1, 2)
    kind = torch.randint(4, (count, atoms), generator=g)
    charge = torch.tensor([-1.0, 0.0, 0.5, 1.0])[kind]
    worth = (bond * charge[:, :, None] * charge[:, None, :]).sum((1, 2)) / 2 + charge.sum(1)
    return bond, kind, (worth - worth.mean()) / worth.std()


@cache
def strings(count=1500, length=6, symbols=8):
    """Sequences of symbols 1..symbols; 0 is free for a start or a pad."""
    return torch.randint(1, symbols + 1, (count, length), generator=seeded(4))


@cache
def votes(count=800, length=9):
    """Sequences of the symbols 1 and 2 among others, and whether 1 is the more frequent of the two."""
    x = torch.randint(1, 6, (count * 3, length), generator=seeded(5))
    ones, twos = (x == 1).sum(1), (x == 2).sum(1)
    x, label = x[ones != twos], (ones > twos)[ones != twos].long()
    return x[:count], label[:count]


@cache
def sessions(count=1200, items=30, length=5):
    """Clicks of visitors: the last few items, and the next, which mostly follows from the last one."""
    g = seeded(6)
    follow = torch.randperm(items, generator=g)
    seen = torch.empty(count, length + 1, dtype=torch.long)
    seen[:, 0] = torch.randint(items, (count,), generator=g)
    for k in range(1, length + 1):
        stray = torch.randint(items, (count,), generator=g)
        seen[:, k] = torch.where(torch.rand(count, generator=g) < 0.85, follow[seen[:, k - 1]], stray)
    return seen[:, :-1], seen[:, -1]


@cache
def ring(count=1200, spots=8):
    """Points in the plane, around eight spots on a circle of radius 2, and the spot of each."""
    g = seeded(7)
    spot = torch.randint(spots, (count,), generator=g)
    angle = spot * 2 * torch.pi / spots
    return 2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(count, 2, generator=g), spot


@cache
def picture(side=32):
    """Positions in -1..1, shape (side * side, 2), and the brightness there, (side * side, 1), within 0..1."""
    line = torch.linspace(-1, 1, side)
    at = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).view(-1, 2)
    light = torch.sin(4 * at[:, :1]) * torch.cos(3 * at[:, 1:]) + (at.norm(dim=1, keepdim=True) < 0.5)
    return at, (light + 1) / 3


@cache
def corridor(cells=9, count=2000):
    """Steps seen in a corridor whose goal is its right end: state, action, reward, next state, whether it ended."""
    g = seeded(8)
    state = torch.randint(cells - 1, (count,), generator=g)
    action = torch.randint(2, (count,), generator=g)
    after = (state + 2 * action - 1).clamp(0, cells - 1)
    end = (after == cells - 1).float()
    return state, action, end - 0.02, after, end
