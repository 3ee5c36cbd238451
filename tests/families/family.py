"""A family of models, and what makes a member of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Family", "Member", "offline"]

DTYPES = (torch.float32, torch.float64)


@dataclass(frozen=True)
class Member:
    """A model in training mode, and what computes a loss with it."""

    model: nn.Module
    loss: Callable[[], Tensor]

    def forward(self) -> Tensor:
        """The loss, with the same dropout each time."""
        torch.manual_seed(1)
        return self.loss()


@dataclass(frozen=True)
class Family:
    """Models of one architecture, which differ in how the same things are computed.

    Attributes:
        model: Builds the model from the options of a variant.
        loss: Computes a loss with it, on made-up data.
        variants: Options by name. The first is the plain one.
        dtypes: For some variants, the only dtypes that PyTorch computes them in.
    """

    model: Callable[..., nn.Module]
    loss: Callable[[nn.Module, torch.dtype], Callable[[], Tensor]]
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    dtypes: Mapping[str, tuple[torch.dtype, ...]] = field(default_factory=dict)

    def member(self, variant: str, dtype: torch.dtype) -> Member:
        torch.manual_seed(0)
        model = self.model(**self.variants[variant]).to(dtype).train()
        return Member(model, self.loss(model, dtype))

    def kinds(self) -> list[tuple[str, torch.dtype]]:
        """The variants and the dtypes that there are."""
        return [(variant, dtype) for variant in self.variants for dtype in self.dtypes.get(variant, DTYPES)]


def offline() -> Any:
    """The package transformers, told to stay off the network; imported only where a model is built."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    return transformers
