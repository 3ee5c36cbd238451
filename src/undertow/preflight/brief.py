"""Ending a script's training after its first steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

__all__ = ["Enough", "first_steps"]


class Enough(SystemExit):
    """Leaves a script that has made as many steps as were asked for; it is no error."""


@contextmanager
def first_steps(count: int = 2) -> Iterator[None]:
    """Leave whatever trains inside once an optimizer has made so many steps."""
    made: Counter[int] = Counter()

    def after(optimizer: Optimizer, *_: Any) -> None:
        made[id(optimizer)] += 1
        if made[id(optimizer)] >= count:
            raise Enough(0)

    hook = register_optimizer_step_post_hook(after)
    try:
        yield
    finally:
        hook.remove()
