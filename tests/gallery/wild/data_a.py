"""Data sets for trainings of feed-forward and convolutional networks, each made once."""

from functools import cache

import torch
from sklearn import datasets

from ..data import standardized


def seeded(number):
    return torch.Generator().manual_seed(number)


@cache
def friedman(count=600):
    """Ten features in 0..1 and a non-linear, standardized target, shape (count,)."""
    x, y = datasets.make_friedman1(count, noise=0.3, random_state=1)
    return torch.tensor(x, dtype=torch.float32), standardized(torch.tensor(y, dtype=torch.float32))


@cache
def flats(count=600):
    """Area, rooms, year, distance in metres, income of the quarter, floor; rent in euros a month, shape (count, 1)."""
    g = seeded(11)
    area = 25 + 150 * torch.rand(count, generator=g)
    rooms = (area / 28).round().clamp(1, 6)
    year = 1900 + 122 * torch.rand(count, generator=g)
    distance = 200 + 15000 * torch.rand(count, generator=g)
    income = 18000 + 60000 * torch.rand(count, generator=g)
    floor = torch.randint(0, 9, (count,), generator=g).float()
    rent = area * (9 + income / 12000) * (1 + 0.5 * torch.exp(-distance / 3000)) + 2 * (year - 1950).abs() + 12 * floor
    rent = rent + 40 * torch.randn(count, generator=g)
    return torch.stack([area, rooms, year, distance, income, floor], 1), rent.unsqueeze(1)


@cache
def discs(count=320, size=16):
    """Noisy pictures of a bright disc on a slope of grey, and its mask, both of shape (count, 1, size, size)."""
    g = seeded(12)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centre = 3 + (size - 6) * torch.rand(count, 2, 1, 1, generator=g)
    radius = 2 + 2.5 * torch.rand(count, 1, 1, generator=g)
    mask = ((row - centre[:, 0]) ** 2 + (column - centre[:, 1]) ** 2 < radius**2).float().unsqueeze(1)
    slope = torch.randn(count, 1, 1, 1, generator=g) * (row - size / 2) / size
    image = 0.8 * mask + 0.5 * slope + 0.35 * torch.randn(count, 1, size, size, generator=g)
    return image, mask


@cache
def figures(count=600, size=12):
    """Noisy pictures, in 0..1, of a frame, a cross, a bar or a disc, shape (count, 1, size, size), and which it is."""
    g = seeded(13)
    kind = torch.randint(4, (count,), generator=g)
    shift = torch.randint(-2, 3, (count, 2), generator=g)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    r = (row - size // 2)[None] - shift[:, :1, None]
    c = (column - size // 2)[None] - shift[:, 1:, None]
    far = torch.maximum(r.abs(), c.abs())
    drawn = torch.stack([far == 3, ((r == 0) | (c == 0)) & (far < 4), (r.abs() < 2) & (c.abs() < 4), r**2 + c**2 < 9])
    image = drawn[kind, torch.arange(count)].float() * 0.6 + 0.2 + 0.15 * torch.randn(count, size, size, generator=g)
    return image.clamp(0, 1).unsqueeze(1), kind


@cache
def patients(count=500):
    """Eight features, times until an event or the end of the study, and whether the event was seen."""
    g = seeded(14)
    x = torch.randn(count, 8, generator=g)
    risk = 0.9 * x[:, 0] - 0.8 * x[:, 1] * (x[:, 2] > 0) + 0.5 * x[:, 3].abs()
    time = -torch.rand(count, generator=g).clamp_min(1e-4).log() * torch.exp(-risk) * 12
    end = 4 + 26 * torch.rand(count, generator=g)
    return x, torch.minimum(time, end), (time <= end).float()


@cache
def tags(count=700):
    """Twenty features and five labels that may all hold, shapes (count, 20) and (count, 5)."""
    g = seeded(15)
    x = torch.randn(count, 20, generator=g)
    scores = torch.tanh(x @ torch.randn(20, 12, generator=g) / 3) @ torch.randn(12, 5, generator=g)
    return x, (scores + 0.1 * torch.randn(count, 5, generator=g) > 0.4).float()


@cache
def grades(count=1500):
    """Six features and a grade of 0 to 4, in order."""
    g = seeded(16)
    x = torch.randn(count, 6, generator=g)
    score = x[:, 0] + 0.8 * x[:, 1] * x[:, 2] + torch.sin(2 * x[:, 3]) + 0.2 * torch.randn(count, generator=g)
    return x, torch.bucketize(score, torch.tensor([-1.6, -0.5, 0.5, 1.6]))


@cache
def calls(count=600):
    """Five features of an hour and how many calls came in it."""
    g = seeded(17)
    x = torch.rand(count, 5, generator=g) * 2 - 1
    rate = torch.exp(1.2 + 1.1 * x[:, 0] + torch.sin(3 * x[:, 1]) - 0.8 * x[:, 2] * x[:, 3])
    return x, torch.poisson(rate, generator=g)


@cache
def beats(count=480, length=64):
    """Noisy traces of four kinds of pulse, shape (count, 1, length), and the kind."""
    g = seeded(18)
    kind = torch.randint(4, (count,), generator=g)
    t = torch.arange(length) - 16 - 32 * torch.rand(count, 1, generator=g)
    wide, narrow = torch.exp(-((t / 6) ** 2)), torch.exp(-((t / 2) ** 2))
    trace = torch.stack([wide, narrow * 1.5, wide - 1.6 * narrow, wide * torch.sin(t)])[kind, torch.arange(count)]
    return (trace + 0.25 * torch.randn(count, length, generator=g)).unsqueeze(1), kind


@cache
def ratings(users=60, films=40, count=2400):
    """Who rated what, shape (count, 2), and the standardized rating."""
    g = seeded(19)
    who = torch.stack([torch.randint(users, (count,), generator=g), torch.randint(films, (count,), generator=g)], 1)
    taste, style = torch.randn(users, 3, generator=g), torch.randn(films, 3, generator=g)
    rating = (taste[who[:, 0]] * style[who[:, 1]]).sum(1) + 0.3 * torch.randn(count, generator=g)
    return who, standardized(rating)


@cache
def rings(count=600, dimensions=2):
    """Points within three shells around the origin, and the shell."""
    x, y = datasets.make_gaussian_quantiles(n_samples=count, n_features=dimensions, n_classes=3, random_state=2)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


@cache
def frauds(count=1500, share=0.04):
    """Ten features of a payment and whether it was a fraud, which few are."""
    g = seeded(20)
    x = torch.randn(count, 10, generator=g)
    score = x[:, 0] * x[:, 1] + x[:, 2] + 0.5 * torch.randn(count, generator=g)
    return x, (score > score.quantile(1 - share)).float()
