"""Losses that are computed without a gradient: what is evaluated on data that no step follows."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import ExitStack
from itertools import islice
from time import perf_counter
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.compiler import is_compiling
from torch.jit import _builtins

from undertow.engine.recorder import to_host
from undertow.observe.attach import stands_for_others
from undertow.observe.frames import source_of, user_frames
from undertow.observe.guard import Guard

__all__ = ["Evaluations", "Row"]

Row = tuple[int, str, float, int, float]
"""Step, place, mean loss, examples, and seconds since the run began."""

LOSSES = (
    *((torch._C._nn, name) for name in ("binary_cross_entropy", "cross_entropy_loss", "huber_loss", "l1_loss")),
    *((torch._C._nn, name) for name in ("mse_loss", "multi_margin_loss", "multilabel_margin_loss", "nll_loss_nd")),
    *((torch._C._nn, name) for name in ("smooth_l1_loss", "soft_margin_loss")),
    *((torch, name) for name in ("binary_cross_entropy_with_logits", "ctc_loss", "kl_div", "poisson_nll_loss")),
)
"""What the losses of `torch.nn` come to, modules and functions alike, however they were imported."""

FRAMES = 3
"""Lines of the user's that tell one place from another: a function that evaluates is called for several data."""


class Evaluations:
    """Notes losses that are computed while gradients are off, and means those of one place between two steps.

    A call that records gradients costs one comparison more; nothing is looked at, and nothing is held, but the value.

    Attributes:
        step: Optimizer steps made so far; whoever counts them sets it.
    """

    def __init__(self, guard: Guard) -> None:
        self.step = 0
        self._guard = guard
        self._undo = ExitStack()
        self._installed = False
        self._began = perf_counter()
        self._open: list[tuple[int, str, Any, int, float]] = []

    def install(self) -> None:
        """Stand in for the losses of PyTorch, until `remove`."""
        self._installed = True
        scripted = _builtins._get_builtin_table()
        for owner, name in LOSSES:
            original = getattr(owner, name)
            ours = self._noting(original)
            self._undo.enter_context(patch.object(owner, name, ours))
            if id(original) in scripted:  # torch.jit.script knows functions by their identity
                scripted[id(ours)] = scripted[id(original)]
                self._undo.callback(scripted.pop, id(ours), None)

    def stand_aside(self) -> None:
        """Put PyTorch's own back before anything is compiled, which knows them by identity."""
        self.remove()

    def remove(self) -> None:
        """Put PyTorch's own back."""
        self._installed = False
        self._undo.close()

    def _noting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def loss(*args: Any, **kwargs: Any) -> Any:
            value = original(*args, **kwargs)
            if not torch.is_grad_enabled() and self._installed and not is_compiling():
                self._guard(self._note, value, args[0] if args else None)
            return value

        return loss

    def _note(self, value: Any, outputs: Any) -> None:
        if not isinstance(value, Tensor) or value.numel() != 1 or stands_for_others(value):
            return
        examples = int(outputs.shape[0]) if isinstance(outputs, Tensor) and outputs.dim() else 1
        place = " < ".join(source_of(frame) for frame in islice(user_frames(None), FRAMES))
        self.add(place, value, examples)

    def add(self, place: str, value: Any, examples: int = 1) -> None:
        """One loss; on another device it stays there until it is asked for."""
        if isinstance(value, Tensor):
            value = float(value.item()) if value.is_cpu else value.detach().clone().reshape(())
        self._open.append((self.step, place, value, examples, perf_counter() - self._began))

    def rows(self, *, all_of_them: bool) -> list[Row]:
        """The evaluations that are complete, or those under way as well; each is told once."""
        kept = [] if all_of_them else [entry for entry in self._open if entry[0] == self.step]
        done = self._open[: len(self._open) - len(kept)]
        self._open = kept
        numbers = to_host([entry[2] for entry in done])
        found: dict[tuple[int, str], tuple[float, int, float]] = {}
        for (step, place, _, examples, seconds), value in zip(done, numbers, strict=True):
            total, count, _ = found.get((step, place), (0.0, 0, 0.0))
            found[step, place] = total + value * examples, count + examples, seconds
        return [(*key, total / count, count, at) for key, (total, count, at) in found.items() if count]
