"""Classes that hardly count."""

from __future__ import annotations

import math

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.checks.head import names_in
from undertow.diagnose.checks.targets import BINARY
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Target

__all__: list[str] = []

MAJORITY = 0.9


@diagnosis(
    "UT505",
    "unbalanced-classes",
    message="{share:.1%} of the targets seen are of one class: always answering that is right as often{found}",
    advice="Judge by balanced accuracy, weight the loss by the classes, or draw the rare ones more often.",
    source="He & Garcia 2009, Learning from Imbalanced Data",
)
def unbalanced_classes(case: Case) -> Found:
    """One class so frequent that the others hardly count.

    ## What it means
    The gradient of a mean over examples is that of the frequent class. A network can stand for long where it answers
    that one, at a loss that looks low.

    ## When it is harmless
    Where the loss falls below that of answering without looking: then it is a remark, unless most was left to learn and
    in its second half next to none of the rare ones was answered right. A loss that has come down to guessing and still
    falls stands there as long as none of them is.

    ## What to do
    Weights in the loss, a sampler that draws rare classes more often, and a measure that does not reward guessing.
    """
    share, count = _majority(case)
    if share < MAJORITY or share >= 1 or count < 50:
        return
    right, rare = _rare_ones(case)
    stays = case.outcome.kind == "stalled" or (case.outcome.kind == "falling" and rare > right == 0)
    stands = stays and case.outcome.last < 1.2 * case.outcome.chance
    never = rare >= ENOUGH and right <= SELDOM * rare and (case.learned_little or not case.learned)
    yield {
        "share": share,
        "count": count,
        "found": f", and in the second half of the run {right} of {rare} of the others were" if never else "",
        "onset": "start",
        "harm": 0.65 if stands or never else 0.15,
    }


ENOUGH = 5
"""Rare examples seen: where half of them are found, none among as many is found 3 times in 100."""

SELDOM = 0.05
"""Share of the rare ones."""


def _rare_ones(case: Case) -> tuple[int, int]:
    """How many examples that are not of the most frequent class were answered right in the second half, of how many."""
    late = case.passes[len(case.passes) // 2 :]
    seen = [(p.target.hits, _classes(p.target)) for p in late if p.target is not None and p.target.hits]
    seen = [(hits, counts) for hits, counts in seen if len(hits) == len(counts)]
    if not seen or len({len(counts) for _, counts in seen}) > 1:
        return 0, 0
    hits, counts = (np.sum(rows, axis=0) for rows in zip(*seen, strict=True))
    often = int(counts.argmax())
    return int(hits.sum() - hits[often]), int(counts.sum() - counts[often])


def _classes(target: Target) -> tuple[int, ...]:
    """How many of each class; of targets of 0 and 1, of these."""
    size = math.prod(target.shape)
    ones = round(target.mean * size)
    return target.counts or (size - ones, ones)


def _majority(case: Case) -> tuple[float, int]:
    targets = [(p, p.target) for p in case.passes if p.target is not None]
    counted = [t.counts for _, t in targets if t.counts]
    if counted and len({len(counts) for counts in counted}) == 1:
        counts = np.sum(counted, axis=0)
        return float(counts.max() / max(1, counts.sum())), int(counts.sum())
    binary = [(t.mean, math.prod(t.shape)) for p, t in targets if names_in(p)[t.operation] in BINARY]
    if not binary or any(not 0 <= mean <= 1 for mean, _ in binary):
        return 0.0, 0
    count = sum(size for _, size in binary)
    positive = sum(mean * size for mean, size in binary) / max(1, count)
    return max(positive, 1 - positive), count
