"""What preflight tells of runs before they are trained, and what it costs: python -m benchmarks.preflight

Each run of the gallery's splits `judge` and `unseen` (or those named) is left after its first two optimizer steps, as
`undertow run --preflight` does: alarms on healthy runs are false. Then a transformer of 100 million parameters is
preflighted, beside its own training steps.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import torch
from scipy.stats import binomtest
from torch import nn

import undertow
from tests.gallery.judge import observed
from tests.gallery.table import Case, load
from undertow.preflight import first_steps, preflight


def taken_for(case: Case) -> str:
    """The code of what is found in the first two steps; empty for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        begin = Case(case.name, lambda: begun(case), case.code, case.module, case.split, case.note, case.line)
        observed(begin, Path(folder) / "run", every=1)
        review = undertow.review(undertow.Run(Path(folder) / "run"))
        return "" if review.cause is None else review.cause.code


def begun(case: Case) -> dict[str, float]:
    try:
        with first_steps():
            return case.train()
    except SystemExit:
        return {}


def rate(words: str, found: int, count: int) -> None:
    tried = binomtest(found, count)
    low, high = tried.proportion_ci(method="wilson")
    print(f"| {words} | {found} of {count} | {100 * tried.statistic:.1f} % ({100 * low:.1f} to {100 * high:.1f}) |")


def gallery(splits: list[str]) -> None:
    alarms, healthy = 0, 0
    named: dict[str, list[bool]] = defaultdict(list)
    for name, case in load().items():
        if case.split in splits:
            found = taken_for(case)
            if case.code is None:
                healthy += 1
                alarms += bool(found)
                if found:
                    print(f"false: {name} {found}", file=sys.stderr)
            else:
                named[case.code].append(found == case.code)
    print("| what | runs | rate |\n| --- | --- | --- |")
    rate("false alarms on healthy runs", alarms, healthy)
    for code, right in sorted(named.items()):
        rate(f"{code}, named after two steps", sum(right), len(right))


class Transformer(nn.Module):
    """100 million parameters: 12 layers of width 768, and an embedding of 20,000 words."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20_000, 768)
        layer = nn.TransformerEncoderLayer(768, 12, 3072, dropout=0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)
        self.head = nn.Linear(768, 20_000, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embedding(words))).flatten(0, 1)


def cost() -> None:
    model = Transformer()
    words = torch.randint(20_000, (4, 128))
    batch = words, words.flatten()
    loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters())

    def step() -> None:
        optimizer.zero_grad()
        loss(model(words), batch[1]).backward()
        optimizer.step()

    step()
    steps, flights = [], []
    for _ in range(5):
        for took, work in ((steps, step), (flights, lambda: preflight(model, loss, batch, optimizer))):
            started = time.perf_counter()
            work()
            took.append(time.perf_counter() - started)
    one, whole = statistics.median(steps), statistics.median(flights)
    size = sum(p.numel() for p in model.parameters()) / 1e6
    print(f"\nA transformer of {size:.0f} million parameters: a step takes {one:.2f} s, a preflight {whole:.2f} s;")
    print(f"that is {whole / one:.2f} steps, where 3 steps and 2 s, {3 * one + 2:.2f} s, were allowed.")


def main() -> None:
    gallery(sys.argv[1:] or ["judge", "unseen"])
    cost()


if __name__ == "__main__":
    main()
