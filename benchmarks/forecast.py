"""How often the forecast's interval holds what came: python -m benchmarks.forecast [CURVES.npz]

Every run of the gallery is trained once and its loss kept (in CURVES.npz, if given, so that it need not be trained
again). From each curve the first 30, 50 and 70 % are shown to the forecast, and the mean loss about the end of the run
is held against its 90 % interval. The constants of the forecast were set on the split `build` alone.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

import undertow
from tests.gallery.judge import observed
from tests.gallery.table import SPLITS, Case, load
from undertow.diagnose.outcome import main_losses
from undertow.forecast.forecast import FARTHEST
from undertow.forecast.history import FEWEST

PARTS = (0.3, 0.5, 0.7)
LEAST = 60
"""Losses that a run must have."""


class Foretold(NamedTuple):
    """One forecast, held against what came."""

    part: float
    held: bool
    below: bool
    width: float
    seconds: float


def curve(case: Case) -> NDArray[np.float64]:
    """The loss of a run of the gallery, empty where it has none."""
    with tempfile.TemporaryDirectory() as folder:
        observed(case, Path(folder) / "run")
        seen = main_losses(undertow.Run(Path(folder) / "run"))
        return np.array([]) if seen is None else seen.values


def curves(kept: Path | None) -> dict[str, NDArray[np.float64]]:
    """The loss of every run, trained now or as it was kept."""
    if kept is not None and kept.is_file():
        return dict(np.load(kept))
    found = {}
    for place, (name, case) in enumerate(load().items()):
        found[name] = curve(case)
        print(f"\r{place + 1} of {len(load())} runs", end="", file=sys.stderr)
    if kept is not None:
        np.savez(kept, **found)
    return found


def foretold(losses: NDArray[np.float64]) -> Iterator[Foretold]:
    """Forecasts of the end of a curve, from parts of it."""
    about = max(3, len(losses) // 15)
    truth, end = losses[-about:].mean(), len(losses) - about / 2
    for part in PARTS:
        known = int(part * len(losses))
        if known < FEWEST:
            continue
        started = time.perf_counter()
        interval = undertow.forecast(losses[:known]).at(min(end, FARTHEST * known))
        seconds = time.perf_counter() - started
        width = np.log10(interval.high / interval.low) if interval.low > 0 else np.nan
        yield Foretold(part, bool(interval.low <= truth <= interval.high), bool(truth < interval.low), width, seconds)


def row(words: str, seen: list[Foretold]) -> str:
    """One line of the table."""
    held = binomtest(sum(f.held for f in seen), len(seen))
    low, high = held.proportion_ci(method="wilson")
    below = sum(f.below for f in seen) / len(seen)
    wide = np.nanmedian([f.width for f in seen])
    rate = f"{100 * held.statistic:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    return f"| {words} | {len(seen)} | {rate} | {100 * below:.1f} % | {wide:.2f} |"


def main() -> None:
    kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    seen: dict[tuple[str, bool], list[Foretold]] = {}
    for name, losses in curves(kept).items():
        case = load()[name]
        if len(losses) >= LEAST and np.isfinite(losses).all():
            seen.setdefault((case.split, case.code is None), []).extend(foretold(losses))
    print("| runs | forecasts | held by the 90 % interval | came out lower | width, decades |")
    print("| --- | --- | --- | --- | --- |")
    for split in SPLITS:
        for words, kinds in (("all", (True, False)), ("healthy", (True,)), ("sick", (False,))):
            print(row(f"{split}, {words}", [f for kind in kinds for f in seen.get((split, kind), [])]))
    everything = [f for found in seen.values() for f in found]
    for part in PARTS:
        print(row(f"from the first {100 * part:.0f} %", [f for f in everything if f.part == part]))
    print(f"\nA forecast took {1e3 * statistics.median(f.seconds for f in everything):.1f} ms.")


if __name__ == "__main__":
    main()
