"""How often what UT704 says of a course is wrong: `python -m benchmarks.course [FOLDER]`, over the healthy gallery.

A run is cut short, judged by what there is of it, and held against how it went on. FOLDER holds runs of the gallery,
named as they are there, that were kept before; without it they are trained.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import undertow
from benchmarks.gallery import share
from undertow.diagnose.course import FEWEST, FURTHER, standing
from undertow.diagnose.outcome import main_losses
from undertow.diagnose.signal import signals

CUTS = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Shares of a run after which it is cut."""

LITTLE = 0.5
"""As in UT704: of the squared gradient of a batch, what counts as most of it."""


def stood(losses: NDArray[np.float64], count: Counter[str]) -> None:
    """Cut a course and count what was said of it, and what of that its going on contradicts."""
    for cut in CUTS:
        size = int(cut * len(losses))
        stands = standing(losses[:size]) if size >= FEWEST else None
        count["cut"] += size >= FEWEST
        if stands is None:
            continue
        after = losses[size : size + (size - stands.start)]
        ending = after[-max(5, len(after) // 3) :]
        gained = float(losses[: max(3, size // 80)].mean()) - stands.level
        count["said to stand"] += 1
        count["fell on"] += stands.level - float(ending.mean()) > 2 * FURTHER * min(gained, abs(stands.level))


def turned(run: undertow.Run, count: Counter[str]) -> None:
    """Count the parts of a run, and those said to jump to and fro, or to be mostly noise."""
    for part in signals(run):
        count["parts"] += 1
        count["said to jump"] += part.turns(LITTLE)
        count["said to be noise"] += part.interval[1] <= LITTLE


def kept(folder: Path | None) -> Iterator[undertow.Run]:
    """The healthy runs."""
    from tests.gallery.judge import observed
    from tests.gallery.table import load

    for case in load().values():
        if case.code is not None or case.remark is not None:
            continue
        if folder is not None:
            if (folder / case.name).exists():
                yield undertow.Run(folder / case.name)
            continue
        with tempfile.TemporaryDirectory() as made:
            observed(case, Path(made) / "run")
            yield undertow.Run(Path(made) / "run")


def main(folder: str = "") -> None:
    count: Counter[str] = Counter()
    for run in kept(Path(folder) if folder else None):
        course = main_losses(run)
        count["runs"] += 1
        if course is not None and np.isfinite(course.values).all():
            stood(course.values, count)
        turned(run, count)
    print(f"{count['runs']} healthy runs, cut {count['cut']} times where there were losses enough.")
    print(f"Said to stand: {share(count['said to stand'], count['cut'])}.")
    print(f"Fell on all the same: {share(count['fell on'], count['said to stand'])}.")
    print(f"Parts said to jump to and fro: {share(count['said to jump'], count['parts'])}.")
    print(f"Parts said to be mostly noise: {share(count['said to be noise'], count['parts'])}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
