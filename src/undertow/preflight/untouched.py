"""Doing something with a model and its optimizer, and leaving both as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["same_chance", "untouched"]


@contextmanager
def untouched(model: nn.Module, optimizer: Optimizer | None = None) -> Iterator[None]:
    """Whatever happens inside, parameters, buffers, gradients, modes, optimizer and random numbers come out as before.

    Tensors are the same objects afterwards, with the same bits in them. What a module keeps outside parameters and
    buffers (a counter, a list) is not put back.
    """
    tensors = [(tensor, tensor.detach().clone()) for tensor in (*model.parameters(), *model.buffers())]
    gradients = [(p, p.grad, None if p.grad is None else p.grad.detach().clone()) for p in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    books = _books(optimizer) if optimizer is not None else None
    with same_chance():
        try:
            yield
        finally:
            _put_back(tensors, gradients, modes)
            if optimizer is not None and books is not None:
                _put_books_back(optimizer, *books)


def _put_back(
    tensors: Sequence[tuple[Tensor, Tensor]],
    gradients: Sequence[tuple[Tensor, Tensor | None, Tensor | None]],
    modes: Sequence[tuple[nn.Module, bool]],
) -> None:
    with torch.no_grad():
        for tensor, kept in tensors:
            tensor.copy_(kept)
        for parameter, gradient, kept_gradient in gradients:
            parameter.grad = gradient
            if gradient is not None and kept_gradient is not None:
                gradient.copy_(kept_gradient)
    for module, training in modes:
        module.training = training


Books = tuple[dict[Tensor, dict[str, Any]], dict[Tensor, dict[str, Any]], list[dict[str, Any]]]


def _books(optimizer: Optimizer) -> Books:
    """The optimizer's state, a copy of what is in it, and its groups."""
    state = {tensor: dict(kept) for tensor, kept in optimizer.state.items()}
    copies = {
        tensor: {key: value.detach().clone() for key, value in kept.items() if isinstance(value, Tensor)}
        for tensor, kept in state.items()
    }
    return state, copies, [dict(group) for group in optimizer.param_groups]


def _put_books_back(
    optimizer: Optimizer,
    state: dict[Tensor, dict[str, Any]],
    copies: dict[Tensor, dict[str, Any]],
    groups: list[dict[str, Any]],
) -> None:
    for tensor, kept in copies.items():
        for key, value in kept.items():
            state[tensor][key].copy_(value)
    optimizer.state.clear()
    optimizer.state.update(state)
    for group, settings in zip(optimizer.param_groups, groups, strict=True):
        group.clear()
        group.update(settings)


@contextmanager
def same_chance() -> Iterator[None]:
    """Random numbers go on afterwards as if nothing had been drawn."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
