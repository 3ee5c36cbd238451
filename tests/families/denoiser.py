"""A diffusion U-Net, written by hand: it is told a time and finds the noise in a picture."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Denoiser", "noise"]


class Residual(nn.Module):
    """Two convolutions that are told the time, and a way around them."""

    def __init__(self, channels: int, width: int, time: int):
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(4, channels), nn.SiLU(), nn.Conv2d(channels, width, 3, padding=1))
        self.time = nn.Linear(time, 2 * width)
        self.norm = nn.GroupNorm(4, width)
        self.second = nn.Sequential(nn.SiLU(), nn.Dropout(0.1), nn.Conv2d(width, width, 3, padding=1))
        self.around = nn.Conv2d(channels, width, 1) if channels != width else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.time(F.silu(time))[..., None, None].chunk(2, 1)
        return self.around(x) + self.second(self.norm(self.first(x)) * (1 + scale) + shift)


class Attention(nn.Module):
    """Each place looks at all others."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads, self.norm = heads, nn.GroupNorm(4, width)
        self.qkv, self.out = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(1, (self.heads, -1)).flatten(3).mT for part in self.qkv(self.norm(x)).chunk(3, 1))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return x + self.out(mixed.mT.reshape(x.shape))


class Denoiser(nn.Module):
    """Down two levels, through attention, and up again past what was kept on the way down."""

    def __init__(self, width: int = 8, time: int = 16):
        super().__init__()
        self.frequencies = torch.exp(torch.linspace(0, -math.log(1e4), time // 2))
        self.time = nn.Sequential(nn.Linear(time, time), nn.SiLU(), nn.Linear(time, time))
        self.enter = nn.Conv2d(3, width, 3, padding=1)
        self.down = nn.ModuleList([Residual(width, width, time), Residual(width, 2 * width, time)])
        self.shrink = nn.ModuleList([nn.Conv2d(width, width, 3, 2, 1), nn.AvgPool2d(2)])
        self.middle = nn.ModuleList([Residual(2 * width, 2 * width, time), Residual(2 * width, 2 * width, time)])
        self.attention = Attention(2 * width, 2)
        self.up = nn.ModuleList([Residual(4 * width, width, time), Residual(2 * width, width, time)])
        self.grow = nn.ModuleList([nn.Upsample(scale_factor=2), nn.ConvTranspose2d(width, width, 2, 2)])
        self.leave = nn.Sequential(nn.GroupNorm(4, width), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        angles = t[:, None] * self.frequencies.to(x)
        time, x, kept = self.time(torch.cat([angles.sin(), angles.cos()], 1)), self.enter(x), []
        for block, shrink in zip(self.down, self.shrink, strict=True):
            kept.append(block(x, time))
            x = shrink(kept[-1])
        x = self.middle[1](self.attention(self.middle[0](x, time)), time)
        for block, grow in zip(self.up, self.grow, strict=True):
            x = block(torch.cat([grow(x), kept.pop()], 1), time)
        return self.leave(x)


def noise(model: nn.Module, dtype: torch.dtype) -> Callable[[], Tensor]:
    """The loss of finding the noise that was mixed into pictures."""
    pictures, time = torch.randn(2, 3, 8, 8, dtype=dtype), torch.tensor([0.1, 0.7], dtype=dtype)
    added = torch.randn_like(pictures)
    share = time[:, None, None, None]
    mixed = (1 - share).sqrt() * pictures + share.sqrt() * added
    return lambda: F.mse_loss(model(mixed, 1000 * time), added)
