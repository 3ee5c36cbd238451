"""Small made data sets after those that people ask about, each made once."""

import math
from functools import cache

import torch

TOPICS = (
    ("goal match team player league coach stadium referee", "sport"),
    ("senate vote law minister party election treaty budget", "politics"),
    ("kernel compiler laptop browser server cache driver network", "computers"),
    ("onion garlic oven butter flour simmer pepper recipe", "kitchen"),
)
FILLERS = ("the", "a", "of", "and", "with", "for", "this", "that", "from", "into", "about", "after", "before", "while")


@cache
def headlines(count=600, length=8):
    """Return lists of words, some of them capitalised, and each list's topic."""
    generator = torch.Generator().manual_seed(3)
    texts, labels = [], []
    for _ in range(count):
        topic = int(torch.randint(len(TOPICS), (1,), generator=generator))
        own = TOPICS[topic][0].split()
        words = []
        for position in range(length):
            pool = own if torch.rand(1, generator=generator) < 0.35 else FILLERS
            word = pool[int(torch.randint(len(pool), (1,), generator=generator))]
            words.append(word.capitalize())
        texts.append(words)
        labels.append(topic)
    return texts, torch.tensor(labels)


@cache
def squares_and_masks(count=256, size=16):
    """Noisy pictures with a bright rectangle, shape (count, 1, size, size), and the masks of it in 0 and 1."""
    generator = torch.Generator().manual_seed(4)
    masks = torch.zeros(count, 1, size, size)
    for mask in masks:
        top, left = torch.randint(0, size - 6, (2,), generator=generator).tolist()
        height, width = torch.randint(3, 7, (2,), generator=generator).tolist()
        mask[0, top : top + height, left : left + width] = 1.0
    images = masks * 0.8 + 0.35 * torch.randn(masks.shape, generator=generator)
    return images, masks


@cache
def rare_defects(count=1500, share=0.03):
    """Twenty measurements of a part, and whether it is defective, which few are."""
    generator = torch.Generator().manual_seed(5)
    y = (torch.rand(count, generator=generator) < share).long()
    x = torch.randn(count, 20, generator=generator)
    x[:, :4] += 1.1 * y[:, None]
    return x, y


@cache
def passengers(length=360):
    """A monthly series with a trend and a season, in thousands."""
    generator = torch.Generator().manual_seed(6)
    t = torch.arange(length, dtype=torch.float32)
    season = torch.sin(2 * math.pi * t / 12) + 0.4 * torch.cos(2 * math.pi * t / 6)
    return 120 + 0.9 * t + 25 * season + 2 * torch.randn(length, generator=generator)


@cache
def ratings(users=80, items=60, share=0.35):
    """Triples of a user, an item and a rating of about 1 to 5, from factors of rank 3."""
    generator = torch.Generator().manual_seed(7)
    table = torch.randn(users, 3, generator=generator) @ torch.randn(3, items, generator=generator)
    table = 3 + 0.6 * table + 0.1 * torch.randn(table.shape, generator=generator)
    user, item = (torch.rand(users, items, generator=generator) < share).nonzero(as_tuple=True)
    return user, item, table[user, item]


@cache
def communities(nodes=120, groups=3):
    """A graph of groups: normalised adjacency with self-loops, weak features, and the group of each node."""
    generator = torch.Generator().manual_seed(8)
    y = torch.arange(nodes) % groups
    odds = torch.where(y[:, None] == y[None], 0.15, 0.01)
    upper = (torch.rand(nodes, nodes, generator=generator) < odds).float().triu(1)
    adjacency = upper + upper.T + torch.eye(nodes)
    root = adjacency.sum(1).rsqrt()
    x = torch.randn(nodes, 16, generator=generator)
    x[:, :groups] += 1.2 * torch.nn.functional.one_hot(y, groups)
    return root[:, None] * adjacency * root[None], x, y
