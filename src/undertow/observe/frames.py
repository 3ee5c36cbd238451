"""Finding one's place in the user's code."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from undertow.engine.source import is_users, shown

__all__ = ["source_of", "user_frame", "user_frames", "variables"]


def user_frames(frame: FrameType | None = None) -> Iterator[FrameType]:
    """The frames of the user's own code, the innermost first."""
    frame = frame or sys._getframe(1)
    while frame is not None:
        if is_users(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


def user_frame(frame: FrameType | None = None) -> FrameType | None:
    """The innermost frame of the user's own code."""
    return next(user_frames(frame or sys._getframe(1)), None)


def variables(frame: FrameType) -> list[tuple[str, Any]]:
    """A frame's variables, local ones first. Nothing is kept alive by having looked.

    Before Python 3.13 a function's frame keeps the dictionary that it was asked for, and with it every
    tensor in it, until the function returns. It is emptied unless somebody else holds it too.
    """
    local = frame.f_locals
    found = [*local.items()]
    ours = sys.getrefcount(local) <= FRAME_AND_US and sys.gettrace() is None
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED and type(local) is dict and ours:
        local.clear()
    return [*found, *frame.f_globals.items()]


FRAME_AND_US = 3
"""References to the dictionary: the frame's, our variable's, and the one that is passed to be counted."""


def source_of(frame: FrameType | None) -> str:
    """A frame's place, such as `train.py:41`; empty for none."""
    return "" if frame is None else f"{shown(frame.f_code.co_filename)}:{frame.f_lineno}"
