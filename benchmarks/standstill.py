"""How often is the reason right for which a training stands still? `python -m benchmarks.standstill`.

Over trainings that stand still for a reason known by how they were made (tests/standstill/).
"""

from __future__ import annotations

import importlib
import pkgutil
import statistics
import time
from collections import Counter, defaultdict

import torch

import tests.standstill
import undertow
from tests.standstill.stalls import STALLS

__all__: list[str] = []

KINDS = ("minimum", "saddle", "plateau", "noise-floor", "step-too-small", "bouncing")


def entered() -> None:
    """Every stall there is."""
    for module in pkgutil.iter_modules(tests.standstill.__path__):
        if module.name.startswith("stalls_"):
            importlib.import_module(f"tests.standstill.{module.name}")


def main() -> None:
    torch.set_num_threads(1)
    entered()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    seconds, wrong = [], []
    for name, (kind, make) in STALLS.items():
        stall = make()
        started = time.perf_counter()
        answer = undertow.standstill(stall.model, stall.loss_fn, stall.batches, stall.optimizer)
        seconds.append(time.perf_counter() - started)
        found[kind][answer.kind] += 1
        wrong += [] if answer.kind == kind else [f"`{name}` ({kind}: {answer.kind})"]
    right = sum(found[kind][kind] for kind in KINDS)
    print("| made to stand at | " + " | ".join((*KINDS, "other")) + " | right |")
    print("|" + " --- |" * (len(KINDS) + 3))
    for kind in KINDS:
        counts = found[kind]
        other = counts.total() - sum(counts[known] for known in KINDS)
        row = (*(counts[known] for known in KINDS), other)
        print(f"| {kind} | " + " | ".join(map(str, row)) + f" | {counts[kind]} of {counts.total()} |")
    took = f"a median of {statistics.median(seconds):.1f} s each, {max(seconds):.0f} s at most"
    print(f"\n{right} of {len(STALLS)} right; {took}.")
    print("\nWrong: " + (", ".join(wrong) or "none") + ".")


if __name__ == "__main__":
    main()
