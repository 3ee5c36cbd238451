"""The one place where PyTorch is patched: on entry, and undone on exit."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Protocol
from unittest.mock import patch

import torch
from torch import Tensor
from torch._C._functorch import peek_interpreter_stack
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from undertow.errors import UndertowError

__all__ = ["Attachment", "Observer", "compiler_in_use", "in_place", "refuse_a_second", "stands_for_others"]


class Observer(Protocol):
    """What wants to know of a training loop that is not its own."""

    def backward_begins(self, outputs: Sequence[Any], seeds: Sequence[Any], accumulates: bool, to_leaves: bool) -> None:
        """PyTorch's engine is about to run, from these outputs with these cotangents, into `.grad` or not.

        It runs every node there is if it runs `to_leaves`, or else only as far as some tensors.
        """

    def backward_within(self, outputs: Sequence[Any]) -> None:
        """Within it, another is about to run."""

    def backward_ended(self, completed: bool) -> None:
        """It has run, or raised."""

    def step_begins(self, optimizer: Optimizer) -> None:
        """An optimizer is about to move the weights."""

    def step_ended(self, optimizer: Optimizer) -> None:
        """It has."""

    def loss_scaled(self, scaler: GradScaler, scaled: Any) -> None:
        """A gradient scaler has multiplied a loss."""

    def compile_called(self) -> None:
        """Something is about to be compiled."""


class Replacement(Protocol):
    """What stands in for functions of PyTorch's besides, for purposes of its own."""

    def install(self) -> None:
        """Take their place."""

    def stand_aside(self) -> None:
        """Put back those that a compiler would look into, or know by their identity."""

    def remove(self) -> None:
        """Put all of them back."""


class Attachment:
    """Calls an observer from inside somebody else's training loop, until it is removed.

    PyTorch's engine has one entry for `Tensor.backward`, `torch.autograd.backward` and
    `torch.autograd.grad`; passes that run inside another pass (reentrant checkpointing) are left alone.

    Attributes:
        transformed: Whether gradients were taken within a transform of `torch.func`, which is not observed.
    """

    def __init__(self, observer: Observer, *others: Replacement):
        self._observer = observer
        self._others = others
        self._undo = ExitStack()
        self._inside = False
        self.transformed = False

    def install(self) -> None:
        refuse_a_second()
        observer = self._observer
        for handle in (
            register_optimizer_step_pre_hook(lambda optimizer, *_: observer.step_begins(optimizer)),
            register_optimizer_step_post_hook(lambda optimizer, *_: observer.step_ended(optimizer)),
        ):
            self._undo.callback(handle.remove)
        self._replace(torch.autograd, "_engine_run_backward", self._run_backward)
        self._replace(GradScaler, "scale", self._scale)
        self._replace(torch, "compile", self._compile)
        for other in self._others:
            other.install()

    def remove(self) -> None:
        for other in reversed(self._others):
            other.remove()
        self._undo.close()

    def stand_aside(self) -> None:
        """Put back what a compiler would look into, or know by its identity: all but the entries to the engine."""
        for other in reversed(self._others):
            other.stand_aside()

    def _replace(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        self._undo.enter_context(patch.object(owner, name, wrap(getattr(owner, name))))

    def _run_backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def run_backward(outputs: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
            if self._inside or stands_for_others(outputs[0] if outputs else None):
                self.transformed |= peek_interpreter_stack() is not None
                if self._inside and not self.transformed:
                    self._observer.backward_within(outputs)
                return original(outputs, *args, **kwargs)
            self._inside = True
            completed = False
            try:
                seeds = args[0] if args else kwargs["grad_tensors"]
                inputs = args[3] if len(args) > 3 else kwargs.get("inputs", ())
                self._observer.backward_begins(outputs, seeds, bool(kwargs.get("accumulate_grad")), not inputs)
                answer = original(outputs, *args, **kwargs)
                completed = True
            finally:
                self._inside = False
                self._observer.backward_ended(completed)
            return answer

        run_backward.observed_by = self._observer  # type: ignore[attr-defined]
        return run_backward

    def _scale(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def scale(scaler: GradScaler, outputs: Any) -> Any:
            scaled = original(scaler, outputs)
            self._observer.loss_scaled(scaler, scaled)
            return scaled

        return scale

    def _compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def compile(*args: Any, **kwargs: Any) -> Any:  # noqa: A001  (it stands in for torch.compile)
            self._observer.compile_called()
            return original(*args, **kwargs)

        return compile


def refuse_a_second() -> None:
    """Raise if a training is being observed already.

    Raises:
        UndertowError: One is.
    """
    if in_place() is not None:
        raise UndertowError(
            "this program is being observed already\n"
            "  Two observers would count each other's cost and name things twice.\n"
            "  Leave out `with undertow.observe()` under `undertow run`, and do not put one inside another."
        )


def in_place() -> Any:
    """Whoever observes this program now, if anybody does."""
    return vars(torch.autograd._engine_run_backward).get("observed_by")  # type: ignore[attr-defined]


def compiler_in_use() -> bool:
    """Whether anything has been handed to `torch.compile` so far, called or not."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    # Going through all objects there are takes long, and mostly no compiler's backend was ever asked for.
    if dynamo is None or not any(getattr(dynamo, "cached_backends", {0: True}).values()):
        return False
    gc.collect()  # one that nothing refers to any more compiles nothing
    return any(type(thing) is dynamo.OptimizeContext for thing in gc.get_objects())


def stands_for_others(output: Any) -> bool:
    """Whether a tensor is one of a compiler's or a function transform's, with no numbers of its own."""
    if isinstance(output, (FakeTensor, FunctionalTensor)) or peek_interpreter_stack() is not None:
        return True
    return isinstance(output, Tensor) and output.is_meta
