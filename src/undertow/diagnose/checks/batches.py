"""Faults of how batches are drawn: always the same one, or in the order of the classes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from undertow.diagnose.case import Case
from undertow.diagnose.table import Found, diagnosis
from undertow.store import Batch, Target

__all__: list[str] = []

FEWEST = 4
"""Steps whose batch was seen, to speak of all."""

SORTED = 0.6
"""Classes in a batch, over those in one drawn at random: the effective number, exp of the entropy."""


@diagnosis(
    "UT506",
    "same-batch",
    message="each of the {steps} batches looked at is {which} of {rows} examples{more}",
    advice="Draw a new batch at each step: iterate over the loader, and move next(iter(loader)) and fixed slices "
    "out of the loop.",
    source="the fingerprint of inputs and targets as they enter the network",
)
def same_batch(case: Case) -> Found:
    """One batch, again and again.

    ## What it means
    The loss falls, for a network learns a few examples by heart, and nothing else is ever seen. The usual reason is
    `next(iter(loader))` in the loop, a slice that does not move, or a seed that is set at each step: then a batch is
    drawn anew each time, and is the same one, or one of the same few.

    ## When it is harmless
    Where all examples fit one batch, and in the experiment of learning one batch by heart: then disregard it.

    ## What to do
    `for inputs, targets in loader:`.
    """
    seen = {p.step: noted.batch for p, noted in case.noted if noted.batch is not None and noted.batch.rows}
    batches = [*seen.values()]
    marks, rows = len({b.mark for b in batches}), max((b.rows for b in batches), default=0)
    if len(batches) < FEWEST * marks or not marks:
        return
    loaders = [f for f in _loaders(case) if f["rows"] == rows and f["examples"] >= 2 * rows]
    drawn = _drawn_from(case, batches)
    if marks == 1 and loaders:
        total, more, harm = loaders[0]["examples"], f", and the loader {loaders[0]['name']} holds {{}}", 0.7
    elif drawn is not None and drawn["rows"] >= 10 * rows * marks:
        total, more, harm = drawn["rows"], f", drawn anew at each step, and {drawn['name']} holds {{}}", 0.7
    elif marks == 1 and batches[0].held >= 10 * rows:
        total, more, harm = batches[0].held, ", cut from a tensor that holds {}", 0.3
    else:
        return
    yield {
        "steps": len(batches),
        "rows": rows,
        "held": total,
        "which": "the same one" if marks == 1 else f"one of the same {marks}",
        "more": more.format(total),
        "harm": harm,
    }


def _drawn_from(case: Case, batches: Sequence[Batch]) -> dict[str, Any] | None:
    """The longest array of the user's that batches may be drawn from, where each look found one newly made.

    It is as wide as they are; or as their targets, where these were newly made as well, and as long as another one: the
    examples that something was worked out from before it entered.
    """
    if not all(batch.drawn for batch in batches[1:]):
        return None
    held = [facts for event in case.events("tensors") for facts in event["tensors"]]
    lengths = Counter(facts["rows"] for facts in held)
    asked = {batch.asked for batch in batches[1:]}
    fits = (f for f in held if f["width"] == batches[0].width or ({f["width"]} == asked and lengths[f["rows"]] > 1))
    return next(fits, None)


def _loaders(case: Case) -> list[dict[str, Any]]:
    return [loader for facts in case.events("loaders") for loader in facts["loaders"]]


@diagnosis(
    "UT507",
    "unshuffled-order",
    message="a batch holds {effective:.1f} classes where one drawn at random would hold {expected:.1f}{loader}: "
    "the examples come in the order of their classes",
    advice="Shuffle: DataLoader(…, shuffle=True), or a new permutation of the indices for each epoch.",
    source="Bottou 2012, Stochastic Gradient Descent Tricks, section 3: shuffle the examples",
)
def unshuffled_order(case: Case) -> Found:
    """Examples in the order of their classes.

    ## What it means
    For many steps only one class is seen: the network learns to answer that one, and forgets it when the next
    comes. The loss is low within a class and says nothing. Compared is the mix of classes in each batch with what
    drawing at random would give, within its error.

    ## When it is harmless
    Where tasks come one after the other on purpose (continual learning), and where the loss averaged over many
    batches falls all the same and no change of class throws it above that of guessing.

    ## What to do
    Shuffle before each epoch.
    """
    counts = _mixtures(case)
    if counts is None:
        return
    total = counts.sum(0)
    found = [_effective(row) for row in counts]
    drawn = _drawn(total / total.sum(), counts.sum(1).astype(int))
    expected, error = float(np.mean(drawn)), float(np.std(drawn)) / len(counts) ** 0.5
    effective = float(np.mean(found))
    if effective > SORTED * expected or effective > expected - 5 * error:
        return
    loader = next((f for f in _loaders(case) if f["in_order"] and f["rows"] in counts.sum(1)), None)
    losses = case.losses()
    late = float(np.mean(losses[len(losses) // 2 :])) if len(losses) else np.nan
    forgets = len(losses) > 0 and losses[len(losses) // 2 :].max() > case.outcome.chance
    survives = case.outcome.chance > 0 and late < 0.5 * case.outcome.chance and not forgets
    yield {
        "effective": effective,
        "expected": expected,
        "steps": len(counts),
        "loader": f" (the loader {loader['name']} does not shuffle)" if loader else "",
        "onset": "start",
        "harm": 0.3 if survives else 0.8,
    }


def _mixtures(case: Case) -> NDArray[np.float64] | None:
    """Counts of classes in batches of at least 8 examples, one a row, of steps that consist of one pass."""
    targets = [p.target for p in case.passes if p.target is not None]
    kept = [counts for t in targets if sum(counts := _counted(t)) >= 8]
    if case.rhythm != 1 or len(kept) < FEWEST or len({len(counts) for counts in kept}) != 1:
        return None
    return np.array(kept, dtype=np.float64)


def _counted(target: Target) -> tuple[int, ...]:
    """How many of each class, where each example has one; targets of 0 and 1 are two classes."""
    if target.counts:
        return target.counts if len(target.shape) == 1 else ()
    rows = math.prod(target.shape)
    binary = {target.low, target.high} <= {0.0, 1.0} and target.shape and rows == target.shape[0]
    ones = round(target.mean * rows) if binary and math.isfinite(target.mean) else 0
    return (rows - ones, ones) if binary else ()


def _effective(counts: NDArray[np.float64]) -> float:
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _drawn(shares: NDArray[np.float64], sizes: NDArray[np.int64]) -> list[float]:
    """The effective number of classes in batches drawn at random."""
    random = np.random.default_rng(0)
    return [_effective(random.multinomial(size, shares).astype(np.float64)) for size in np.resize(sizes, 200)]
