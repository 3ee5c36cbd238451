"""Faults of fine-tuning: what was learned before, and what the first steps do to it."""

from __future__ import annotations

import math

from numpy.lib.stride_tricks import sliding_window_view

from undertow.diagnose.case import Case
from undertow.diagnose.outcome import jitter
from undertow.diagnose.table import Found, diagnosis

__all__: list[str] = []

OPENING = 100
"""Steps in which what was learned before can be lost before the loss tells."""

FEWEST = 2
"""Normalisations that must show that they were trained."""

TOGETHER = 5
"""Losses whose mean tells that it rose, and not one batch alone."""

DEVIATIONS = 4
"""From one loss to the next, above the first."""

OFF = 1e-3
"""By what share the norm of a scale that was never trained may differ from that of ones, by rounding."""


@diagnosis(
    "UT901",
    "learned-weights-overwritten",
    message="weights that had been trained before were moved by up to {moved:.0%} of their norm in the first {steps} "
    "steps, and the loss rose from {first:.3g} to {peak:.3g}",
    advice="Fine-tune with a rate ten to a hundred times smaller, raised from 0 over the first steps (warm-up), and a "
    "larger one for what is new (parameter groups).",
    source="Howard & Ruder 2018, arXiv:1801.06146, on rates by layer and warm-up; Kumar et al. 2022, arXiv:2202.10054, "
    "on features that fine-tuning distorts",
)
def learned_weights_overwritten(case: Case) -> Found:
    """First steps that undo what was learned before.

    ## What it means
    The scales of the normalisations are neither one nor zero, so this network was trained before. The first steps
    moved its weights by as much as they are long, and the loss rose above where it began: what had been learned is
    gone, and the run begins from a random network at best.

    ## When it is harmless
    Where the loss soon falls below where it began, and that was the point: as a warm restart of a schedule does.

    ## What to do
    A smaller rate and a warm-up; train the new head alone first, then all of it.
    """
    seen = case.course()
    moved = case.moved_within(OPENING)
    if seen is None or not moved >= 1 or not _trained_before(case):
        return
    early = seen.values[seen.steps < case.start + OPENING]
    if len(early) < 5 * TOGETHER:
        return
    first, peak = float(early[0]), float(sliding_window_view(early, TOGETHER).mean(1).max())
    if not peak > first + DEVIATIONS * float(jitter(early)):
        return
    yield {
        "moved": moved,
        "steps": min(OPENING, case.outcome.steps),
        "first": first,
        "peak": peak,
        "onset": "start",
        "harm": 0.6 if case.failed or case.outcome.last > first else 0.3,
    }


def _trained_before(case: Case) -> bool:
    """Whether scales of normalisations were neither ones nor zeros when the run began."""
    start = next((u for u in case.run.updates if u.step == case.start), None)
    if start is None:
        return False
    scales = [
        (float(norm), math.sqrt(p.size))
        for p, norm in zip(case.run.parameters, start.weight, strict=True)
        if "Norm" in p.kind and p.name.endswith("weight") and len(p.shape) == 1 and math.isfinite(norm)
    ]
    off = [norm for norm, ones in scales if norm > 0 and abs(norm - ones) > OFF * ones]
    return len(off) >= FEWEST and 2 * len(off) >= len(scales)
