"""Data of the first stranger: tables, pictures, points in the plane, a graph, each made once."""

import math
from functools import cache

import torch


def rng(seed):
    return torch.Generator().manual_seed(seed)


@cache
def houses(count=600):
    """Area, rooms, year, distance and income as a registry holds them; prices in dollars, shape (count,)."""
    g = rng(11)
    area = 40 + 160 * torch.rand(count, generator=g)
    rooms = (area / 30 + torch.randn(count, generator=g)).round().clamp(1)
    year = 1900 + (120 * torch.rand(count, generator=g)).round()
    distance = 20000 * torch.rand(count, generator=g)
    income = 20000 + 80000 * torch.rand(count, generator=g)
    price = 2000 * area * (1 + income / 100000) + 8000 * rooms + 400 * (year - 1900)
    price = price * (1.3 - 0.5 * (distance / 20000) ** 0.5) + 8000 * torch.randn(count, generator=g)
    return torch.stack([area, rooms, year, distance, income], 1), price


@cache
def scaled_houses(count=600):
    """The same, inputs and prices standardized; shapes (count, 5) and (count,)."""
    x, y = houses(count)
    return (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()


@cache
def loans(count=1200, share=0.05):
    """Eight standardized features of borrowers, and who did not pay: a small share."""
    g = rng(12)
    x = torch.randn(count, 8, generator=g)
    risk = 1.5 * x[:, 0] - x[:, 1] + x[:, 2] * x[:, 3] + 0.5 * torch.randn(count, generator=g)
    return x, (risk > risk.quantile(1 - share)).long()


@cache
def rentals(count=800):
    """Hour, warmth, wind, weekend, and how many bicycles were rented: shapes (count, 4) and (count,)."""
    g = rng(13)
    x = torch.rand(count, 4, generator=g)
    x[:, 3] = (x[:, 3] > 0.7).float()
    rate = torch.exp(1 + 1.5 * torch.sin(3 * x[:, 0]) + x[:, 1] - 0.7 * x[:, 2] + 0.4 * x[:, 3])
    return x, torch.poisson(rate, generator=g)


@cache
def emblems(count=900, size=12):
    """Noisy pictures (count, 1, size, size) of a disc, a frame, a cross or a stripe, somewhere; and which."""
    g = rng(14)
    y = torch.randint(4, (count,), generator=g)
    centre = 4 + (size - 8) * torch.rand(count, 2, 1, 1, generator=g)
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    dy, dx = (rows - centre[:, 0]).abs(), (columns - centre[:, 1]).abs()
    far = torch.maximum(dx, dy)
    drawn = [dx**2 + dy**2 < 9, (far < 3.2) & (far > 1.9), ((dx < 0.8) | (dy < 0.8)) & (far < 3.5), dy < 1.2]
    x = torch.stack(drawn, 1)[torch.arange(count), y].float()
    return (x + 0.25 * torch.randn(x.shape, generator=g))[:, None], y


@cache
def fabrics(count=600, size=10):
    """Coloured textures (count, 3, size, size), 0..1: stripes of three directions in two colours, six classes."""
    g = rng(15)
    y = torch.randint(6, (count,), generator=g)
    angle = (y % 3) * math.pi / 3
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    phase = 6.28 * torch.rand(count, 1, 1, generator=g)
    along = torch.cos(angle)[:, None, None] * rows + torch.sin(angle)[:, None, None] * columns
    wave = torch.sin(1.6 * along + phase)
    colour = torch.tensor([[0.3, 0.1, 0.2], [0.1, 0.3, 0.2]])[y // 3]
    x = 0.5 + colour[:, :, None, None] * wave[:, None] + 0.12 * torch.randn(count, 3, size, size, generator=g)
    return x.clamp(0, 1), y


@cache
def rings(count=600):
    """Points on three noisy rings, one around the other; shapes (count, 2) and (count,)."""
    g = rng(16)
    y = torch.arange(count) % 3
    angle = 6.28 * torch.rand(count, generator=g)
    radius = 0.5 + 0.6 * y + 0.12 * torch.randn(count, generator=g)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), y


@cache
def wheel(count=1000, spokes=6):
    """Points in small clouds on a circle of radius 1, without labels."""
    g = rng(17)
    angle = torch.randint(spokes, (count,), generator=g) * 6.2832 / spokes
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.06 * torch.randn(count, 2, generator=g)


@cache
def picture(size=28):
    """Coordinates in -1..1, shape (size * size, 2), and the grey value there, (size * size, 1)."""
    line = torch.linspace(-1, 1, size)
    at = torch.cartesian_prod(line, line)
    u, v = at[:, 0], at[:, 1]
    grey = 0.5 + 0.3 * torch.sin(9 * u + 4 * v) + 0.2 * torch.sign(u**2 + v**2 - 0.5)
    return at, grey[:, None]


@cache
def bent(count=600):
    """A relation with several values of y for one x: shapes (count, 1) and (count, 1)."""
    g = rng(18)
    y = torch.rand(count, 1, generator=g)
    x = y + 0.3 * torch.sin(2 * math.pi * y) + 0.03 * torch.randn(count, 1, generator=g)
    return x, y


@cache
def village(people=240, groups=4):
    """Features (people, 8), a matrix of who knows whom, groups, and for whom the group is known."""
    g = rng(19)
    y = torch.arange(people) % groups
    same = y[:, None] == y[None]
    knows = torch.rand(people, people, generator=g) < torch.where(same, 0.12, 0.01)
    knows = (knows.triu(1) | knows.triu(1).T).float()
    x = torch.randn(people, 8, generator=g)
    x[:, :groups] += 0.8 * torch.nn.functional.one_hot(y, groups)
    return x, knows, y, torch.rand(people, generator=g) < 0.3


@cache
def clicks(count=2000):
    """Indices of a user (50), a page (40) and a device (4), and whether there was a click."""
    g = rng(20)
    who, page = torch.randint(50, (count,), generator=g), torch.randint(40, (count,), generator=g)
    device = torch.randint(4, (count,), generator=g)
    a, b = torch.randn(50, 3, generator=g), torch.randn(40, 3, generator=g)
    score = (a[who] * b[page]).sum(1) + 0.5 * device - 0.7 + 0.3 * torch.randn(count, generator=g)
    return torch.stack([who, page, device], 1), (score > 0).float()


@cache
def bags(count=500, size=12):
    """Sets of points (count, size, 2), some wide and some narrow, and their spread, (count, 1)."""
    g = rng(21)
    spread = 0.2 + 1.3 * torch.rand(count, 1, generator=g)
    centre = torch.randn(count, 1, 2, generator=g)
    return centre + spread[:, None] * torch.randn(count, size, 2, generator=g), spread


@cache
def plant(count=700):
    """Six readings of a plant and two things to foretell: its yield (count, 1) and its state, one of three."""
    g = rng(22)
    x = torch.randn(count, 6, generator=g)
    made = torch.sin(x[:, :1] * 1.5) + 0.5 * x[:, 1:2] * x[:, 2:3] + 0.1 * torch.randn(count, 1, generator=g)
    strain = x[:, 3] + 0.5 * x[:, 4] ** 2 + 0.2 * torch.randn(count, generator=g)
    return x, made, torch.bucketize(strain, torch.tensor([0.0, 1.0]))
