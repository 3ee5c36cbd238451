"""Finding the line where a value leaves the graph."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import CheckpointFunction
from torch.utils.weak import WeakTensorKeyDictionary

from undertow.observe.attach import stands_for_others
from undertow.observe.frames import source_of, user_frame
from undertow.observe.guard import Guard

__all__ = ["Cut", "CutTracer", "checkpoint_around", "stop_all"]


@dataclass(frozen=True, eq=False)
class Cut:
    """A call whose result no longer carries the gradient of what went in.

    Attributes:
        operation: The call's name, such as `detach`.
        source: The user's line.
        grad_enabled: Whether gradients were being recorded: if not, it stood under `torch.no_grad()`.
        checkpointed: Whether that was a reentrant checkpoint's, which records none while it runs forward.
        nodes: Where the graph behind what went in begins.
        leaves: The leaves that went in directly.
    """

    operation: str
    source: str
    grad_enabled: bool
    checkpointed: bool
    nodes: tuple[Any, ...]
    leaves: tuple[Tensor, ...]


class CutTracer(TorchFunctionMode):
    """Follows values through one forward pass, and remembers by which calls each left the graph.

    A number that leaves PyTorch (`tolist`, `numpy`) and comes back is recognised by its size.
    """

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard
        self._taints: Any = WeakTensorKeyDictionary()
        self._outside: list[tuple[int, frozenset[Cut]]] = []
        self._started = False
        self._undo = ExitStack()
        self.all: list[Cut] = []

    def start(self) -> None:
        """Start following, unless the user has a mode of their own: leaving it would take ours off instead.

        PyTorch holds a mode back while it calls it, and then puts it on again whatever has happened. So that
        following can end during a backward pass, those are called with this mode set aside.
        """
        if torch._C._len_torch_function_stack():
            return
        self._started = True
        torch._C._push_on_torch_function_stack(self)
        for owner, name in ((Tensor, "backward"), (torch.autograd, "backward"), (torch.autograd, "grad")):
            self._undo.enter_context(patch.object(owner, name, self._without(getattr(owner, name))))

    def stop(self) -> None:
        """Stop following. While PyTorch holds this mode back, it can only be taken off at the next backward pass."""
        self._started = False
        if self._lift():
            self._undo.close()

    def _without(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            lifted = self._lift()
            try:
                return function(*args, **kwargs)
            finally:
                if lifted and self._started:
                    torch._C._push_on_torch_function_stack(self)
                elif lifted:
                    self._undo.close()

        return call

    def _lift(self) -> bool:
        """Take this mode from under whatever modes the user may have put on top."""
        stack = [torch._C._pop_torch_function_stack() for _ in range(torch._C._len_torch_function_stack())]
        for mode in reversed(stack):
            if mode is not self:
                torch._C._push_on_torch_function_stack(mode)
        return self in stack

    def behind(self, tensor: Any) -> frozenset[Cut]:
        """The cuts that a value descends from."""
        return self._taints.get(tensor, frozenset()) if isinstance(tensor, Tensor) else frozenset()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if self._started and torch._C._current_graph_task_id() == -1:
            self._guard(self._follow, func, [*_tensors((args, kwargs or {}))], answer, torch.is_grad_enabled())
        return answer

    def _follow(self, func: Any, inputs: list[Tensor], answer: Any, grad_enabled: bool) -> None:
        outputs = [*_tensors((answer,))]
        if any(map(stands_for_others, (*inputs, *outputs))):
            return
        taints = frozenset[Cut]().union(*(self.behind(tensor) for tensor in inputs))
        if self._outside and not taints:
            taints = self._returned(tensor for tensor in inputs if not tensor.requires_grad)
        carrying = [tensor for tensor in inputs if tensor.requires_grad]
        if not inputs:
            taints = self._returned(outputs)
        elif carrying and not _reads_gradient(func) and not any(output.requires_grad for output in outputs):
            self.all.append(_cut(func, carrying, grad_enabled))
            taints |= {self.all[-1]}
        if not taints:
            return
        for output in outputs:
            self._taints[output] = self.behind(output) | taints
        if not outputs and inputs and _leaves_torch(func) and inputs[0].numel() > 1:
            self._outside.append((inputs[0].numel(), taints))

    def _returned(self, outputs: Iterable[Tensor]) -> frozenset[Cut]:
        sizes = {output.numel() for output in outputs}
        return frozenset[Cut]().union(*(taints for size, taints in self._outside if size in sizes))


def _reads_gradient(func: Callable[..., Any]) -> bool:
    """Whether it is `.grad` that is read: what comes of it is nothing that the loss is made of."""
    return getattr(func, "__self__", None) is Tensor.grad


def _leaves_torch(func: Callable[..., Any]) -> bool:
    return getattr(func, "__name__", "") in {"numpy", "tolist", "__array__"}


def _cut(func: Any, carrying: list[Tensor], grad_enabled: bool) -> Cut:
    name = getattr(func, "__name__", str(func))
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", name)
    checkpoint = None if grad_enabled else checkpoint_around()
    return Cut(
        operation=name,
        source=source_of(user_frame(checkpoint)),
        grad_enabled=grad_enabled,
        checkpointed=checkpoint is not None,
        nodes=tuple(tensor.grad_fn for tensor in carrying if tensor.grad_fn is not None),
        leaves=tuple(tensor for tensor in carrying if tensor.is_leaf),
    )


def checkpoint_around() -> FrameType | None:
    """The innermost reentrant checkpoint that runs forward now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not CheckpointFunction.forward.__code__:
        frame = frame.f_back
    return frame


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _tensors(value)
    elif isinstance(values, dict):
        yield from _tensors([*values.values()])


def stop_all() -> None:
    """Take every tracer off that could not be taken off before."""
    stack = [torch._C._pop_torch_function_stack() for _ in range(torch._C._len_torch_function_stack())]
    for mode in reversed(stack):
        torch._C._push_on_torch_function_stack(mode)
    for mode in stack:
        if isinstance(mode, CutTracer):
            mode.stop()
