"""Data for the blind trainings on sequences: text of the standard library, series, tones, ratings, little worlds."""

import argparse
import calendar
import collections
import difflib
import inspect
import re
import statistics
import tarfile
from functools import cache

import torch
import torch.nn.functional as F
from sklearn import datasets


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@cache
def prose():
    """Lower-case text of some docstrings as indices of characters, and how many different ones it has."""
    owners = [statistics, difflib, argparse, difflib.Differ, difflib.SequenceMatcher, calendar.Calendar]
    owners += [f for f in vars(statistics).values() if inspect.isfunction(f)]
    text = " ".join(inspect.getdoc(owner) or "" for owner in owners).lower()
    text = re.sub(r"\s+", " ", re.sub(r"[^a-z .,()]+", " ", text))[:16000]
    index = {letter: i for i, letter in enumerate(sorted(set(text)))}
    return torch.tensor([index[letter] for letter in text]), len(index)


@cache
def windows(length):
    """The same text in pieces of `length` + 1 characters, shape (count, length + 1)."""
    text, symbols = prose()
    return text.unfold(0, length + 1, length), symbols


@cache
def snippets(width=20, vocabulary=400):
    """Three lines of source as numbers of words (0 pads, 1 is unknown), and which of four modules they are from."""
    pieces = []
    for label, module in enumerate((argparse, calendar, difflib, tarfile)):
        lines = [line for line in inspect.getsource(module).splitlines() if line.strip()]
        found = [re.findall(r"[A-Za-z]+", " ".join(lines[i : i + 3])) for i in range(0, len(lines), 3)]
        pieces += [(words[:width], label) for words in found if len(words) > 3][:250]
    counts = collections.Counter(word for words, _ in pieces for word in words)
    index = {word: i + 2 for i, (word, _) in enumerate(counts.most_common(vocabulary - 2))}
    x = torch.zeros(len(pieces), width, dtype=torch.long)
    for i, (words, _) in enumerate(pieces):
        x[i, : len(words)] = torch.tensor([index.get(word, 1) for word in words])
    order = torch.randperm(len(pieces), generator=seeded(0))
    return x[order], torch.tensor([label for _, label in pieces])[order]


@cache
def tagged(count=500, length=12):
    """Tokens 1 to 20 (0 pads), their tags 0 to 3 (-100 pads) and lengths; a tag depends on the token before, too."""
    g = seeded(1)
    x = torch.randint(1, 21, (count, length), generator=g)
    before = F.pad(x[:, :-1], (1, 0))
    y = torch.where(before > 15, 3, x % 3)
    lengths = torch.randint(5, length + 1, (count,), generator=g)
    outside = torch.arange(length) >= lengths[:, None]
    return x.masked_fill(outside, 0), y.masked_fill(outside, -100), lengths


@cache
def sums(count=800, length=6):
    """Pairs of sequences of the symbols 0 to 9: the second is the first from back to front."""
    x = torch.randint(0, 10, (count, length), generator=seeded(2))
    return x, x.flip(1)


@cache
def climate(count=700, length=24):
    """Windows of temperature (K), pressure (hPa) and wind (m/s), shape (count, length, 3), and the next temperature."""
    g = seeded(3)
    t = torch.arange(count + length).float()
    temperature = 283 + 8 * torch.sin(t / 24 * 6.283) + 5 * torch.sin(t / 170) + torch.randn(t.shape, generator=g)
    pressure = 1013 + 10 * torch.cos(t / 90) + 2 * torch.randn(t.shape, generator=g)
    wind = (4 + 2 * torch.sin(t / 50) + torch.randn(t.shape, generator=g)).abs()
    table = torch.stack([temperature, pressure, wind], 1)
    return table.unfold(0, length, 1)[:count].transpose(1, 2).contiguous(), temperature[length:]


@cache
def forecast():
    """The same windows and targets, each standardized."""
    x, y = climate()
    return (x - x.mean((0, 1))) / x.std((0, 1)), (y - y.mean()) / y.std()


@cache
def tones(count=800, length=64):
    """Noisy waves, shape (count, 1, length), and which of four forms they have."""
    g = seeded(4)
    y = torch.randint(0, 4, (count,), generator=g)
    phase = torch.arange(length) * (0.25 + 0.3 * torch.rand(count, 1, generator=g))
    phase = phase + 6.28 * torch.rand(count, 1, generator=g)
    saw = phase.remainder(6.283) / 3.1416 - 1
    forms = torch.stack([phase.sin(), phase.sin().sign(), saw, 2 * saw.abs() - 1])
    x = forms[y, torch.arange(count)] + 0.25 * torch.randn(count, length, generator=g)
    return x[:, None], y


@cache
def speech(count=300, frames=28):
    """Frames of 8 features, shape (count, frames, 8), the symbols 1 to 5 said in them (0 pads), and how many."""
    g = seeded(5)
    shapes = torch.randn(6, 8, generator=g)
    shapes[0] = 0
    lengths = torch.randint(3, 6, (count,), generator=g)
    said = torch.randint(1, 6, (count, 5), generator=g)
    x = torch.zeros(count, frames, 8)
    for i in range(count):
        at = 0
        for k in range(int(lengths[i])):
            span = int(torch.randint(2, 5, (1,), generator=g))
            x[i, at + 1 : at + 1 + span] = shapes[said[i, k]]
            at += span + 1
    return x + 0.3 * torch.randn(x.shape, generator=g), said * (torch.arange(5) < lengths[:, None]), lengths


@cache
def stars(count=5000, people=80, films=60):
    """Who rated what, and with how many stars, 1 to 5."""
    g = seeded(6)
    a, b = torch.randn(people, 3, generator=g), torch.randn(films, 3, generator=g)
    who, what = torch.randint(people, (count,), generator=g), torch.randint(films, (count,), generator=g)
    liking = (a[who] * b[what]).sum(1) + 0.2 * torch.randn(count, generator=g)
    return who, what, (3 + liking).clamp(1, 5)


@cache
def baskets(count=600, kinds=8, articles=48, size=6):
    """Baskets of articles of one kind, shape (count, size), and the article that was bought next."""
    g = seeded(7)
    kind = torch.randint(kinds, (count, 1), generator=g)
    x = kind * (articles // kinds) + torch.randint(articles // kinds, (count, size + 1), generator=g)
    return x[:, :size], x[:, size]


@cache
def cue(count=600, length=20, classes=4):
    """Noise of shape (count, length, classes + 2) whose class is shown in the first step and never again."""
    g = seeded(8)
    y = torch.randint(classes, (count,), generator=g)
    x = 0.3 * torch.randn(count, length, classes + 2, generator=g)
    x[torch.arange(count), 0, y] += 2
    return x, y


@cache
def motifs(count=800, length=30):
    """Token sequences (0 to 11) with one of four triples hidden at a random place, and which."""
    g = seeded(9)
    triples = torch.tensor([[1, 5, 9], [9, 5, 1], [5, 1, 9], [1, 9, 5]])
    y = torch.randint(4, (count,), generator=g)
    x = torch.randint(0, 12, (count, length), generator=g)
    at = torch.randint(0, length - 3, (count, 1), generator=g) + torch.arange(3)
    return x.scatter(1, at, triples[y]), y


@cache
def patches():
    """Digits as 16 patches of 4 pixels, shape (1797, 16, 4), values 0 to 1."""
    bunch = datasets.load_digits()
    x = torch.tensor(bunch.images, dtype=torch.float32) / 16
    return x.view(-1, 4, 2, 4, 2).transpose(2, 3).reshape(-1, 16, 4), torch.tensor(bunch.target)


@cache
def pixels():
    """Digits as 64 numbers from 0 to 1."""
    bunch = datasets.load_digits()
    return torch.tensor(bunch.data, dtype=torch.float32) / 16, torch.tensor(bunch.target)


class Catch:
    """Many games at once: a ball falls through 6 rows of 5 columns, a paddle moves left, stays or moves right."""

    def __init__(self, games=64, seed=0):
        self.games, self.g = games, seeded(seed)

    def reset(self):
        self.row = 0
        self.ball = torch.randint(5, (self.games,), generator=self.g)
        self.paddle = torch.randint(5, (self.games,), generator=self.g)
        return self.seen()

    def seen(self):
        row = F.one_hot(torch.full((self.games,), self.row), 6)
        return torch.cat([row, F.one_hot(self.ball, 5), F.one_hot(self.paddle, 5)], 1).float()

    def step(self, action):
        """Return what is seen, the reward of each game and whether the games are over."""
        self.paddle = (self.paddle + action - 1).clamp(0, 4)
        self.row += 1
        over = self.row == 5
        reward = torch.where(self.paddle == self.ball, 1.0, -1.0) if over else torch.zeros(self.games)
        return self.seen(), reward, over
