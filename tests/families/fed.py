"""One layer of torch.nn, and what it is fed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tests.families.family import Family

__all__ = ["Fed", "fed", "learnt"]


class Fed(nn.Module):
    """A layer with its inputs: those given as a shape are random and learnt along with its weights; others are data."""

    def __init__(self, layer: Callable[..., nn.Module], inputs: tuple[Any, ...], **options: Any):
        super().__init__()
        self.layer, self.inputs = layer(**options), [f"input{i}" for i in range(len(inputs))]
        for name, given in zip(self.inputs, inputs, strict=True):
            if isinstance(given, Tensor) and not given.requires_grad:
                self.register_buffer(name, given)
            else:
                start = given.detach().clone() if isinstance(given, Tensor) else torch.randn(given)
                self.register_parameter(name, nn.Parameter(start))

    def forward(self) -> list[Tensor]:
        """The layer's outputs that can be differentiated."""
        answer = self.layer(*[getattr(self, name) for name in self.inputs])
        return [output for output in flat(answer) if output.requires_grad]


def flat(answer: Any) -> list[Tensor]:
    if answer is None or isinstance(answer, Tensor):
        return [] if answer is None else [answer]
    return [output for part in answer for output in flat(part)]


def weighed(model: nn.Module, dtype: torch.dtype) -> Callable[[], Tensor]:
    """All outputs added up, each entry with a weight of its own: unlike a plain sum, normalisations do not hold it."""
    return lambda: sum((output * weights(output)).sum() for output in model())


def weights(output: Tensor) -> Tensor:
    return torch.arange(output.numel(), dtype=output.dtype).cos().reshape(output.shape)


def fed(layer: Callable[..., nn.Module], *inputs: Any, **variants: Mapping[str, Any]) -> Family:
    """A layer, fed such inputs, with these options by the name of a variant; a single plain one when left out."""
    return Family(partial(Fed, layer, inputs), weighed, variants or {"plain": {}})


def learnt(values: Tensor) -> Tensor:
    """Numbers that a layer is to start from, and that are learnt along with its weights."""
    return values.float().requires_grad_()
