"""Data sets that only the part `fresh` uses, each made once."""

import difflib
import inspect
from functools import cache

import torch

from ..data import digits


@cache
def spirals(count=600, arms=3):
    """Three arms that turn about each other, shape (count, 2), and which arm."""
    g = torch.Generator().manual_seed(20)
    arm = torch.arange(count) % arms
    r = torch.rand(count, generator=g) ** 0.7
    angle = 4.0 * r + 2 * torch.pi * arm / arms + 0.12 * torch.randn(count, generator=g)
    return 2 * torch.stack([r * angle.cos(), r * angle.sin()], 1), arm


@cache
def bikes(count=1500):
    """Hour, day, degrees, humidity, wind, holiday as recorded, shape (count, 6), and bikes hired, shape (count,)."""
    g = torch.Generator().manual_seed(21)
    hour = torch.randint(24, (count,), generator=g).float()
    day = torch.randint(1, 366, (count,), generator=g).float()
    heat = 12 - 10 * torch.cos(day / 365 * 6.283) + 4 * torch.randn(count, generator=g)
    wet = (65 + 15 * torch.randn(count, generator=g)).clamp(10, 100)
    wind = torch.exp(0.5 * torch.randn(count, generator=g) + 2.3)
    free = (torch.rand(count, generator=g) < 0.3).float()
    rush = torch.exp(-((hour - 8) ** 2) / 4) + 1.3 * torch.exp(-((hour - 17.5) ** 2) / 6)
    leisure = torch.exp(-((hour - 14) ** 2) / 20)
    hired = 60 + 260 * torch.where(free > 0, leisure, rush) + 9 * heat - 1.2 * (wet - 60) - 2 * wind
    hired = (hired + 25 * torch.randn(count, generator=g)).clamp(1, 900)
    return torch.stack([hour, day, heat, wet, wind, free], 1), hired


@cache
def hires():
    """The same with features and target standardized."""
    x, y = bikes()
    return (x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std()


@cache
def bars(count=900, size=12):
    """Noisy images of a bar that lies, stands, rises or falls, shape (count, 1, size, size), and which."""
    g = torch.Generator().manual_seed(22)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    kind = torch.randint(4, (count,), generator=g)
    shift = torch.randint(-3, 4, (count, 1, 1), generator=g)
    middle = (size - 1) / 2
    away = torch.stack([row - middle, column - middle, (row + column) / 2 - middle, (row - column) / 2.0])
    image = ((away[kind] - shift).abs() < 1).float()
    return (image + 0.5 * torch.randn(count, size, size, generator=g))[:, None], kind


@cache
def scenes(count=300, size=16):
    """Noisy images with one box and one disc, (count, 1, size, size), and 0, 1 or 2 for each pixel."""
    g = torch.Generator().manual_seed(23)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    a, b = (2 + (size - 4) * torch.rand(count, 2, 1, 1, generator=g) for _ in range(2))
    box = ((row - a[:, 0]).abs() < 2.5) & ((column - a[:, 1]).abs() < 2.5)
    disc = (row - b[:, 0]) ** 2 + (column - b[:, 1]) ** 2 < 7
    label = torch.where(disc, 2, box.long())
    brightness = torch.tensor([0.0, 1.0, 2.0])[label]
    return (brightness + 0.4 * torch.randn(count, size, size, generator=g))[:, None], label


@cache
def dialects(count=900, symbols=12, longest=18):
    """Words of three dialects, padded with 0, their lengths, and which dialect."""
    g = torch.Generator().manual_seed(24)
    chains = torch.softmax(1.6 * torch.randn(3, symbols + 1, symbols, generator=g), -1)
    kind = torch.randint(3, (count,), generator=g)
    tokens = torch.zeros(count, longest, dtype=torch.long)
    last = torch.zeros(count, dtype=torch.long)
    for t in range(longest):
        last = 1 + torch.multinomial(chains[kind, last], 1, generator=g).squeeze(1)
        tokens[:, t] = last
    lengths = torch.randint(8, longest + 1, (count,), generator=g)
    return tokens * (torch.arange(longest) < lengths[:, None]), lengths, kind


@cache
def sensors(count=600, length=48):
    """Three channels of a machine, shape (count, length, 3): sound, with a loose part, or with a worn bearing."""
    g = torch.Generator().manual_seed(25)
    t = torch.arange(length)
    kind = torch.randint(3, (count,), generator=g)
    phase = 6.28 * torch.rand(count, 1, 3, generator=g)
    wave = torch.sin(0.4 * t[None, :, None] + phase)
    loose = 0.8 * torch.sin(1.1 * t[None, :, None] + 2 * phase) * (kind == 1)[:, None, None]
    worn = 0.02 * t[None, :, None] * (kind == 2)[:, None, None]
    return wave + loose + worn + 0.3 * torch.randn(count, length, 3, generator=g), kind


@cache
def load(count=400, length=24):
    """Daily curves of a power station in kilowatts, shape (count, length, 1), and the hour after, (count, 1)."""
    g = torch.Generator().manual_seed(26)
    start = 24 * torch.rand(count, 1, generator=g)
    level = 9000 + 1500 * torch.randn(count, 1, generator=g)
    hours = start + torch.arange(length + 1)
    curve = level * (1 + 0.3 * torch.sin(hours / 24 * 6.283)) + 150 * torch.randn(count, length + 1, generator=g)
    return curve[:, :-1, None], curve[:, -1:]


@cache
def molecules(count=400, nodes=10):
    """Random graphs: features (count, nodes, 4), adjacency (count, nodes, nodes), energy (count,), standardized."""
    g = torch.Generator().manual_seed(27)
    kind = torch.randint(4, (count, nodes), generator=g)
    edge = (torch.rand(count, nodes, nodes, generator=g) < 0.3).float().triu(1)
    edge = edge + edge.transpose(1, 2)
    charge = torch.tensor([-1.0, -0.3, 0.4, 1.0])[kind]
    energy = torch.einsum("bi,bij,bj->b", charge, edge, charge) + 0.5 * charge.sum(1)
    return torch.nn.functional.one_hot(kind, 4).float(), edge, (energy - energy.mean()) / energy.std()


@cache
def films(count=4000, people=60, titles=80):
    """Who, what, and the stars from 1 to 5 that the one gave the other."""
    g = torch.Generator().manual_seed(28)
    taste, style = torch.randn(people, 3, generator=g), torch.randn(titles, 3, generator=g)
    who, what = torch.randint(people, (count,), generator=g), torch.randint(titles, (count,), generator=g)
    stars = 3 + 0.8 * (taste[who] * style[what]).sum(1) + 0.3 * torch.randn(count, generator=g)
    return who, what, stars.round().clamp(1, 5)


@cache
def program(length=12000):
    """The text of a module of the standard library as numbers of its characters, and how many there are."""
    text = inspect.getsource(difflib)[:length]
    index = {letter: i for i, letter in enumerate(sorted(set(text)))}
    return torch.tensor([index[letter] for letter in text]), len(index)


@cache
def sums(count=1500, length=5):
    """Sequences of digits, shape (count, length), and the running sum modulo 5 at each place."""
    g = torch.Generator().manual_seed(29)
    x = torch.randint(5, (count, length), generator=g)
    return x, x.cumsum(1) % 5


@cache
def low_digits():
    """Digits 0 to 4 as flat pixels."""
    x, y = digits()
    return x[y < 5], y[y < 5]


@cache
def high_digits():
    """Digits 5 to 9, called 0 to 4."""
    x, y = digits()
    return x[y >= 5], y[y >= 5] - 5


@cache
def faults(count=1200, share=0.04):
    """Twelve readings of a part, shape (count, 12), and whether it is one of the few bad ones."""
    g = torch.Generator().manual_seed(30)
    bad = (torch.rand(count, generator=g) < share).long()
    x = torch.randn(count, 12, generator=g)
    x[:, :4] += 1.1 * bad[:, None]
    return x, bad


def recall(scores, y):
    """Mean over the classes of the share that is found."""
    found = scores.argmax(-1) == y
    return torch.stack([found[y == c].float().mean() for c in y.unique()]).mean().item()
