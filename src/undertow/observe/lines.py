"""Where the user's code makes its optimizers and schedules, steps, zeroes and clips."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from types import FrameType
from typing import Any
from unittest.mock import patch

from torch.nn import utils
from torch.nn.utils import clip_grad
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.optimizer import register_optimizer_step_pre_hook

from undertow.observe.frames import source_of, user_frames, variables
from undertow.observe.guard import Guard

__all__ = ["Lines"]

CLIPS = ("clip_grad_norm_", "clip_grad_value_")


class Lines:
    """Notes, of each optimizer, the line that first did something with it; it costs one look-up a call after that.

    A function of PyTorch's that a file had imported by name before is not noted when it is called.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._undo = ExitStack()
        self._known: weakref.WeakKeyDictionary[Optimizer, dict[str, str]] = weakref.WeakKeyDictionary()
        self._clips: dict[str, str] = {}
        self._told: set[tuple[int, str]] = set()

    def install(self) -> None:
        """Stand in for what makes, zeroes and clips, until `remove`."""
        steps = register_optimizer_step_pre_hook(lambda optimizer, *_: self._note(optimizer, "step"))
        self._undo.callback(steps.remove)
        self._replace(Optimizer, "__init__", lambda optimizer, *_: self._note(optimizer, "made"))
        self._replace(Optimizer, "zero_grad", lambda optimizer, *_: self._note(optimizer, "zeroed"))
        for schedule in (LRScheduler, ReduceLROnPlateau):
            self._replace(schedule, "__init__", self._schedules)
        for owner in (utils, clip_grad):
            for name in CLIPS:
                self._replace(owner, name, lambda *_: self._clips or self._guard(self._find, self._clips, "clipped"))

    def stand_aside(self) -> None:
        """Put them back before anything is compiled, which looks into them."""
        self.remove()

    def remove(self) -> None:
        """Put PyTorch's own back."""
        self._undo.close()

    def new(self, numbers: Mapping[Optimizer, int]) -> Iterator[dict[str, Any]]:
        """What has not been told yet of the optimizers that have a number, in plain facts."""
        for optimizer, number in [*numbers.items()]:
            for act, source in {**self._clips, **self._known.get(optimizer, {})}.items():
                if source and (number, act) not in self._told:
                    self._told.add((number, act))
                    yield {"act": act, "optimizer": number, "source": source}

    def _replace(self, owner: Any, name: str, before: Callable[..., Any]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def noted(*args: Any, **kwargs: Any) -> Any:
            before(*args)
            return original(*args, **kwargs)

        self._undo.enter_context(patch.object(owner, name, noted))

    def _schedules(self, schedule: Any, optimizer: Any = None, *_: Any) -> None:
        if isinstance(optimizer, Optimizer):
            self._note(optimizer, "scheduled", schedule)

    def _note(self, optimizer: Optimizer, act: str, made: Any = None) -> None:
        known = self._known.get(optimizer)
        if known is None or act not in known:
            self._guard(self._find, self._known.setdefault(optimizer, {}), act, made or optimizer)

    def _find(self, known: dict[str, str], act: str, made: Any = None) -> None:
        outside = (frame for frame in user_frames(None) if made is None or not _method_of(frame, made))
        known[act] = source_of(next(outside, None))


def _method_of(frame: FrameType, owner: Any) -> bool:
    """Whether this runs a method of one's own: of an optimizer's class that the user wrote."""
    return any(name == "self" and value is owner for name, value in variables(frame))
