"""The four models that the engine is measured on, each with one batch of made-up data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["MODELS", "Task", "cnn", "deep_mlp", "gpt", "mlp"]


@dataclass(frozen=True)
class Task:
    """A classifier and a batch."""

    model: nn.Module
    inputs: Tensor
    targets: Tensor

    def loss(self) -> Tensor:
        return F.cross_entropy(self.model(self.inputs), self.targets)


def mlp() -> Task:
    """784-256-256-256-10, batch 128."""
    return Task(_dense(784, 256, 256, 256, 10), torch.randn(128, 784), torch.randint(10, (128,)))


def deep_mlp() -> Task:
    """30 layers of width 64, batch 128: so small that the time goes into Python."""
    return Task(_dense(*[64] * 30, 10), torch.randn(128, 64), torch.randint(10, (128,)))


def cnn() -> Task:
    """Three convolutions on 32×32, with batch normalisation and pooling, batch 64."""
    model = nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )
    return Task(model, torch.randn(64, 3, 32, 32), torch.randint(10, (64,)))


def gpt() -> Task:
    """4 layers, width 128, 4 heads, 128 tokens, batch 16."""
    return Task(GPT(), torch.randint(64, (16, 128)), torch.randint(64, (16 * 128,)))


def _dense(*widths: int) -> nn.Sequential:
    layers = [layer for n, m in pairwise(widths) for layer in (nn.Linear(n, m), nn.ReLU())]
    return nn.Sequential(*layers[:-1])


class Block(nn.Module):
    """A transformer block, normalised before attention and before its two-layer net."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_net = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.net = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(self.before_attention(x)).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.net(self.before_net(x))


class GPT(nn.Module):
    """A small language model; its result is (batch · tokens, vocabulary)."""

    def __init__(self, vocabulary: int = 64, width: int = 128, tokens: int = 128, layers: int = 4, heads: int = 4):
        super().__init__()
        self.token = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.last = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.last(self.blocks(self.token(tokens) + self.position))).flatten(0, 1)


MODELS: dict[str, Callable[[], Task]] = {
    "MLP 784-256-256-256-10, batch 128": mlp,
    "30-layer MLP of width 64, batch 128": deep_mlp,
    "3-convolution CNN 32×32, batch 64": cnn,
    "GPT 4 layers, width 128, 128 tokens, batch 16": gpt,
}
