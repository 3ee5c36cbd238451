"""Results that were had of a run later on, kept beside what was observed of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from undertow.errors import StoreError

__all__ = ["Kept", "keep", "kept"]

FOLDER = "results"

Kept = dict[str, Sequence[dict[str, Any]]]
"""By name of a result: the blocks that show it, as plain data."""


def keep(folder: Path, name: str, blocks: Sequence[dict[str, Any]]) -> Path:
    """Keep a result in a run's folder, in the place of an earlier one of that name.

    Raises:
        StoreError: It cannot be written.
    """
    path = folder / FOLDER / f"{name}.json"
    try:
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(blocks, allow_nan=False), encoding="utf-8")
        return fresh.replace(path)
    except OSError as error:
        raise StoreError(f"the result could not be kept in {path}: {error}\n  Make room, and keep it again.") from error


def kept(folder: Path) -> Kept:
    """What was kept with a run, by name.

    Raises:
        StoreError: A file is damaged.
    """
    found: Kept = {}
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} cannot be read: {error}\n  Delete it, and keep the result again.") from error
    return found
