"""The registry of the gallery: one case for each training."""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PARTS = ("own", "unseen", "held", "fresh", "blind", "wild", "late")
"""Folders, each with what one author, or several who knew as much of the checks, wrote at one time."""

SPLITS = ("build", "judge", *PARTS[1:])
MARKER = "# <- fault"

Train = Callable[[], dict[str, float]]
Modules = str | tuple[str, ...] | None
Edits = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Case:
    """One training. `code` is None for a healthy one; `module` names one module at fault or several acceptable.

    `cured` holds what to replace in the source, and by what, to be rid of the fault. `remark` is the code of what a
    healthy one survives and is to be told of as a remark; `without` that of what it may look like and is not.
    """

    name: str
    train: Train
    code: str | None
    module: Modules
    split: str
    note: str
    line: int | None
    cured: Edits = ()
    remark: str | None = None
    without: str | None = None


CASES: dict[str, Case] = {}


def sick(
    code: str, *, split: str, module: Modules = None, note: str = "", cured: Edits = ()
) -> Callable[[Train], Train]:
    """Register a training that shows the fault `code`."""
    return lambda train: register(train, code, module, split, note, cured)


def healthy(*, split: str, odd: str = "", without: str | None = None) -> Callable[[Train], Train]:
    """Register a training that learns; `odd` says what looks wrong about it and is not, `without` the code of that."""
    return lambda train: register(train, None, None, split, odd, without=without)


def remarked(code: str, *, split: str, note: str) -> Callable[[Train], Train]:
    """Register a training that learns in spite of `code`, which is to be told as a remark."""
    return lambda train: register(train, None, None, split, note, remark=code)


def register(
    train: Train, code: str | None, module: Modules, split: str, note: str, cured: Edits = (), **remarks: str | None
) -> Train:
    name = train.__name__
    if name in CASES:
        raise ValueError(f"the gallery has a case {name!r} already")
    if split not in SPLITS:
        raise ValueError(f"case {name!r} has split {split!r}, which is none of {SPLITS}")
    CASES[name] = Case(name, train, code, module, split, note, marked_line(train), cured, **remarks)
    return train


def marked_line(train: Train) -> int | None:
    """Return the number, in its file, of the line that carries the marker."""
    lines, first = inspect.getsourcelines(train)
    marked = [first + offset for offset, line in enumerate(lines) if line.rstrip().endswith(MARKER)]
    if len(marked) > 1:
        raise ValueError(f"case {train.__name__!r} marks {len(marked)} lines as the fault; one is allowed")
    return marked[0] if marked else None


def load() -> dict[str, Case]:
    """Import every file of every part and return the whole gallery."""
    for part in PARTS:
        for file in sorted((Path(__file__).parent / part).glob("*.py")):
            importlib.import_module(f"{__package__}.{part}.{file.stem}")
    return CASES
