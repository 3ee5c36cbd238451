"""Which files are the user's own, and the line of theirs at which an operation was recorded."""

from __future__ import annotations

import os
import re
import sysconfig
from functools import lru_cache
from pathlib import Path

__all__ = ["is_users", "shown", "source_in_traceback"]

_LIBRARIES = tuple(
    os.path.join(path, "")
    for path in {*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))}
    if path
)
_OURS = os.path.join(str(Path(__file__).resolve().parents[1]), "")
_LINE = re.compile(r'File "(.+)", line (\d+)')


@lru_cache(maxsize=4096)
def is_users(filename: str) -> bool:
    """Whether a file is neither a library's nor Undertow's."""
    if filename.startswith("<"):
        return filename == "<stdin>" or filename.startswith("<ipython")
    path = os.path.abspath(filename)
    return not path.startswith((*_LIBRARIES, _OURS))


def source_in_traceback(lines: list[str]) -> str:
    """The user's innermost line in a traceback as anomaly mode records it."""
    for line in reversed(lines):
        found = _LINE.search(line)
        if found and is_users(found[1]):
            return f"{shown(found[1])}:{found[2]}"
    return ""


@lru_cache(maxsize=4096)
def shown(filename: str) -> str:
    """Relative to the working directory where that is shorter."""
    path = os.path.abspath(filename)
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
