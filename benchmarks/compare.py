"""What comparing takes for a difference: python -m benchmarks.compare [SPLIT …]

Each healthy run of the gallery's splits `judge` and `unseen` (or those named) is trained with two seeds: whatever parts
between these is a false alarm. And once more with the first seed, all learning rates cut to a hundredth from the middle
on: that is to be found, and at what step.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch
from scipy.stats import binomtest
from torch.optim.optimizer import register_optimizer_step_pre_hook

import undertow
from tests.gallery.judge import observed
from tests.gallery.table import Case, load

LONGEST = 100
"""Steps that a run must have."""


@contextlib.contextmanager
def seeded(offset: int) -> Iterator[None]:
    """Add to every seed that the script sets."""
    original = torch.manual_seed
    torch.manual_seed = lambda seed: original(seed + offset)  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.manual_seed = original


@contextlib.contextmanager
def cut(at: int) -> Iterator[None]:
    """Divide every learning rate by 100 at a step."""
    steps: Counter[int] = Counter()

    def before(optimizer: torch.optim.Optimizer, *_: object) -> None:
        steps[id(optimizer)] += 1
        if steps[id(optimizer)] == at + 1:
            for group in optimizer.param_groups:
                group["lr"] /= 100

    handle = register_optimizer_step_pre_hook(before)
    try:
        yield
    finally:
        handle.remove()


def trained(case: Case, folder: Path) -> undertow.Run:
    observed(case, folder)
    return undertow.Run(folder)


def kinds(left: undertow.Run, right: undertow.Run) -> dict[str, int]:
    """What parts, and from which step on."""
    parted = undertow.compare(left, right).parted
    return {d.kind: d.since for d in reversed(parted)}


def rate(words: str, found: int, count: int) -> None:
    tried = binomtest(found, count)
    low, high = tried.proportion_ci(method="wilson")
    print(f"| {words} | {found} of {count} | {100 * tried.statistic:.1f} % ({100 * low:.1f} to {100 * high:.1f}) |")


def main() -> None:
    splits = sys.argv[1:] or ["judge", "unseen"]
    parted: Counter[str] = Counter()
    pairs = found = told = exact = 0
    for name, case in load().items():
        if case.code is not None or case.split not in splits:
            continue
        with tempfile.TemporaryDirectory() as folder:
            first = trained(case, Path(folder) / "a")
            if first.steps < LONGEST or not first.losses:
                continue
            with seeded(1):
                second = trained(case, Path(folder) / "b")
            with cut(first.steps // 2):
                third = trained(case, Path(folder) / "c")
            alarms, planted = kinds(first, second), kinds(first, third)
            pairs += 1
            parted.update(alarms.keys())
            found += bool(planted.keys() & {"update", "rate", "loss"})
            seen = undertow.compare(first, third)
            told += any(d.name.endswith(" lr") for d in seen.changed)
            exact += abs(seen.same_until / seen.losses - 0.5) < 0.02
            print(f"{name:40} {first.steps:6} {alarms} {planted}", file=sys.stderr, flush=True)
    print("| what | runs | rate |\n| --- | --- | --- |")
    for kind in ("verdict", "loss", "gradient", "update", "weight", "rate", "pace"):
        rate(f"another seed: {kind} parts", parted[kind], pairs)
    rate("learning rates cut in the middle: loss, updates or rate part", found, pairs)
    rate("told as a setting that was changed", told, pairs)
    rate("told by the last digit of the loss, at the step it began", exact, pairs)


if __name__ == "__main__":
    main()
