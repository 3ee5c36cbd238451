"""Errors in words, for the store and for the user."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from undertow.errors import StoreError, UndertowError

__all__ = ["told", "unkept"]


def told(error: BaseException) -> dict[str, str]:
    """Its type and its message, as an event keeps them."""
    text = str(error) if not isinstance(error, UndertowError) else str(error).splitlines()[0]
    return {"type": type(error).__name__, "message": text[:2000]}


def unkept(error: sqlite3.Error, step: int, folder: Path) -> StoreError:
    """That a run could not be kept from a step on."""
    return StoreError(
        f"the run could not be kept beyond step {step}: {error}\n"
        f"  The training itself was left alone. What was stored before is in {folder}.\n"
        "  Make room there, or choose another place with --store (or store=), and run it again."
    )
