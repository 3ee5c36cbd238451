"""Small data sets for the gallery, each made once."""

import contextlib
import heapq
import importlib
import io
import statistics
from functools import cache

import torch
from sklearn import datasets


def tensors(bunch, dtype):
    return torch.tensor(bunch.data, dtype=torch.float32), torch.tensor(bunch.target, dtype=dtype)


def standardized(x):
    return (x - x.mean(0)) / (x.std(0) + 1e-8)


@cache
def digits():
    """Pixels in 0..1, shape (1797, 64), and classes."""
    x, y = tensors(datasets.load_digits(), torch.long)
    return x / 16, y


@cache
def digit_images():
    x, y = digits()
    return x.view(-1, 1, 8, 8), y


@cache
def digits_255():
    """Pixels in 0..255, as an image file holds them."""
    x, y = digits()
    return (x * 255).round(), y


@cache
def raw_iris():
    return tensors(datasets.load_iris(), torch.long)


@cache
def iris():
    x, y = raw_iris()
    return standardized(x), y


@cache
def raw_wine():
    return tensors(datasets.load_wine(), torch.long)


@cache
def wine():
    x, y = raw_wine()
    return standardized(x), y


@cache
def raw_cancer():
    return tensors(datasets.load_breast_cancer(), torch.long)


@cache
def cancer():
    x, y = raw_cancer()
    return standardized(x), y


@cache
def raw_diabetes():
    """Features as measured and targets of 25 to 346, shapes (442, 10) and (442,)."""
    return tensors(datasets.load_diabetes(scaled=False), torch.float32)


@cache
def diabetes():
    """Standardized features and targets, shapes (442, 10) and (442,)."""
    x, y = raw_diabetes()
    return standardized(x), standardized(y)


@cache
def moons(count=500, noise=0.1):
    x, y = datasets.make_moons(count, noise=noise, random_state=0)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


@cache
def regression(count=400, features=10, noise=0.1):
    """A linear relation with standardized targets, shapes (count, features) and (count,)."""
    x, y = datasets.make_regression(count, features, noise=noise, random_state=0)
    return torch.tensor(x, dtype=torch.float32), standardized(torch.tensor(y, dtype=torch.float32))


@cache
def zen():
    with contextlib.redirect_stdout(io.StringIO()):
        this = importlib.import_module("this")
    return "".join(this.d.get(letter, letter) for letter in this.s)


@cache
def characters(source="zen"):
    """Return a text as indices of its characters, and how many different ones it has."""
    text = {"zen": zen, "heapq": lambda: heapq.__about__, "statistics": lambda: statistics.__doc__}[source]()
    index = {letter: i for i, letter in enumerate(sorted(set(text)))}
    return torch.tensor([index[letter] for letter in text]), len(index)


@cache
def waves(count=256, length=30):
    """Pieces of noisy sine waves, shape (count, length, 1), and the value that follows, (count, 1)."""
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(count, 1, generator=generator) * 6.28
    speed = 0.2 + 0.2 * torch.rand(count, 1, generator=generator)
    wave = torch.sin(start + speed * torch.arange(length + 1))
    wave = wave + 0.02 * torch.randn(wave.shape, generator=generator)
    return wave[:, :-1, None], wave[:, -1:]


@cache
def first_symbol(count=256, length=60, symbols=4):
    """Sequences of one-hot noise whose class is the symbol shown first."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(symbols, (count, length), generator=generator)
    return torch.nn.functional.one_hot(tokens, symbols).float(), tokens[:, 0]


@cache
def adding(count=512, length=20):
    """The adding problem: shape (count, length, 2) to the sum of the two marked values, (count, 1)."""
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(count, length, generator=generator)
    order = torch.rand(count, length, generator=generator).argsort(1)
    marks = torch.zeros(count, length).scatter(1, order[:, :2], 1.0)
    return torch.stack([values, marks], -1), (values * marks).sum(1, keepdim=True)
