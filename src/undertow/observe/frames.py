"""Finding one's place in the user's code."""

from __future__ import annotations

import inspect
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["source_in_traceback", "source_of", "user_frame", "user_frames", "variables"]

_LIBRARIES = tuple(
    os.path.join(path, "")
    for path in {*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))}
    if path
)
_OURS = os.path.join(str(Path(__file__).resolve().parents[1]), "")
_LINE = re.compile(r'File "(.+)", line (\d+)')


@lru_cache(maxsize=4096)
def _is_users(filename: str) -> bool:
    if filename.startswith("<"):
        return filename == "<stdin>" or filename.startswith("<ipython")
    path = os.path.abspath(filename)
    return not path.startswith((*_LIBRARIES, _OURS))


def user_frames(frame: FrameType | None = None) -> Iterator[FrameType]:
    """The frames of the user's own code, the innermost first."""
    frame = frame or sys._getframe(1)
    while frame is not None:
        if _is_users(frame.f_code.co_filename):
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
    return "" if frame is None else f"{_shown(frame.f_code.co_filename)}:{frame.f_lineno}"


def source_in_traceback(lines: list[str]) -> str:
    """The user's innermost line in a traceback as anomaly mode records it."""
    for line in reversed(lines):
        found = _LINE.search(line)
        if found and _is_users(found[1]):
            return f"{_shown(found[1])}:{found[2]}"
    return ""


@lru_cache(maxsize=4096)
def _shown(filename: str) -> str:
    """Relative to the working directory where that is shorter."""
    path = os.path.abspath(filename)
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
