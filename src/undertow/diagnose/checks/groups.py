"""Parameter groups whose rates keep what they hold as it was made."""

from __future__ import annotations

import math

import numpy as np

from undertow.diagnose.case import Case
from undertow.diagnose.checks.signal import common_module
from undertow.diagnose.table import Found

__all__ = ["STANDING", "standing_head", "standing_trunk"]

STANDING = 0.1
"""Share of its first value by which the loss could have fallen at the very most, and share of its own size
by which the most moved weight matrix can have moved."""

MOST_OF_IT = 0.5
"""Share of the weights: what moves of fewer cannot be expected to make up for the rest."""

APART = 100
"""Times the rate of the head that the rest has."""


def standing_head(case: Case) -> Found:
    """The weight nearest to the loss, where its rate kept it as it was and all others moved."""
    observed = next((p for p in case.passes if p.step >= case.start and case.leaf_scales(p)), None)
    numbers = {case.run.parameters[n].name: n for n in case.weights if case.run.parameters[n].optimizer >= 0}
    if observed is None or len(case.finite_updates) < 2:
        return
    order = [(name, depth) for name, depth, norm in case.leaf_scales(observed) if name in numbers and norm > 0]
    rest = [name for name, depth in order if depth > order[0][1]]
    if not rest:
        return
    head, others = numbers[order[0][0]], [numbers[name] for name in rest]
    rate, theirs = _rate(case, [head]), _rate(case, others)
    moved = case.moved_by(head)
    if not (rate * APART <= theirs and moved < STANDING and moved * APART < _typically_moved(case, others)):
        return
    yield {
        "story": f"{case.run.parameters[head].name}, the weight nearest to the loss, has a learning rate of {rate:g} "
        f"where the others have {theirs:g}: in {case.outcome.steps} steps it can have moved by no more than "
        f"{moved:.2%} of its size, and all that it reads moves",
        "remedy": "Give the parameter group of the head at least the rate of the rest.",
        "module": case.run.parameters[head].module,
        "rate": rate,
        "moved": moved,
        "onset": "start",
        "harm": case.harm(0.92, 0.3, 0.1, 0.6),
    }


def standing_trunk(case: Case) -> Found:
    """Most of the weights, where their rates kept them as they were and the loss has not moved either."""
    if not case.failed or len(case.finite_updates) < 2:
        return
    held = [n for n in case.weights if case.run.parameters[n].optimizer >= 0]
    rates = {n: _rate(case, [n]) for n in held}
    top = max((rate for rate in rates.values() if math.isfinite(rate)), default=math.nan)
    slow = [n for n in held if rates[n] * APART <= top and case.moved_by(n) < STANDING]
    size = sum(case.run.parameters[n].size for n in held)
    share = sum(case.run.parameters[n].size for n in slow) / max(1, size)
    if share <= MOST_OF_IT:
        return
    moved = max(case.moved_by(n) for n in slow)
    yield {
        "story": f"{len(slow)} weight matrices, {share:.0%} of the weights, have learning rates of {rates[slow[0]]:g} "
        f"and less where others have {top:g}: in {case.outcome.steps} steps none of them can have moved by more than "
        f"{moved:.2%} of its size, and what moves has not been enough",
        "remedy": "Give the parameter groups of these weights a larger rate; so small a one is for weights that were "
        "trained before.",
        "module": common_module([case.run.parameters[n].module for n in slow]),
        "share": share,
        "rate": rates[slow[0]],
        "moved": moved,
        "onset": "start",
        "harm": 0.85,
    }


def _typically_moved(case: Case, numbers: list[int]) -> float:
    return float(np.median([case.moved_by(number) for number in numbers]))


def _rate(case: Case, numbers: list[int]) -> float:
    """The highest learning rate of some parameters that was seen."""
    return max((float(r) for u in case.finite_updates for r in u.rate[numbers] if math.isfinite(r)), default=math.nan)
