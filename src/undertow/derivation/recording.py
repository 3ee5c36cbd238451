"""Noting down the calls into PyTorch that a sweep makes, so that they can be written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from undertow.derivation.spelling import SPELLED

__all__ = ["Call", "Recording", "renamed_as", "tensors_in"]


@dataclass(frozen=True, eq=False)
class Call:
    """One call into PyTorch that answered with tensors."""

    func: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    answer: Any


def renamed_as(tensor: Tensor) -> Tensor:
    """The same tensor under a name of its own."""
    return tensor


class Recording(TorchFunctionMode):
    """While it is entered, calls with tensors are kept in order, and fused ones are spelled out.

    Attributes:
        calls: What was called. It holds every tensor, so that none is mistaken for a later one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        spelled = SPELLED.get(func)
        if spelled is not None:
            with self:
                answer = spelled(*args, **(kwargs or {}))
            if answer is not NotImplemented:
                return answer
        answer = func(*args, **(kwargs or {}))
        if any(True for _ in tensors_in(answer)) or func is Tensor.__setitem__:
            self.calls.append(Call(func, args, kwargs or {}, answer))
        return answer

    def renamed(self, tensor: Tensor) -> Tensor:
        """The tensor as another object, for a name of its own."""
        with torch._C.DisableTorchFunction():
            other = tensor.detach()
        self.calls.append(Call(renamed_as, (tensor,), {}, other))
        return other


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors among some arguments or answers."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors_in(part)
