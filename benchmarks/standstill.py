"""How often is the reason right for which a training stands still? `python -m benchmarks.standstill`.

Over trainings that stand still for a reason known by how they were made (tests/standstill/): those *held* out, made by
somebody who had not read the search, those held out *again* when it had been mended by these, and those by which it was
*built*. Those named are judged, or all: `held again built`.
"""

from __future__ import annotations

import importlib
import pkgutil
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from scipy.stats import binomtest

import tests.standstill
import undertow
from tests.standstill.stalls import STALLS

__all__: list[str] = []

KINDS = ("minimum", "saddle", "plateau", "noise-floor", "step-too-small", "bouncing")
GROUPS = {"held": "Held out", "again": "Held out again", "built": "Looked at while the search was built"}


@dataclass(frozen=True)
class Judged:
    """What a stall was made to stand at, what it was taken for, and what that took."""

    name: str
    kind: str
    answer: str
    seconds: float


def entered(group: str) -> list[str]:
    """The stalls of a group, by name."""
    known = set(STALLS)
    for module in pkgutil.iter_modules(tests.standstill.__path__):
        if module.name.startswith("stalls_") and group_of(module.name) == group:
            importlib.import_module(f"tests.standstill.{module.name}")
    return [name for name in STALLS if name not in known]


def group_of(module: str) -> str:
    """Files of held-out stalls say so in their names."""
    second = module.split("_")[1]
    return second if second in GROUPS else "built"


def judged(name: str) -> Judged:
    kind, make = STALLS[name]
    stall = make()
    started = time.perf_counter()
    answer = undertow.standstill(stall.model, stall.loss_fn, stall.batches, stall.optimizer)
    return Judged(name, kind, answer.kind, time.perf_counter() - started)


def share(right: int, of: int) -> str:
    """So many right, with the 95 % interval (Wilson) in percent."""
    low, high = binomtest(right, of).proportion_ci(method="wilson")
    return f"{right} of {of} | {right / of:.0%} ({low:.0%} to {high:.0%})"


def report(all_judged: Iterable[Judged]) -> None:
    told = list(all_judged)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for one in told:
        found[one.kind][one.answer] += 1
    print("| made to stand at | " + " | ".join((*KINDS, "other")) + " | right | rate |")
    print("|" + " --- |" * (len(KINDS) + 4))
    for kind in KINDS:
        counts = [found[kind][answer] for answer in KINDS]
        row = (*counts, found[kind].total() - sum(counts), share(found[kind][kind], found[kind].total()))
        print(f"| {kind} | " + " | ".join(map(str, row)) + " |")
    right = share(sum(found[kind][kind] for kind in KINDS), len(told))
    print("| all |" + " |" * (len(KINDS) + 1) + f" {right} |")
    seconds = [one.seconds for one in told]
    print(f"\nA median of {statistics.median(seconds):.1f} s each, {max(seconds):.0f} s at most.")
    wrong = [f"`{one.name}` ({one.kind}: {one.answer})" for one in told if one.answer != one.kind]
    print("\nWrong: " + (", ".join(wrong) or "none") + ".")


def main() -> None:
    torch.set_num_threads(1)
    for group in sys.argv[1:] or GROUPS:
        print(f"\n## {GROUPS[group]}\n")
        report(map(judged, entered(group)))


if __name__ == "__main__":
    main()
