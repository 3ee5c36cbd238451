"""Data sets that only the part `held` uses, each made once."""

import re
from functools import cache
from pydoc_data.topics import topics

import torch


@cache
def houses(count=2000):
    """Raw features as a census has them, shape (count, 8), and prices of 15,000 to 500,001, shape (count,)."""
    g = torch.Generator().manual_seed(3)
    income = torch.exp(0.4 * torch.randn(count, generator=g) + 1.2)
    age = torch.randint(1, 53, (count,), generator=g).float()
    rooms = 5 + torch.randn(count, generator=g)
    bedrooms = 1 + 0.1 * torch.randn(count, generator=g)
    people = torch.exp(0.7 * torch.randn(count, generator=g) + 7)
    family = 3 + 0.6 * torch.randn(count, generator=g)
    north = torch.where(torch.rand(count, generator=g) < 0.5, 34.0, 37.7) + 0.5 * torch.randn(count, generator=g)
    west = -119 - 0.9 * (north - 36) + 0.4 * torch.randn(count, generator=g)
    coast = torch.exp(-((west + 119 + 0.9 * (north - 36)) ** 2) * 4)
    price = 45_000 * income + 90_000 * coast + 700 * age - 12_000 * (family - 3) + 8_000 * (rooms - 5)
    price = price + 15_000 * torch.randn(count, generator=g)
    return torch.stack([income, age, rooms, bedrooms, people, family, north, west], 1), price.clamp(15_000, 500_001)


@cache
def communities(nodes=240, groups=3):
    """Return features (nodes, 12), an adjacency normalized on both sides, and the group of each node."""
    g = torch.Generator().manual_seed(4)
    group = torch.arange(nodes) % groups
    same = group[:, None] == group[None, :]
    upper = (torch.rand(nodes, nodes, generator=g) < torch.where(same, 0.08, 0.01)).float().triu(1)
    edges = upper + upper.T + torch.eye(nodes)
    scale = edges.sum(1).rsqrt()
    features = torch.randn(nodes, 12, generator=g)
    features[torch.arange(nodes), group] += 1.0
    return features, scale[:, None] * edges * scale[None, :], group


@cache
def waveforms(count=900, length=64):
    """Noisy sines, squares and saws of any pitch and phase, shape (count, 1, length), and which it is."""
    g = torch.Generator().manual_seed(5)
    kind = torch.randint(3, (count,), generator=g)
    turns = (2 + 3 * torch.rand(count, 1, generator=g)) * torch.linspace(0, 1, length)
    turns = turns + torch.rand(count, 1, generator=g)
    forms = torch.stack([torch.sin(6.283 * turns), torch.sin(6.283 * turns).sign(), 2 * (turns % 1) - 1])
    wave = forms[kind, torch.arange(count)] + 0.3 * torch.randn(count, length, generator=g)
    return wave[:, None], kind


@cache
def discs(count=400, size=16):
    """Noisy images of one bright disc, shape (count, 1, size, size), and its mask of the same shape."""
    g = torch.Generator().manual_seed(6)
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    place = 3 + (size - 6) * torch.rand(count, 2, 1, 1, generator=g)
    radius = 2 + 2 * torch.rand(count, 1, 1, generator=g)
    mask = ((row - place[:, 0]) ** 2 + (column - place[:, 1]) ** 2 < radius**2).float()[:, None]
    return mask + 0.5 * torch.randn(count, 1, size, size, generator=g), mask


@cache
def reviews(count=800, words=60, longest=14):
    """Sentences as word numbers, padded with 0, their lengths, and whether the good words outnumber the bad."""
    g = torch.Generator().manual_seed(7)
    tokens = torch.randint(1, words, (count, longest), generator=g)
    lengths = torch.randint(5, longest + 1, (count,), generator=g)
    tokens = tokens * (torch.arange(longest) < lengths[:, None])
    worth = ((tokens > 0) & (tokens <= 12)).float() - ((tokens > 12) & (tokens <= 24)).float()
    return tokens, lengths, (worth.sum(1) > 0).long()


@cache
def reversals(count=1500, length=6, symbols=8):
    """Sequences of the numbers 1 to symbols, shape (count, length), and each the other way round."""
    g = torch.Generator().manual_seed(8)
    source = torch.randint(1, symbols + 1, (count, length), generator=g)
    return source, source.flip(1)


@cache
def prose(topic="strings"):
    """Return a page of Python's help as numbers of its characters, and how many different ones there are."""
    index = {letter: i for i, letter in enumerate(sorted(set(topics[topic])))}
    return torch.tensor([index[letter] for letter in topics[topic]]), len(index)


@cache
def vocabulary(topic="attribute-access", most=120):
    """Return a page of Python's help as numbers of its words, 0 for rare ones, and how many numbers there are."""
    words = re.findall(r"[a-z]+", topics[topic].lower())
    common = sorted(set(words), key=words.count, reverse=True)[: most - 1]
    index = {word: i + 1 for i, word in enumerate(common)}
    return torch.tensor([index.get(word, 0) for word in words]), most


@cache
def tags(count=900, labels=12):
    """Features (count, 20) and several labels of each, about one in six of them on, shape (count, labels)."""
    g = torch.Generator().manual_seed(9)
    x = torch.randn(count, 20, generator=g)
    scores = torch.tanh(x @ torch.randn(20, 16, generator=g)) @ torch.randn(16, labels, generator=g)
    return x, (scores > scores.quantile(0.83, 0)).float()


@cache
def blobs(count=1200, rare=0.03):
    """Two overlapping clouds in 6 dimensions, of which the second is rare."""
    g = torch.Generator().manual_seed(10)
    y = (torch.rand(count, generator=g) < rare).long()
    shift = torch.tensor([1.6, -1.6, 1.2, 0, 0, 0])
    return torch.randn(count, 6, generator=g) + y[:, None] * shift, y
